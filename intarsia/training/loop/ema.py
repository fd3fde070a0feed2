"""Exponential moving average of weights."""

from __future__ import annotations

import copy

import torch

from intarsia.models import SegmentationModel


class AveragedWeights:
    """A copy of the model whose floating-point weights and statistics trail behind the trained ones.

    The decay starts low and rises to its full value, so that the average is useful from the first epochs on.

    Attributes:
        model: the averaged copy, in eval mode; it is what is validated and saved.
    """

    def __init__(self, model: SegmentationModel, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: SegmentationModel, step: int) -> None:
        """Move towards `model` after optimiser step `step` (1-based)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, current = self.model.state_dict(), model.state_dict()
        floating = [name for name, value in averaged.items() if value.is_floating_point()]
        torch._foreach_lerp_([averaged[name] for name in floating], [current[name] for name in floating], 1 - decay)
        for name in averaged.keys() - floating:
            averaged[name].copy_(current[name])

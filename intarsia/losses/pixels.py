"""Losses that sum over elements."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.losses.base import Loss, register_loss


@register_loss("cross_entropy")
class CrossEntropy(Loss):
    """Cross-entropy, averaged over valid elements by their class weight.

    With w the class weights and V the valid elements: sum over V of w[t] * -log p[t], over the sum over V of w[t].

    Args:
        class_weights: one non-negative weight a class; None weighs all alike.
        ignore_index: label of elements that contribute nothing.
    """

    class_weights: Tensor | None

    def __init__(self, *, class_weights: Sequence[float] | None = None, ignore_index: int = 255) -> None:
        super().__init__(ignore_index=ignore_index)
        weights = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        total = F.cross_entropy(
            logits, target, weight=self.class_weights, ignore_index=self.ignore_index, reduction="sum"
        )
        valid = target[target != self.ignore_index]
        if self.class_weights is None:
            mass = total.new_tensor(float(valid.numel()))
        else:
            mass = (torch.bincount(valid, minlength=len(self.class_weights)) * self.class_weights).sum()
        return total / mass.clamp(min=torch.finfo(torch.float32).tiny)

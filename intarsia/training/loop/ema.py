"""Exponential moving average of weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from intarsia.models import SegmentationModel
from intarsia.training.loop.among import own, part, whole


class AveragedWeights:
    """A copy of the model whose floating-point weights and statistics trail behind the trained ones.

    The decay starts low and rises to its full value, so that the average is useful from the first epochs on. Of a model
    that is divided among processes, each averages its own part.
    """

    def __init__(self, model: SegmentationModel, decay: float) -> None:
        self._model = copy.deepcopy(model).eval().requires_grad_(False)
        self._parts: dict[str, Tensor] = {}
        self.decay = decay

    def divide(self, model: nn.Module, device: torch.device) -> None:
        """Keep this process's part alone of the weights that are divided in `model`, on `device`."""
        divided = dict(model.named_parameters(remove_duplicate=False))
        for name, parameter in self._model.named_parameters(remove_duplicate=False):
            self._parts[name] = part(parameter.detach(), divided[name])
        for parameter in self._model.parameters():
            parameter.data = parameter.new_empty(0)
        self._model.to(device)

    @torch.no_grad()
    def update(self, model: SegmentationModel, step: int) -> None:
        """Move towards `model` after optimiser step `step` (1-based)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, current = self.state(), model.state_dict()
        floating = [name for name, value in averaged.items() if value.is_floating_point()]
        pairs = [(own(averaged[name]), own(current[name])) for name in floating]
        torch._foreach_lerp_([one for one, _ in pairs], [other for _, other in pairs], 1 - decay)
        for name in averaged.keys() - floating:
            averaged[name].copy_(current[name])

    def state(self) -> dict[str, Tensor]:
        """The averages by name, as `load` takes them; of a divided model this process's parts."""
        return {**self._model.state_dict(), **self._parts}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over averages."""
        for name, value in self.state().items():
            own(value).copy_(own(state[name]))

    @contextmanager
    def whole(self) -> Iterator[SegmentationModel]:
        """The averaged model, in eval mode; it is what is validated and saved.

        A divided one is whole within the context alone, in each process; all have to enter it.
        """
        divided = [(p, self._parts[name]) for name, p in self._model.named_parameters() if name in self._parts]
        for parameter, one in divided:
            parameter.data = whole(one)
        try:
            yield self._model
        finally:
            for parameter, _ in divided:
                parameter.data = parameter.new_empty(0)

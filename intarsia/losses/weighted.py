"""Sums of losses whose weights may change while training goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from intarsia.losses.base import Loss


@dataclass(frozen=True)
class Ramp:
    """A weight that changes linearly during a part of the training, and is constant before and after.

    Args:
        first: weight up to `begin`.
        last: weight from `end` on.
        begin: share of the training, 0..1, at which the change begins.
        end: share of the training at which it ends; not before `begin`.
    """

    first: float
    last: float
    begin: float = 0.0
    end: float = 1.0

    def at(self, progress: float) -> float:
        """The weight when a share `progress` of the training is done."""
        if progress >= self.end:
            return self.last
        if progress <= self.begin:
            return self.first
        return self.first + (self.last - self.first) * (progress - self.begin) / (self.end - self.begin)


class WeightedSum(nn.Module):
    """Sum of several losses, each times its weight.

    Args:
        terms: weight and loss; a term is not computed while its weight is 0.
    """

    def __init__(self, terms: Sequence[tuple[float | Ramp, Loss]]) -> None:
        super().__init__()
        self.weights = [weight if isinstance(weight, Ramp) else Ramp(weight, weight) for weight, _ in terms]
        self.terms = nn.ModuleList([loss for _, loss in terms])

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        maps: Mapping[str, Tensor] | None = None,
        queries: tuple[Tensor, Tensor] | None = None,
        *,
        progress: float = 1.0,
    ) -> Tensor:
        """As `Loss.forward`, with the weights that hold when a share `progress` of the training is done."""
        # Nothing, but with a gradient: every weight may be 0 at times.
        total = logits[:0].float().sum()
        for index, (weight, loss) in enumerate(zip(self.weights, self.terms, strict=True)):
            factor = weight.at(progress)
            if factor:
                own = None if maps is None else _own(maps, index)
                total = total + factor * loss(logits, target, own, queries)
        return total

    def maps(self, labels: Tensor) -> dict[str, Tensor]:
        """The maps of all terms for the labels (*S) of one sample, the term's number before each name."""
        return {
            f"{index}.{name}": given
            for index, loss in enumerate(self.terms)
            for name, given in cast(Loss, loss).maps(labels).items()
        }


def _own(maps: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    prefix = f"{index}."
    return {name.removeprefix(prefix): given for name, given in maps.items() if name.startswith(prefix)}

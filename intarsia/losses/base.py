"""The loss contract, the registry by name, and weighted sums."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from intarsia.errors import UsageError, suggest


class Loss(nn.Module):
    """Base of every loss.

    Args:
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(self, *, ignore_index: int = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """(N, C, *S) logits and (N, *S) labels -> scalar.

        Raises:
            ValueError: the shapes do not belong together.
        """
        if logits.ndim < 2 or target.shape != (logits.shape[0], *logits.shape[2:]):
            raise ValueError(
                f"target of shape {tuple(target.shape)} does not fit logits of shape {tuple(logits.shape)}: "
                "expected (N, *S) for (N, C, *S)"
            )
        with torch.autocast(logits.device.type, enabled=False):
            return self.compute(logits.float(), target.long())

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of float32 logits and int64 targets of matching shape."""
        raise NotImplementedError


class WeightedSum(nn.Module):
    """Sum of several losses, each times its weight."""

    def __init__(self, terms: Sequence[tuple[float, Loss]]) -> None:
        super().__init__()
        self.weights = [weight for weight, _ in terms]
        self.terms = nn.ModuleList([loss for _, loss in terms])

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return torch.stack(
            [weight * loss(logits, target) for weight, loss in zip(self.weights, self.terms, strict=True)]
        ).sum()


_losses: dict[str, Callable[..., Loss]] = {}


def register_loss(name: str) -> Callable[[type[Loss]], type[Loss]]:
    """Register a loss class under the name that recipes use."""

    def decorate(loss: type[Loss]) -> type[Loss]:
        _losses[name] = loss
        return loss

    return decorate


def loss_names() -> list[str]:
    """Names that recipes may use."""
    return sorted(_losses)


def build_loss(name: str, *, ignore_index: int, options: Mapping[str, Any]) -> Loss:
    """Build one loss by name.

    Raises:
        UsageError: unknown name or option; the message suggests the closest.
    """
    if name not in _losses:
        raise UsageError(f"no loss is named {name!r}.{suggest(name, _losses)}")
    known = [option for option in inspect.signature(_losses[name]).parameters if option != "ignore_index"]
    for option in options:
        if option not in known:
            raise UsageError(f"loss {name!r} has no option {option!r}.{suggest(option, known)}")
    return _losses[name](ignore_index=ignore_index, **options)

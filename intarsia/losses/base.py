"""The loss contract and the registry by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypedDict, TypeVar

import torch
from torch import Tensor, nn

from intarsia.errors import DataError, UsageError, suggest


class Loss(nn.Module):
    """Base of every loss.

    A subclass computes from logits of at least float32 and int64 labels, all of them classes or `ignore_index`. What
    it needs beyond them and can be derived from the labels of one sample alone (distances, border weights), it gives
    in `maps`, so that data workers can prepare it.

    Args:
        ignore_index: label of elements that contribute nothing.

    Attributes:
        name: what recipes call it.
        needs_grid: whether elements must be pixels or voxels, not points.
    """

    name: ClassVar[str] = ""
    needs_grid: ClassVar[bool] = False

    def __init__(self, *, ignore_index: int = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        maps: Mapping[str, Tensor] | None = None,
        queries: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Compute the loss of one batch.

        Args:
            logits: (N, C, *S), finite; a NaN or infinity at a valid element makes the loss NaN or infinite.
            target: (N, *S) integer labels, each below C or `ignore_index`.
            maps: `join_maps` of what `maps` gives for every sample; None computes them here.
            queries: of models of masks, the (N, Q, C + 1) class scores and (N, Q, *S) mask logits that `logits` are
                made of; most losses look at the logits alone.

        Returns:
            A scalar, float32 (float64 for float64 logits). Without any valid element 0, with a zero gradient.

        Raises:
            DataError: the shapes do not belong together, or the target holds anything but labels.
            UsageError: the loss needs a grid and got points.
        """
        labels = self._labels(logits, target)
        if maps is None:
            maps = join_maps([self.maps(sample) for sample in labels])
        with torch.autocast(logits.device.type, enabled=False):
            wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
            if not labels.numel():
                return wide.sum()  # 0, with a zero gradient
            return self.compute(wide, labels, {name: given.to(logits.device) for name, given in maps.items()})

    def maps(self, labels: Tensor) -> dict[str, Tensor]:
        """What `compute` needs besides the labels (*S) of one sample, on the CPU; several samples join along axis 0."""
        return {}

    def compute(self, logits: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
        """The loss of logits of at least float32, int64 labels of matching shape, and the batch's maps."""
        raise NotImplementedError

    def _labels(self, logits: Tensor, target: Tensor) -> Tensor:
        """The target as int64, once it is sure to fit the logits."""
        if not (isinstance(logits, Tensor) and isinstance(target, Tensor) and logits.is_floating_point()):
            told = " and ".join(str(getattr(one, "dtype", type(one).__name__)) for one in (logits, target))
            raise DataError(
                f"losses take tensors, logits of floating-point numbers and integer labels, not {told} "
                f"({type(logits).__name__} and {type(target).__name__}); arrays become tensors by torch.from_numpy"
            )
        if logits.ndim < 2 or target.shape != (logits.shape[0], *logits.shape[2:]):
            raise DataError(
                f"target of shape {tuple(target.shape)} does not fit logits of shape {tuple(logits.shape)}: "
                "expected (N, *S) for (N, C, *S)"
            )
        if self.needs_grid and logits.ndim < 4:
            raise UsageError(
                f"the loss {self.name!r} measures distances on a grid and cannot take points: logits are "
                f"{tuple(logits.shape)}, expected (N, C, H, W) or (N, C, D, H, W)"
            )
        if target.is_floating_point() or target.is_complex():
            raise DataError(f"targets are integer labels (N, *S), not {target.dtype}; take the argmax of scores first")
        labels = target.long()
        classes = logits.shape[1]
        known = labels.masked_fill(labels == self.ignore_index, 0)
        if known.numel() and not (known.min() >= 0 and known.max() < classes):
            wrong = torch.unique(known[(known < 0) | (known >= classes)]).tolist()
            raise DataError(
                f"target holds labels that are neither a class (0..{classes - 1}) nor ignore_index "
                f"{self.ignore_index}: {', '.join(str(label) for label in wrong[:10])}"
            )
        return labels


class ClassOptions(TypedDict, total=False):
    """Options of losses that look at some classes only."""

    classes: Sequence[int] | None
    ignore_index: int


class ClassLoss(Loss):
    """Base of the losses that are computed class by class.

    Args:
        classes: the classes that take part, by index: without the background, or the foreground only. The elements of
            the others stay what they are: of none of these. None for all.
        ignore_index: label of elements that contribute nothing.
    """

    def __init__(self, *, classes: Sequence[int] | None = None, ignore_index: int = 255) -> None:
        super().__init__(ignore_index=ignore_index)
        if classes is not None and not (isinstance(classes, Sequence) and classes and all(map(_is_index, classes))):
            raise UsageError(f"loss option classes must be a list of class indices, at least one, not {classes!r}")
        self.classes = None if classes is None else sorted(set(classes))

    def chosen(self, count: int) -> list[int]:
        """The classes that take part, of so many.

        Raises:
            UsageError: one of them does not exist.
        """
        if self.classes is not None and self.classes[-1] >= count:
            raise UsageError(f"{self.name}: classes names {self.classes[-1]}, and the classes are 0..{count - 1}")
        return list(range(count)) if self.classes is None else self.classes


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def join_maps(samples: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The maps of a batch: those of its samples, one after the other along axis 0."""
    return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]} if samples else {}


_losses: dict[str, type[Loss]] = {}
_L = TypeVar("_L", bound=type[Loss])


def register_loss(name: str) -> Callable[[_L], _L]:
    """Register a loss class under the name that recipes use."""

    def decorate(loss: _L) -> _L:
        loss.name = name
        _losses[name] = loss
        return loss

    return decorate


def loss_names() -> list[str]:
    """Names that recipes may use."""
    return sorted(_losses)


def loss_options(name: str) -> list[str]:
    """The options of one loss, `ignore_index` excepted.

    Raises:
        UsageError: unknown name; the message suggests the closest.
    """
    return list(_options_of(name))


def _options_of(name: str) -> dict[str, inspect.Parameter]:
    """The arguments of one loss by name, `ignore_index` excepted."""
    if name not in _losses:
        raise UsageError(f"no loss is named {name!r}.{suggest(name, _losses)}")
    found: dict[str, inspect.Parameter] = {}
    for kind in _losses[name].__mro__:
        given = inspect.signature(vars(kind)["__init__"]).parameters.values() if "__init__" in vars(kind) else ()
        found = {option.name: option for option in given if option.kind is option.KEYWORD_ONLY} | found
        # One that passes further options on (`**shared`) has those of its base too.
        if given and not any(option.kind is option.VAR_KEYWORD for option in given):
            break
    found.pop("ignore_index", None)
    return found


def build_loss(name: str, *, ignore_index: int, options: Mapping[str, Any]) -> Loss:
    """Build one loss by name.

    Raises:
        UsageError: unknown name or option, or an option out of its range; the message suggests the closest name.
    """
    known = _options_of(name)
    for option, value in options.items():
        if option not in known:
            raise UsageError(f"loss {name!r} has no option {option!r}.{suggest(option, known)}")
        if known[option].annotation in ("bool", bool) and not isinstance(value, bool):
            raise UsageError(f"loss option {option} must be true or false, not {value!r}")
    return _losses[name](ignore_index=ignore_index, **options)


def check_options(name: str, values: Any, low: float = 0, *, above: bool = False) -> None:
    """Raise a UsageError unless `values` is a list of numbers, each as for `check_option`, and not all of them 0."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"loss option {name} must be a list of numbers, not {values!r}")
    values = list(values)
    for value in values:
        check_option(name, value, low, above=above)
    if values and not any(values):
        raise UsageError(f"loss option {name} must hold a number above 0, or nothing counts")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise a UsageError unless `value` is one of the choices."""
    if value not in choices:
        raise UsageError(f"loss option {name} must be {' or '.join(choices)}, not {value!r}")


def check_option(name: str, value: Any, low: float, high: float = float("inf"), *, above: bool = False) -> None:
    """Raise a UsageError unless `value` is a number in low..high (`above`: greater than low)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not (low < value if above else low <= value) or value > high:
        limits = f"greater than {low:g}" if above else f"at least {low:g}"
        limits += f" and at most {high:g}" if high < float("inf") else ""
        raise UsageError(f"loss option {name} must be a number {limits}, not {value!r}")

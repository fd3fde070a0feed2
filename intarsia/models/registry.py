"""Architectures by name: one record each, and one way to build them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, get_args

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.models.contract import SegmentationModel
from intarsia.models.single import bear_single_values
from intarsia.recipe import Recipe

Medium = Literal["image", "video", "cloud"]


class Taken(NamedTuple):
    """What the architectures of a medium take.

    Attributes:
        words: for people.
        has_size: a side in pixels says how much work one is; points come in any number.
    """

    words: str
    has_size: bool = True


TAKEN: dict[Medium, Taken] = {
    "image": Taken("pictures"),
    "video": Taken("pictures"),
    "cloud": Taken("point clouds", has_size=False),
}
"""What each of them takes."""

_Builder = TypeVar("_Builder", bound=Callable[..., SegmentationModel])


class TrainingData(Protocol):
    """What an architecture may ask of the data that it will be trained on, computed when it asks."""

    def spacing(self) -> float:
        """Median distance in metres between neighbouring points of a cloud as the model sees it."""


def _takes_any(recipe: Recipe) -> None:
    """Nothing of a recipe is against this architecture."""


def _as_they_are(options: Mapping[str, Any], data: TrainingData) -> dict[str, Any]:
    """No option depends on the data."""
    return {}


@dataclass(frozen=True)
class Architecture:
    """A registered builder and what users are told about it.

    Attributes:
        name: what recipes call it.
        builder: makes the model.
        paper: where it comes from.
        fitted: fitted to pixels or points at once, by its ``head``, instead of trained by gradient steps.
        medium: what it takes.
        check: raises a UsageError that says what to set if a recipe cannot be trained with this architecture.
        options_from: from the recipe's options and the data, the options that are still open and follow from them.
    """

    name: str
    builder: Callable[..., SegmentationModel]
    paper: str
    fitted: bool = False
    medium: Medium = "image"
    check: Callable[[Recipe], None] = _takes_any
    options_from: Callable[[Mapping[str, Any], TrainingData], dict[str, Any]] = _as_they_are

    @property
    def takes(self) -> Taken:
        """What it takes."""
        return TAKEN[self.medium]

    @property
    def summary(self) -> str:
        """First line of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """The builder's arguments and their defaults, without ``classes``."""
        parameters = inspect.signature(self.builder).parameters.values()
        return {p.name: p.default for p in parameters if p.name != "classes"}


class _Kind(NamedTuple):
    words: str
    holds: Callable[[Any], bool]


_KINDS = {
    "bool": _Kind("true or false", lambda value: isinstance(value, bool)),
    "int": _Kind("a whole number", lambda value: isinstance(value, Integral) and not isinstance(value, bool)),
    "float": _Kind("a number", lambda value: isinstance(value, Real) and not isinstance(value, bool)),
    "str": _Kind("a text", lambda value: isinstance(value, str)),
}
"""What options may hold, by how builders annotate them; what they annotate otherwise, they check themselves."""

_architectures: dict[str, Architecture] = {}


def register(
    *,
    paper: str,
    fitted: bool = False,
    medium: Medium = "image",
    check: Callable[[Recipe], None] = _takes_any,
    options_from: Callable[[Mapping[str, Any], TrainingData], dict[str, Any]] = _as_they_are,
) -> Callable[[_Builder], _Builder]:
    """Register a builder under its function name; for the arguments, see `Architecture`."""

    def decorate(builder: _Builder) -> _Builder:
        name = builder.__name__
        if name in _architectures:
            raise ValueError(f"two architectures are named {name!r}")
        _architectures[name] = Architecture(name, builder, paper, fitted, medium, check, options_from)
        return builder

    return decorate


def architectures() -> dict[str, Architecture]:
    """All registered architectures by name; importing `intarsia.models` registers them."""
    return dict(sorted(_architectures.items()))


def architectures_by_medium() -> dict[Medium, dict[str, Architecture]]:
    """All registered architectures by what they take and by name."""
    found: dict[Medium, dict[str, Architecture]] = {medium: {} for medium in get_args(Medium)}
    for name, one in architectures().items():
        found[one.medium][name] = one
    return found


def architecture(name: str) -> Architecture:
    """Look one architecture up.

    Raises:
        UsageError: no such architecture; the message suggests the closest.
    """
    known = architectures()
    if name not in known:
        raise UsageError(f"no architecture is named {name!r}.{suggest(name, known)}")
    return known[name]


def build(name: str, *, classes: int, **options: Any) -> SegmentationModel:
    """Build a model with random weights. Nothing is downloaded.

    Args:
        name: a registered architecture.
        classes: number of output channels.
        options: the builder's own keyword arguments.

    Raises:
        UsageError: unknown architecture, option or encoder; the message suggests the closest.
        ModelError: the options cannot be built.
    """
    found = architecture(name)
    for option in options:
        if option not in found.options:
            raise UsageError(f"{name} has no option {option!r}.{suggest(option, found.options)}")
    for option, value in options.items():
        kind = str(inspect.signature(found.builder).parameters[option].annotation)
        if kind in _KINDS and not _KINDS[kind].holds(value):
            raise UsageError(f"{name}: {option} is {_KINDS[kind].words}, not {value!r}")
    if classes < 1:
        raise ModelError(f"a model needs at least one class, not {classes}")
    try:
        model = found.builder(classes=classes, **options)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:  # values of the wrong kind
        raise ModelError(f"{name} cannot be built with {_listed(options)}: {error}") from error
    empty = next((key for key, value in model.named_parameters() if not value.numel()), "")
    if empty:
        raise ModelError(f"{name} cannot be built with {_listed(options)}: {empty} is empty; widths are at least 1")
    bear_single_values(model)
    if "in_channels" in found.options:
        model.in_channels = options.get("in_channels", found.options["in_channels"])
    return model


def _listed(options: dict[str, Any]) -> str:
    return ", ".join(f"{option}={value!r}" for option, value in options.items()) or "its defaults"

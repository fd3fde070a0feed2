"""One small registry: architecture name -> builder function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from torch import Tensor, nn

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.models.encoders.contract import Encoder
from intarsia.models.layers import resize

_HALF = (0.5, 0.5, 0.5)


class Supervised(NamedTuple):
    """Logits that training compares with the target, and the weight of that term.

    The logits may be smaller than the target, which is then shrunk to them without interpolation.
    """

    logits: Tensor
    weight: float


class Penalty(NamedTuple):
    """A scalar that training adds to the loss, and its weight."""

    value: Tensor
    weight: float


class SegmentationModel(nn.Module):
    """Base of every model: ``forward(x)`` maps (N, in_channels, H, W) to logits (N, C, H, W) for any H, W.

    Networks of points are another medium: see `models.cloud`. What follows is about images.

    Architectures implement `logits`; prediction calls it too and resizes once, straight to the source's size.
    Those with auxiliary heads, or with losses at other resolutions, implement `supervised` as well.

    Attributes:
        medium: what it takes: "image", or "cloud" (see `models.cloud.layers.CloudModel`).
        encoder: the backbone, which may train at a rate of its own.
        in_channels: channels of the input.
        align_corners: the resize convention of this architecture.
        margin: pixels on each side of an output that may decide it, for networks of which tiles can give exactly the
            whole image's logits; 0 for those that pad inside.
    """

    medium: ClassVar[str] = "image"
    encoder: nn.Module
    in_channels: int = 3
    align_corners: bool = False
    margin: int = 0

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation that suit the encoder, RGB in 0..1; one value each for a model of grey pictures."""
        encoder = self.encoder
        mean, std = (encoder.mean, encoder.std) if isinstance(encoder, Encoder) else (_HALF, _HALF)
        if self.in_channels == 1:
            return (sum(mean) / len(mean),), (sum(std) / len(std),)
        return mean, std

    def logits(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> logits (N, C, ceil(H / s), ceil(W / s)), where the stride s is a power of two."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> logits (N, C, H, W)."""
        return resize(self.logits(x), x.shape[2:], align_corners=self.align_corners)

    def supervised(self, x: Tensor) -> tuple[Supervised | Penalty, ...]:
        """What the loss is taken of in training, the logits of `forward` first."""
        return (Supervised(self.forward(x), 1.0),)

    def at_input_size(self, x: Tensor, outputs: Iterable[tuple[Tensor, float]]) -> tuple[Supervised, ...]:
        """Weighted logits, resized to the input: what `supervised` returns where all heads see the whole target."""
        size, corners = x.shape[2:], self.align_corners
        return tuple(Supervised(resize(logits, size, align_corners=corners), weight) for logits, weight in outputs)


class Builder(Protocol):
    """A plain function with keyword-only arguments; ``classes`` is always one of them."""

    __name__: str

    def __call__(self, *, classes: int, **options: Any) -> SegmentationModel: ...


@dataclass(frozen=True)
class Architecture:
    """A registered builder and what users are told about it."""

    name: str
    builder: Callable[..., SegmentationModel]
    paper: str
    medium: str = "image"
    fitted: bool = False

    @property
    def summary(self) -> str:
        """First line of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """The builder's arguments and their defaults, without ``classes``."""
        parameters = inspect.signature(self.builder).parameters.values()
        return {p.name: p.default for p in parameters if p.name != "classes"}


_architectures: dict[str, Architecture] = {}


def register(
    *, paper: str, medium: str = "image", fitted: bool = False
) -> Callable[[Callable[..., SegmentationModel]], Callable[..., SegmentationModel]]:
    """Register a builder under its function name; a `fitted` model is not trained by gradients but in one step."""

    def decorate(builder: Callable[..., SegmentationModel]) -> Callable[..., SegmentationModel]:
        name = builder.__name__
        if name in _architectures:
            raise ValueError(f"two architectures are named {name!r}")
        _architectures[name] = Architecture(name, builder, paper, medium, fitted)
        return builder

    return decorate


def architectures() -> dict[str, Architecture]:
    """All registered architectures by name."""
    from intarsia.models import cloud, image  # noqa: F401  (importing the families registers them)

    return dict(sorted(_architectures.items()))


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
    if classes < 1:
        raise ModelError(f"a model needs at least one class, not {classes}")
    try:
        model = found.builder(classes=classes, **options)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:  # values of the wrong kind
        raise ModelError(f"{name} cannot be built with {_listed(options)}: {error}") from error
    model.in_channels = options.get("in_channels", found.options["in_channels"])
    return model


def _listed(options: dict[str, Any]) -> str:
    return ", ".join(f"{option}={value!r}" for option, value in options.items()) or "its defaults"

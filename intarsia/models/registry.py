"""One small registry: architecture name -> builder function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.media.source import Place
from intarsia.models.encoders.contract import Encoder
from intarsia.models.layers import resize

Medium = Literal["image", "video", "cloud"]
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
        encoder: the backbone, which may train at a rate of its own.
        in_channels: channels of the input.
        align_corners: the resize convention of this architecture.
        margin: pixels on each side of an output that may decide it, for networks of which tiles can give exactly the
            whole image's logits; 0 for those that pad inside.
        full_precision: its arithmetic does not bear rounding to bfloat16.
        is_grid: its inputs are grids of pixels, not points.
    """

    encoder: nn.Module
    in_channels: int = 3
    align_corners: bool = False
    margin: int = 0
    full_precision: bool = False
    is_grid: ClassVar[bool] = True

    def with_base(self, change: Callable[[SegmentationModel], SegmentationModel]) -> SegmentationModel:
        """Change the image model: this one, or in a copy the one that this is made around."""
        return change(self)

    @property
    def base(self) -> SegmentationModel:
        """The image model, which starting weights are for: this one, but for models that are made around another."""
        return self

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
        maps = self.encoder(x)
        return self.join(maps, self.context(maps), (x.shape[2], x.shape[3]))

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        """What the deepest of the encoder's maps become before they meet the others: the part that video may reuse.

        Raises:
            ModelError: this architecture is not made of an encoder, a context and a fusion.
        """
        raise ModelError(
            f"{type(self).__name__} does not expose its stages, so that it cannot be run in two parts; "
            "deeplabv3plus, for instance, does"
        )

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        """Logits of an input of `size` from early maps and the context; `logits` is ``join(maps, context(maps))``."""
        raise NotImplementedError

    def logits_at(self, x: Tensor, place: Place) -> Tensor:
        """`logits` of a part of a picture; other ones only from models that know where they look."""
        return self.logits(x)

    def early(self, maps: dict[int, Tensor]) -> Tensor:
        """What of the early maps tells how much a frame differs from another: features, or integer labels."""
        return maps[max(maps)]

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


@dataclass(frozen=True)
class Architecture:
    """A registered builder and what users are told about it.

    Attributes:
        name: what recipes call it.
        builder: makes the model.
        paper: where it comes from.
        fitted: fitted to pixels or points at once, by its ``head``, instead of trained by gradient steps.
        medium: what it takes.
    """

    name: str
    builder: Callable[..., SegmentationModel]
    paper: str
    fitted: bool = False
    medium: Medium = "image"

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
    *, paper: str, fitted: bool = False, medium: Medium = "image"
) -> Callable[[Callable[..., SegmentationModel]], Callable[..., SegmentationModel]]:
    """Register a builder under its function name; for the arguments, see `Architecture`."""

    def decorate(builder: Callable[..., SegmentationModel]) -> Callable[..., SegmentationModel]:
        name = builder.__name__
        if name in _architectures:
            raise ValueError(f"two architectures are named {name!r}")
        _architectures[name] = Architecture(name, builder, paper, fitted, medium)
        return builder

    return decorate


def architectures(medium: Medium | None = None) -> dict[str, Architecture]:
    """All registered architectures by name, or those for one medium."""
    from intarsia.models import classical, cloud, image, video  # noqa: F401  (importing the families registers them)

    return {name: found for name, found in sorted(_architectures.items()) if medium in (None, found.medium)}


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
    if "in_channels" in found.options:
        model.in_channels = options.get("in_channels", found.options["in_channels"])
    return model


def _listed(options: dict[str, Any]) -> str:
    return ", ".join(f"{option}={value!r}" for option, value in options.items()) or "its defaults"

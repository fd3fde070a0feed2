"""Contracts of models: `SegmentationModel` for any medium, and `ImageModel` for what is known of pictures alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.media.source import Place
from intarsia.models.encoders.contract import Encoder
from intarsia.models.layers import resize_logits

_HALF = (0.5, 0.5, 0.5)


class Queries(NamedTuple):
    """What a model of masks answers: for each of its Q queries a mask, and a class for all of the mask.

    Attributes:
        classes: (N, Q, C + 1) scores of the classes, "none of them" last.
        masks: (N, Q, h, w) logits of whether a cell belongs to the query.
    """

    classes: Tensor
    masks: Tensor


class Supervised(NamedTuple):
    """Logits that training compares with the target, and the weight of that term.

    The logits may be smaller than the target, which is then shrunk to them without interpolation. Models of masks give
    the queries that the logits are made of, at the logits' resolution, for losses that compare those.
    """

    logits: Tensor
    weight: float
    queries: Queries | None = None


class Penalty(NamedTuple):
    """A scalar that training adds to the loss, and its weight."""

    value: Tensor
    weight: float


class SegmentationModel(nn.Module):
    """Base of every model: ``forward(x)`` maps (N, in_channels, *S) to logits (N, C, *S), whatever the elements are.

    Architectures implement `logits`; those with auxiliary heads, or with losses at other resolutions, implement
    `supervised` as well.

    Attributes:
        in_channels: channels of the input.
        align_corners: where the logits of an architecture lie that are smaller than its input: its resize convention.
        full_precision: its arithmetic does not bear rounding to bfloat16.
        takes_clips: `supervised` takes clips (T, N, in_channels, *S) as well; other models see each frame by itself.
        unexportable: why other runtimes cannot compute it; "" where they can.
        on_grid: its elements lie on a grid, so that its logits may be smaller by a stride and its arithmetic rounded.
        input_name: what its input is called in files of other runtimes.
    """

    in_channels: int = 3
    align_corners: bool = False
    full_precision: bool = False
    takes_clips: bool = False
    unexportable: str = "it is no network of pictures or points"
    on_grid: bool = False
    input_name: str = "image"

    @property
    def base(self) -> SegmentationModel:
        """The model that starting weights are for: this one, but for models that are made around another."""
        return self

    @property
    def backbone(self) -> Encoder | None:
        """The encoder that published weights may be loaded into; None where there is none."""
        return None

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel that suit the model: of inputs that are taken as they are, 0 and 1."""
        return (0.0,) * self.in_channels, (1.0,) * self.in_channels

    def with_base(self, change: Callable[[ImageModel], ImageModel]) -> SegmentationModel:
        """Change the model of pictures that this one is or is made around, in a copy; others stay as they are."""
        return self

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that may train at a rate of their own, because they are often pretrained; here none."""
        return iter(())

    def logits(self, x: Tensor) -> Tensor:
        """(N, in_channels, *S) -> logits (N, C, *s), at a resolution that the architecture chooses."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, *S) -> logits (N, C, *S)."""
        return self.logits(x)

    def supervised(self, x: Tensor) -> tuple[Supervised | Penalty, ...]:
        """What the loss is taken of in training, the logits of `forward` first."""
        return (Supervised(self.forward(x), 1.0),)

    def anneal(self, progress: float) -> None:
        """Take note that a share `progress`, 0..1, of the training is done; a model that is not told is at its end."""

    def remarks(self, x: Tensor) -> list[str]:
        """What users should know of the model on their data, in sentences, from a first input (1, in_channels, *S)."""
        return []


class ImageModel(SegmentationModel):
    """Base of the models of pictures: ``forward(x)`` maps (N, in_channels, H, W) to logits (N, C, H, W) for any H, W.

    Prediction calls `logits_at` and resizes once, straight to the source's size.

    Attributes:
        encoder: the backbone, which may train at a rate of its own.
        margin: pixels on each side of an output that may decide it, for networks of which tiles can give exactly the
            whole image's logits; 0 for those that pad inside.
    """

    unexportable = ""
    on_grid = True
    encoder: nn.Module
    margin: int = 0

    @property
    def base(self) -> ImageModel:
        """The image model that starting weights are for."""
        return self

    def with_base(self, change: Callable[[ImageModel], ImageModel]) -> ImageModel:
        """Change this model, or in a copy the one that it is made around."""
        return change(self)

    @property
    def backbone(self) -> Encoder | None:
        """The encoder, if it tells its stages."""
        encoder = self.encoder
        return encoder if isinstance(encoder, Encoder) else None

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation that suit the encoder, RGB in 0..1; one value each for a model of grey pictures."""
        mean, std = (_HALF, _HALF) if self.backbone is None else (self.backbone.mean, self.backbone.std)
        if self.in_channels == 1:
            return (sum(mean) / len(mean),), (sum(std) / len(std),)
        return mean, std

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """The encoder's."""
        return self.encoder.parameters()

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
        return resize_logits(self.logits(x), x.shape[2:], align_corners=self.align_corners)

    def at_input_size(self, x: Tensor, outputs: Iterable[tuple[Tensor, float]]) -> tuple[Supervised, ...]:
        """Weighted logits, resized to the input: what `supervised` returns where all heads see the whole target."""
        size, corners = x.shape[2:], self.align_corners
        return tuple(
            Supervised(resize_logits(logits, size, align_corners=corners), weight) for logits, weight in outputs
        )


def image_model(model: SegmentationModel) -> ImageModel:
    """Give a model back as one of pictures.

    Raises:
        ModelError: it is a model of something else.
    """
    if not isinstance(model, ImageModel):
        raise ModelError(f"{type(model).__name__} is no model of pictures")
    return model

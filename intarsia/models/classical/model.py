"""The classical model: hand-made features, and a head that was fitted to some of their pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intarsia.errors import DataError, ModelError
from intarsia.media.source import Place
from intarsia.models.classical.features import Features
from intarsia.models.classical.superpixels import average, superpixels
from intarsia.models.contract import ImageModel, SegmentationModel

_STRIP_BYTES = 100_000_000
_LEAST_ROWS = 64
UNLABELLED = -1
FLOOR = 1e-9
"""The smallest probability of which a logarithm is taken: softmax gives the probabilities back to 1e-6."""

Progress = Callable[[str, int, int], None]
"""Told a stage's name, and how many of its parts are done."""


@dataclass(frozen=True)
class FittingData:
    """Pixels to fit a head to.

    Attributes:
        features: (n, F) float32.
        labels: (n,) int64 class indices, `UNLABELLED` where nothing is known.
        weights: (n,) float32, positive, the weight of each pixel.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]


class Head(nn.Module):
    """What is fitted: ``forward`` maps features (F, P) of P pixels to logits (C, P).

    Attributes:
        needs_labels: whether it is fitted to labelled pixels, as many of each class as possible; else to any pixels.
    """

    needs_labels: bool = True

    def fit(self, samples: FittingData, *, seed: int, progress: Progress) -> None:
        """Learn from pixels; the same samples and seed give the same head.

        Raises:
            DataError: there is nothing to learn from these samples.
            UsageError: the package that fits is not installed.
        """
        raise NotImplementedError


class FittedModel(SegmentationModel):
    """What is fitted to elements at once, not trained by steps.

    Attributes:
        head: what is fitted.
    """

    full_precision = True
    head: Head


class Strip(NamedTuple):
    """Rows whose features are computed together: the rows wanted, and those that have to be seen for them."""

    top: int
    bottom: int
    seen_top: int
    seen_bottom: int


class ClassicalModel(FittedModel, ImageModel):
    """Features and a fitted head behind the contract of networks; it is fitted to pixels, not trained by steps.

    Args:
        features: what is known of a pixel.
        head: from features to logits.
        superpixels: pixels of a superpixel, about, over which features are averaged; 0 for none.
    """

    unexportable = "its features and its fitted head are no network; it needs no export to be fast"
    encoder: Features

    def __init__(self, features: Features, head: Head, *, superpixels: int = 0) -> None:
        super().__init__()
        if superpixels < 0:
            raise ModelError(f"superpixels is the number of pixels of one, or 0 for none, not {superpixels}")
        self.encoder, self.head, self._superpixels = features, head, superpixels
        self.margin = 0 if superpixels else features.margin

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """None: features are of intensities in 0..1."""
        channels = 1 if self.in_channels == 1 else 3
        return (0.0,) * channels, (1.0,) * channels

    def logits(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        return self.logits_at(x, Place((0, height), (0, width), (height, width)))

    def logits_at(self, x: Tensor, place: Place) -> Tensor:
        self._check(x)
        return torch.stack([self._one(picture, place) for picture in x])

    def _one(self, picture: Tensor, place: Place) -> Tensor:
        """(in_channels, H, W) -> (C, H, W)."""
        height, width = picture.shape[1:]
        pixels = picture.float().permute(1, 2, 0).cpu().contiguous().numpy()
        parts = [self._strip(pixels, strip, place) for strip in self.strips(height, width)]
        return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)).to(picture)

    def _strip(self, pixels: NDArray[np.float32], strip: Strip, place: Place) -> Tensor:
        seen = pixels[strip.seen_top : strip.seen_bottom]
        device = next(self.parameters()).device
        described, groups = self.describe(seen, strip, within(place, strip, len(pixels)))
        logits: Tensor = self.head(torch.from_numpy(described).to(device))
        if groups is not None:
            logits = logits[:, torch.from_numpy(groups).to(device)]
        return logits.view(len(logits), strip.bottom - strip.top, -1)

    def strips(self, height: int, width: int) -> Iterator[Strip]:
        """Cut a picture into strips whose features fit into some memory; superpixels need the whole picture."""
        rows = height
        if not self._superpixels:
            rows = max(_LEAST_ROWS, _STRIP_BYTES // (4 * len(self.encoder) * width) - 2 * self.encoder.margin)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            yield Strip(top, bottom, max(0, top - self.encoder.margin), min(height, bottom + self.encoder.margin))

    def describe(
        self, seen: NDArray[np.float32], strip: Strip, place: Place
    ) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
        """The features of one strip.

        Args:
            seen: (h, W, in_channels) in 0..1, all the rows that the strip has to see.
            strip: which rows they are.
            place: where the seen rows lie in the whole picture.

        Returns:
            Features (F, P) of the strip's pixels, row by row, and None; with superpixels, their features (F, S) and
            for each pixel the number of its own.
        """
        planes = self.encoder.planes(seen, place)
        wanted = planes[:, strip.top - strip.seen_top : strip.bottom - strip.seen_top]
        if self._superpixels:
            groups = superpixels(seen, self._superpixels)
            return average(wanted, groups), groups.ravel()
        return wanted.reshape(len(wanted), -1), None

    def _check(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ModelError(f"this model takes pictures (N, {self.in_channels}, H, W), not {tuple(x.shape)}")
        if not bool(torch.isfinite(x).all()):
            raise DataError("the picture holds values that are not finite (NaN or infinity); replace them first")


def within(place: Place, strip: Strip, height: int) -> Place:
    """Where the seen rows of a strip lie, of an input of `height` rows at `place`."""
    top, bottom = place.rows
    step = (bottom - top) / height
    return place._replace(rows=(top + strip.seen_top * step, top + strip.seen_bottom * step))

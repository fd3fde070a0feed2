"""What prediction asks of a source of pixels, whatever the medium."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.media.pixels import RGB, resized

Samples = NDArray[np.uint8]
Pixels = Literal["picture", "raster", "volume"]
"""What pixels are, as models see it."""


class Place(NamedTuple):
    """The part of a picture that an input shows, in pixels of the size that the picture has for the model.

    Attributes:
        rows: the first, and the one after the last.
        columns: the first, and the one after the last.
        size: (height, width) of the whole picture.
    """

    rows: tuple[float, float]
    columns: tuple[float, float]
    size: tuple[int, int]

    def mirrored(self) -> Place:
        """The same part in the mirror image."""
        left, right = self.columns
        return self._replace(columns=(self.size[1] - right, self.size[1] - left))


class PixelSource(Protocol):
    """An opened picture, raster, or slice of a volume.

    Attributes:
        name: for messages.
        width: columns.
        height: rows.
        medium: what it is.
    """

    name: str
    width: int
    height: int

    @property
    def medium(self) -> Pixels:
        """What it is."""

    def read(self) -> Samples:
        """All samples, (height, width, C)."""

    def bands(self, edges: Iterable[tuple[int, int]]) -> Iterator[Samples]:
        """Windows of rows (top, bottom), from top to bottom; they may overlap."""

    def thumbnail(self, width: int, height: int) -> Samples:
        """All of it at another size, averaged."""

    def picture(self, samples: Samples) -> RGB:
        """Some of its samples as a picture to look at."""

    def holes(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_] | None:
        """Where a part of it has no data, (height, width); None if nowhere."""


class ArraySource:
    """Samples that are in memory.

    Args:
        samples: (H, W, C) uint8.
        name: for messages.
        medium: what they are.
    """

    def __init__(self, samples: Samples, name: str, medium: Pixels) -> None:
        self._samples = samples
        self.name = name
        self.medium: Pixels = medium
        self.height, self.width = samples.shape[:2]

    def read(self) -> Samples:
        """All samples, (height, width, C)."""
        return self._samples

    def bands(self, edges: Iterable[tuple[int, int]]) -> Iterator[Samples]:
        """Windows of rows (top, bottom)."""
        return (self._samples[top:bottom] for top, bottom in edges)

    def thumbnail(self, width: int, height: int) -> Samples:
        """All of it at another size, averaged."""
        import cv2

        return resized(self._samples, height, width, cv2.INTER_AREA)

    def picture(self, samples: Samples) -> RGB:
        """The middle slice of a volume as grey; of bands the first three, or the first as grey."""
        return as_rgb(samples, self.medium)

    def holes(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_] | None:
        """Arrays are known everywhere."""
        return None


def _colours(count: int) -> slice:
    return slice(3) if count >= 3 else slice(1)


_SHOWN: dict[Pixels, Callable[[int], slice]] = {
    "picture": _colours, "raster": _colours, "volume": lambda count: slice(count // 2, count // 2 + 1),
}  # fmt: skip


def as_rgb(samples: Samples, medium: Pixels) -> RGB:
    """Channels (h, w, C) as a picture to look at: (h, w, 3).

    Of a volume's neighbouring slices the middle one as grey; of a raster's bands the first three, or the first as grey.
    """
    shown = samples[..., _SHOWN[medium](samples.shape[2])]
    return np.ascontiguousarray(np.broadcast_to(shown, (*samples.shape[:2], 3)))

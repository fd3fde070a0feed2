"""The pixels of one picture, twice: rows for the network, and the same rows of the photo beside their labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.inference.pictures.tiling import UNIT
from intarsia.labels import LabelArray
from intarsia.media.source import PixelSource
from intarsia.runtimes.upsampling import Span
from intarsia.transforms.preprocess import resize_image

# A larger picture that is resized for the network is decoded in bands instead of being held in memory.
HELD_PIXELS = 30_000_000


@dataclass(frozen=True)
class Rows:
    """Some rows of a finished prediction, at the picture's own size.

    Attributes:
        top: the first row.
        labels: (h, W) class indices of the label space's type; its `ignore_index` where the picture has no data.
        confidence: (h, W) float16, the winner's softmax probability; None unless the predictor was asked for it.
        image: (h, W, 3) uint8 RGB, the picture's own rows.
        probabilities: (C, h, W) float32, the softmax over all classes; None unless they were asked for.
    """

    top: int
    labels: LabelArray
    confidence: NDArray[np.float16] | None
    image: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None = None


class OwnRows:
    """The network sees the picture at its own size, so each window serves for both.

    Args:
        reader: the picture.
        rows: spans of the network's windows.
    """

    def __init__(self, reader: PixelSource, rows: list[Span]) -> None:
        self._reader, self._rows = reader, rows
        self._window: NDArray[np.uint8]
        self._start = 0

    def windows(self) -> Iterator[NDArray[np.uint8]]:
        """The pixels (h, W, C) of each span."""
        # Interpolation delays the last labels of a window until the next has come, hence a margin above each.
        edges = [(max(0, top - UNIT), bottom) for top, bottom in self._rows]
        for row, edge, window in zip(self._rows, edges, self._reader.bands(edges), strict=True):
            self._start, self._window = edge[0], window
            yield window[row[0] - edge[0] :]

    def photo(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """Rows of the picture that lie in the latest window or its margin."""
        return self._window[top - self._start : bottom - self._start]


class ResizedRows:
    """The network sees the picture resized; the resized one is held whole, the picture itself only when it is small.

    Args:
        reader: the picture.
        size: the (height, width) that the network sees.
        rows: spans of the network's windows, at that size.
        plan: the bands that `photo` will be asked for, in order.
    """

    def __init__(self, reader: PixelSource, size: Span, rows: list[Span], plan: list[list[Span]]) -> None:
        self._rows = rows
        bands = [band for group in plan for band in group]
        if reader.height * reader.width <= HELD_PIXELS:
            image = reader.read()
            self._resized = resize_image(image, *size)
            self._photos: Iterator[NDArray[np.uint8]] = (image[top:bottom] for top, bottom in bands)
        else:
            self._resized = reader.thumbnail(size[1], size[0])
            self._photos = reader.bands(bands)

    def windows(self) -> Iterator[NDArray[np.uint8]]:
        """The resized pixels (h, w, C) of each span."""
        return (self._resized[top:bottom] for top, bottom in self._rows)

    def photo(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """The next band of the picture itself."""
        return next(self._photos)

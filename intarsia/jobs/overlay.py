"""Overlays written band by band; of very large pictures a reduced one."""

from __future__ import annotations

import os

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import write_image
from intarsia.result.renders import blend

FULL_PIXELS = 25_000_000
_REDUCED_SIDE = 4096
_JPEG_SIDE = 65_000


class OverlayWriter:
    """Collect a picture's overlay from bands; above 25 megapixels reduced to at most 4096 pixels on the longer side.

    Args:
        width: columns of the picture.
        height: rows of the picture.
        space: gives the colours.
        opacity: 0 (photo) to 1 (colours).
    """

    def __init__(self, width: int, height: int, space: LabelSpace, opacity: float) -> None:
        self._space, self._opacity = space, opacity
        longer = max(width, height)
        reduce = width * height > FULL_PIXELS or longer > _JPEG_SIDE
        self._factor = -(-longer // _REDUCED_SIDE) if reduce else 1
        self._image = np.empty((-(-height // self._factor), -(-width // self._factor), 3), dtype=np.uint8)
        self._filled = 0
        self._rest = np.empty((0, width, 3), dtype=np.uint8)

    def add(self, photo: NDArray[np.uint8], labels: LabelArray) -> None:
        """Append the next rows of the picture (h, W, 3) and their labels (h, W)."""
        rows = blend(photo, labels, self._space, self._opacity)
        if len(self._rest):
            rows = np.concatenate([self._rest, rows])
        whole = len(rows) // self._factor * self._factor
        self._put(rows[:whole])
        self._rest = rows[whole:].copy()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the overlay after the last rows, whole or not at all."""
        self._put(self._rest)
        write_image(path, self._image)

    def _put(self, rows: NDArray[np.uint8]) -> None:
        if not len(rows):
            return
        count = -(-len(rows) // self._factor)
        if self._factor > 1:
            size = (self._image.shape[1], count)
            rows = np.asarray(cv2.resize(rows, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        self._image[self._filled : self._filled + count] = rows
        self._filled += count

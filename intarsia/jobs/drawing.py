"""Drawings of labels written row by row; of very large pictures a reduced one."""

from __future__ import annotations

import os

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray
from intarsia.media.images import write_image
from intarsia.result import Render, Style

FULL_PIXELS = 25_000_000
_REDUCED_SIDE = 4096
_JPEG_SIDE = 65_000


def reduction(width: int, height: int) -> int:
    """How many times smaller than the picture its drawing is, along each side; 1: as large."""
    longer = max(width, height)
    return -(-longer // _REDUCED_SIDE) if width * height > FULL_PIXELS or longer > _JPEG_SIDE else 1


class Drawing:
    """Collect a picture's drawing from rows; above 25 megapixels reduced to at most 4096 pixels on the longer side.

    What needs the whole picture is drawn at the end, over the reduced one where it is that large.

    Args:
        width: columns of the picture.
        height: rows of the picture.
        render: draws.
        style: how.

    Attributes:
        drawer: draws, and tells what it saw.
    """

    def __init__(self, width: int, height: int, render: Render, style: Style) -> None:
        self._render, self._style = render, style
        self.drawer = render.begin()
        self._factor = reduction(width, height)
        channels = 4 if render.alpha and not render.whole else 3
        self._image = np.empty((-(-height // self._factor), -(-width // self._factor), channels), dtype=np.uint8)
        self._filled = 0
        self._rest = np.empty((0, width, channels), dtype=np.uint8)
        self._above: tuple[NDArray[np.uint8], LabelArray] | None = None
        self._labels: list[LabelArray] = []
        self._seen = 0

    def add(self, photo: NDArray[np.uint8], labels: LabelArray) -> None:
        """Append the next rows of the picture (h, W, 3) and their labels (h, W)."""
        rows = photo if self._render.whole else self._drawn(photo, labels)
        if self._render.whole:
            self._labels.append(labels[-self._seen % self._factor :: self._factor, :: self._factor].copy())
            self._seen += len(labels)
        if len(self._rest):
            rows = np.concatenate([self._rest, rows])
        whole = len(rows) // self._factor * self._factor
        self._put(rows[:whole])
        self._rest = rows[whole:].copy()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing after the last rows, whole or not at all."""
        self._put(self._rest)
        image = self._image
        if self._render.whole:
            image = self.drawer.draw(image, np.concatenate(self._labels, dtype=self._style.space.dtype), self._style)
        write_image(path, image)

    def _drawn(self, photo: NDArray[np.uint8], labels: LabelArray) -> NDArray[np.uint8]:
        """The rows drawn, with as many above them as the render looks at."""
        above = self._render.above
        if not above:
            return self.drawer.draw(photo, labels, self._style)
        if self._above is not None:
            photo = np.concatenate([self._above[0], photo])
            labels = np.concatenate([self._above[1], labels])
        known = 0 if self._above is None else len(self._above[0])
        self._above = photo[-above:].copy(), labels[-above:].copy()
        return self.drawer.draw(photo, labels, self._style)[known:]

    def _put(self, rows: NDArray[np.uint8]) -> None:
        if not len(rows):
            return
        count = -(-len(rows) // self._factor)
        if self._factor > 1:
            size = (self._image.shape[1], count)
            rows = np.asarray(cv2.resize(rows, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        self._image[self._filled : self._filled + count] = rows
        self._filled += count

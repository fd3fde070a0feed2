"""Square: a part of a picture that is looked at in a fixed number of pixels, and the halved copies it is cut from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.clicks.view import Mask
from intarsia.labels import LabelArray
from intarsia.media.pixels import RGB

_GREY = (114, 114, 114)  # where the picture has ended

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are the first that are not in it."""


@dataclass(frozen=True)
class Square:
    """A part of a picture, seen as cells.

    Attributes:
        left: of its border, in pixels of the picture, whose own begin at 0.
        top: of its border.
        length: of its side, in pixels of the picture.
        cells: along its side.
    """

    left: float
    top: float
    length: float
    cells: int

    @classmethod
    def around(cls, box: Box, length: float, size: tuple[int, int], cells: int) -> Square:
        """Centre a square of some length on a box, moved to where the picture of `size` (H, W) is."""
        middles = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        left, top = (
            min(max(middle - length / 2, 0.0), side - length) if length <= side else (side - length) / 2
            for middle, side in zip(middles, size[::-1], strict=True)
        )
        return cls(left, top, length, cells)

    @property
    def scale(self) -> float:
        """Pixels of the picture that a cell is wide."""
        return self.length / self.cells

    def to_cells(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the picture lies, in cells; whole numbers are the middles of both."""
        return (x + 0.5 - self.left) / self.scale - 0.5, (y + 0.5 - self.top) / self.scale - 0.5

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """The cell (column, row) that holds a pixel of the picture, or the nearest one."""
        across, down = (min(max(round(value), 0), self.cells - 1) for value in self.to_cells(x, y))
        return across, down

    def holds(self, x: float, y: float) -> bool:
        """Whether a pixel of the picture lies in it."""
        return all(-0.5 <= value < self.cells - 0.5 for value in self.to_cells(x, y))

    def box(self, mask: Mask, size: tuple[int, int]) -> Box:
        """The pixels of a picture of `size` (H, W) that the cells of a mask (S, S), which are some, touch."""
        columns, rows = (np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1))
        edges = (
            self.left + self.scale * columns[0], self.top + self.scale * rows[0],
            self.left + self.scale * (columns[-1] + 1), self.top + self.scale * (rows[-1] + 1),
        )  # fmt: skip
        left, top = (max(int(np.floor(edge)), 0) for edge in edges[:2])
        right, bottom = (min(int(np.ceil(edge)), side) for edge, side in zip(edges[2:], size[::-1], strict=True))
        return left, top, right, bottom

    def labels(self, labels: LabelArray) -> tuple[LabelArray, Mask]:
        """Labels (S, S) of the pixels in the cells' middles, and where the picture is."""
        steps = (np.arange(self.cells) + 0.5) * self.scale
        height, width = labels.shape
        rows, columns = (np.floor(start + steps).astype(np.intp) for start in (self.top, self.left))
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        return labels[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))], inside

    def spread(self, values: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
        """Interpolate values of cells (S, S) at the pixels of a box."""
        left, top, right, bottom = box
        across, down = self.to_cells(left, top)
        step = 1 / self.scale
        matrix = np.array([[step, 0, across], [0, step, down]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        made = cv2.warpAffine(
            values, matrix, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(made, np.uint8)


class Halves:
    """A picture and copies of it at a half, a quarter, ... of its size, made when they are first wanted.

    Args:
        image: (H, W, 3).
    """

    def __init__(self, image: RGB) -> None:
        self._levels = [image]

    @property
    def bytes(self) -> int:
        """What all copies may come to hold."""
        return self._levels[0].nbytes * 4 // 3

    def cut(self, square: Square) -> RGB:
        """The pixels of a square, (S, S, 3)."""
        level = max(0, int(np.floor(np.log2(square.scale)))) if square.scale > 1 else 0
        while len(self._levels) <= level:
            height, width = self._levels[-1].shape[:2]
            size = (max(1, width // 2), max(1, height // 2))
            self._levels.append(np.asarray(cv2.resize(self._levels[-1], size, interpolation=cv2.INTER_AREA), np.uint8))
        source = self._levels[level]
        grow = np.array(self._levels[0].shape[1::-1]) / source.shape[1::-1]  # of pixels of the picture to the level's
        step = square.scale / grow
        start = (np.array([square.left, square.top]) + 0.5 * square.scale) / grow - 0.5
        matrix = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(source, matrix, (square.cells,) * 2, flags=flags, borderValue=_GREY), np.uint8)

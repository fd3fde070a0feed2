"""Where the pixels of an image lie between the cells of a network's logits, along one side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


class Blocks(NamedTuple):
    """The pixels between the same two cells, block by block.

    Attributes:
        before: the first cell of each block.
        after: the second cell of each block.
        start: the first pixel of each block.
        size: pixels of each block.
        of: the block of each pixel.
    """

    before: Indices
    after: Indices
    start: Indices
    size: Indices
    of: Indices


@dataclass(frozen=True)
class Axis:
    """The cells on both sides of each pixel of a line.

    Attributes:
        cells: how many there are.
        before: the first cell of each pixel.
        after: the second cell of each pixel; at the border the first one again.
        share: float32, how much the second counts, 0 to 1.
    """

    cells: int
    before: Indices
    after: Indices
    share: NDArray[np.float32]

    @classmethod
    def of(cls, cells: int, size: int, *, align_corners: bool) -> Self:
        """Place `size` pixels between some cells.

        Args:
            cells: of the logits.
            size: pixels.
            align_corners: whether the middles of the outermost pixels and cells coincide, rather than their edges.
        """
        places = np.arange(size, dtype=np.float64)
        corners, edges = (cells - 1) / max(size - 1, 1), cells / size
        position = places * corners if align_corners else (places + 0.5) * edges - 0.5
        floor = np.floor(position)
        before = floor.astype(np.intp)
        after = np.minimum(before + 1, cells - 1)
        return cls(cells, np.maximum(before, 0), after, (position - floor).astype(np.float32))

    @property
    def size(self) -> int:
        """Pixels."""
        return len(self.before)

    @property
    def is_plain(self) -> bool:
        """Whether each pixel is a cell."""
        return self.size == self.cells

    @cached_property
    def blocks(self) -> Blocks:
        """The pixels by the cells that they lie between."""
        sides = self.before + self.after  # both rise, so their sum tells the pairs apart
        _, start, of, count = np.unique(sides, return_index=True, return_inverse=True, return_counts=True)
        return Blocks(self.before[start], self.after[start], start, count, of)

    def part(self, pixels: slice | Indices, first: int = 0) -> Axis:
        """Some of the pixels, on the cells from `first` on."""
        before, after = self.before[pixels] - first, self.after[pixels] - first
        return Axis(self.cells - first, before, after, self.share[pixels])

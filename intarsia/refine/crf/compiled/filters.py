"""Gaussian filters over all elements, on the lattice or on a picture's grid, as `MeanField` uses them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.refine.crf import permutohedral
from intarsia.refine.crf.compiled import grid, lattice
from intarsia.refine.crf.compiled.blocks import Blocks
from intarsia.refine.crf.kernels import WIDEST_CONVOLUTION, Features, Grid, Kernel, sides

Floats = NDArray[np.float32]

_ONES = 4  # lanes in which the sum of kernel values is filtered


class Filter(Protocol):
    """A normalised Gaussian filter, in two steps: take all values, then give results from the first element on.

    Values may be overwritten as far as results were given. A filter holds what it works on, so that only one thread may
    use it.

    Attributes:
        count: number of elements.
        unit: results are given for multiples of this many elements.
    """

    count: int
    unit: int

    def begin(self, values: Blocks) -> None:
        """Take the values of all elements."""

    def add(self, out: Blocks, first: int, factor: float) -> None:
        """Add `factor` times the results of the elements from `first` on to `out`, for as many as it holds."""


def build(kernel: Kernel) -> Filter:
    """The filter for a kernel, by the faster of two ways."""
    if isinstance(kernel, Grid):
        return GridFilter(kernel) if max(kernel.sigma) <= WIDEST_CONVOLUTION else LatticeFilter(kernel.features())
    return LatticeFilter(kernel)


class LatticeFilter:
    """Splat, blur and slice on the permutohedral lattice; see `lattice`."""

    unit = 1

    def __init__(self, kernel: Features) -> None:
        dims, self.count = kernel.values.shape
        positions = np.zeros((dims, -(-self.count // lattice.WIDTH) * lattice.WIDTH), np.float32)
        np.multiply(kernel.values, permutohedral.scale(dims)[:, None], out=positions[:, : self.count])
        keys = permutohedral.keys(dims)
        self._corners = np.empty((self.count, dims + 1), np.int32)
        weights = np.empty((self.count, dims + 1), np.float32)
        sums, table = lattice.embed(positions, keys, self._corners, weights)
        del positions
        self._points = len(sums)
        self._chains = lattice.link(sums, table, keys)
        del sums, table
        before, after = sides(self._sums(weights), kernel.normalisation)
        if kernel.normalisation == "symmetric":
            weights *= before[:, None]
            self._before = self._after = weights
            self._gain = 1.0
        else:
            self._before, self._after = weights * before[:, None], weights * after[:, None]
            self._gain = permutohedral.gain(dims) if kernel.normalisation == "none" else 1.0
        self._lattice = Blocks(1, 1)

    def begin(self, values: Blocks) -> None:
        if (self._lattice.classes, self._lattice.count) != (values.classes, self._points):
            self._lattice = Blocks(values.classes, self._points)
        for index, lanes in enumerate(values.lanes):
            compiled, points = lattice.filters(lanes), self._lattice.block(index)
            compiled.splat(values.block(index), self._corners, self._before, points)
            compiled.blur(points, self._chains)

    def add(self, out: Blocks, first: int, factor: float) -> None:
        rows = slice(first, first + out.count)
        for index, lanes in enumerate(out.lanes):
            lattice.filters(lanes).slice(
                self._lattice.block(index), self._corners[rows], self._after[rows], np.float32(factor * self._gain),
                out.block(index),
            )  # fmt: skip

    def _sums(self, weights: Floats) -> Floats:
        """Compute what the filter makes of ones: the sum of kernel values at each element."""
        compiled = lattice.filters(_ONES)
        points, sums = np.empty(self._points * _ONES, np.float32), np.zeros(self.count * _ONES, np.float32)
        compiled.splat(np.ones(self.count * _ONES, np.float32), self._corners, weights, points)
        compiled.blur(points, self._chains)
        compiled.slice(points, self._corners, weights, np.float32(1), sums)
        return sums[::_ONES].copy()


class GridFilter:
    """Two one-dimensional convolutions; see `grid`. Rows are convolved across shortly before they are needed."""

    def __init__(self, kernel: Grid) -> None:
        self.count = kernel.count
        self._height, self.unit = kernel.size
        self._across = kernel.taps(1)
        before_x, after_x = sides(kernel.sums(1), kernel.normalisation)
        self._before, self._after = before_x.astype(np.float32), after_x.astype(np.float32)
        taps = kernel.taps(0)
        self._reach = len(taps) - 1
        before_y, after_y = sides(kernel.sums(0), kernel.normalisation)
        # Each row's own taps, with both normalisations in them.
        padded = np.pad(before_y, self._reach)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * self._reach + 1)
        self._down = np.ascontiguousarray(windows * np.concatenate([taps[:0:-1], taps]) * after_y[:, None], np.float32)
        self._values: Blocks
        # Rows of the picture from `start` to `end` that have been convolved across.
        self._rows = Blocks(1, 1)
        self._start, self._end = 0, 0

    def begin(self, values: Blocks) -> None:
        self._values = values
        self._start, self._end = -self._reach, 0

    def add(self, out: Blocks, first: int, factor: float) -> None:
        top, bottom = first // self.unit, (first + out.count) // self.unit
        start, end = top - self._reach, min(self._height, bottom + self._reach)
        room = (bottom + self._reach - start) * self.unit
        if self._rows.classes != out.classes or self._rows.count < room:
            self._rows = Blocks(out.classes, room)
        moved, kept = start - self._start, self._end - start
        scaled = self._down[top:bottom] * np.float32(factor)
        for index, lanes in enumerate(out.lanes):
            compiled, rows, row = grid.filters(lanes), self._rows.block(index), self.unit * lanes
            # Above the picture and below it there is nothing.
            rows[: kept * row] = 0 if top == 0 else rows[moved * row : (moved + kept) * row]
            padded = np.empty((self.unit + 2 * self._across.size) * lanes, np.float32)
            new = self._values.block(index, self._end * self.unit, end * self.unit)
            compiled.across(new, self._before, self._across, padded, rows[kept * row : (end - start) * row])
            rows[(end - start) * row : room * lanes] = 0
            compiled.down(rows, self._after, scaled, out.block(index))
        self._start, self._end = start, end

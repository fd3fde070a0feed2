"""Gaussian filtering on a picture's own grid, as two exact one-dimensional convolutions.

For a standard deviation of one or two pixels this is faster than the permutohedral lattice, which then has more points
than the picture has pixels, and it is exact.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intarsia.refine.crf.compiled.simd import add, add_scaled, broadcast, flush, load, store
from intarsia.refine.crf.kernels import LEAST_VALUE

Floats = NDArray[np.float32]

_LEAST = np.float32(LEAST_VALUE)


@cache
def filters(lanes: int) -> SimpleNamespace:
    """Compiled filters for values that are stored as rows of `lanes` float32, one row a pixel."""

    @njit(cache=True, nogil=True)
    def across(values: Floats, norm: Floats, taps: Floats, padded: Floats, out: Floats) -> None:
        """Convolve along the columns: out[x] = sum over k of taps[|k|] norm[x + k] values[x + k], zero outside.

        Args:
            values: rows of `norm.size` pixels.
            norm: factor of each column.
            taps: the kernel from its centre on.
            padded: room for one row and ``taps.size - 1`` pixels on both sides of it.
            out: like `values`.
        """
        width, reach = norm.size, taps.size - 1
        zero = broadcast(np.float32(0), lanes)
        for x in range(reach):
            store(padded, x * lanes, zero)
            store(padded, (reach + width + x) * lanes, zero)
        for row in range(0, values.size, width * lanes):
            for x in range(width):
                scaled = add_scaled(zero, norm[x], flush(load(values, row + x * lanes, lanes), _LEAST))
                store(padded, (reach + x) * lanes, scaled)
            for x in range(width):
                centre = (reach + x) * lanes
                value = add_scaled(zero, taps[0], load(padded, centre, lanes))
                for k in range(1, reach + 1):
                    pair = add(load(padded, centre - k * lanes, lanes), load(padded, centre + k * lanes, lanes))
                    value = add_scaled(value, taps[k], pair)
                store(out, row + x * lanes, value)

    @njit(cache=True, nogil=True)
    def down(rows: Floats, norm: Floats, taps: Floats, out: Floats) -> None:
        """Add the sum over k of ``taps[y, k] * rows[y + k]`` times each column's norm to row y of `out`.

        Args:
            rows: rows of `norm.size` pixels; taps.shape[1] - 1 more than `out` has.
            norm: factor of each column.
            taps: (rows of `out`, kernel size), every row's own weights.
            out: what is added to.
        """
        width = norm.size
        zero = broadcast(np.float32(0), lanes)
        for y in range(taps.shape[0]):
            for x in range(width):
                value = zero
                for k in range(taps.shape[1]):
                    value = add_scaled(value, taps[y, k], load(rows, ((y + k) * width + x) * lanes, lanes))
                place = (y * width + x) * lanes
                store(out, place, add_scaled(load(out, place, lanes), norm[x], value))

    return SimpleNamespace(across=across, down=down)

"""Columns: all points above a square of the ground, found fast; and how large the square should be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from intarsia.transforms.clouds.geometry import Floats

Index = NDArray[np.int64]
_MOST_ROWS = 1 << 20


class Columns:
    """Points sorted into square cells of the ground, for queries by square.

    Args:
        xyz: (N, 3).
        side: of the squares that will be asked for, in metres.
    """

    def __init__(self, xyz: Floats, side: float) -> None:
        self._xy = xyz[:, :2]
        self.side = side
        self.low, self.high = self._xy.min(axis=0), self._xy.max(axis=0)
        self._cell = max(side / 4, float((self.high - self.low).max()) / _MOST_ROWS)
        cells = self._cells(self._xy)
        self._width = int(cells[:, 1].max()) + 1
        keys = cells[:, 0] * self._width + cells[:, 1]
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def around(self, centre: NDArray[np.floating]) -> Index:
        """Rising indices of the points in the square around a centre (x, y); its border belongs to it."""
        half = self.side / 2
        low, high = self._cells(np.stack([centre - half, centre + half]))
        first, last = max(0, int(low[1])), min(self._width - 1, int(high[1]))
        if first > last:
            return np.empty(0, dtype=np.int64)
        rows = np.arange(max(0, int(low[0])), int(high[0]) + 1) * self._width
        starts = np.searchsorted(self._keys, rows + first, "left")
        ends = np.searchsorted(self._keys, rows + last, "right")
        found = np.concatenate([self._order[a:b] for a, b in zip(starts, ends, strict=True)] or [self._order[:0]])
        inside = (np.abs(self._xy[found] - centre) <= half).all(axis=1)
        return np.sort(found[inside])

    def centres(self, stride: float) -> Iterator[Floats]:
        """Centres of squares that overlap by `side` - `stride` and together cover all points; empty ones are left out.

        They lie at whole multiples of the stride, so that parts of a scene get the same squares as the whole.
        """
        first, last = np.floor(self.low / stride), np.ceil(self.high / stride)
        occupied = np.unique(np.floor(self._xy / stride).astype(np.int64), axis=0)
        corners = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
        near = np.unique((occupied[:, None] + corners).reshape(-1, 2), axis=0)
        near = near[(near >= first).all(axis=1) & (near <= last).all(axis=1)]
        for centre in near:
            yield (centre * stride).astype(np.float32)

    def _cells(self, xy: NDArray[np.floating]) -> NDArray[np.int64]:
        cells: NDArray[np.int64] = np.floor((xy - self.low) / self._cell).astype(np.int64)
        return cells


def occupancy(xyz: Floats, side: float) -> Index:
    """Count the points that share a square of the ground with each point (N, 3), itself included.

    The squares lie at whole multiples of their side, so that parts of a scene get the same answer as the whole.
    """
    _, place, counts = np.unique(_keys(xyz, side), return_inverse=True, return_counts=True)
    found: Index = counts[place]
    return found


def _keys(xyz: Floats, side: float) -> Index:
    """One number a square: the same for points of the same one."""
    cells = np.floor(xyz[:, :2] / side).astype(np.int64)
    cells -= cells.min(axis=0)
    keys: Index = cells[:, 0] * (int(cells[:, 1].max()) + 1) + cells[:, 1]
    return keys


def density(xyz: Floats, cell: float) -> float:
    """Points per square metre of occupied ground, from cells of side `cell`."""
    return len(xyz) / (len(np.unique(_keys(xyz, cell))) * cell * cell)


def block_for(xyz: Floats, points: int) -> float:
    """Side in metres of a square column that holds about `points` points, to two digits.

    The density is measured with cells of the column's own size: two rounds are enough.
    """
    extent = float(np.ptp(xyz[:, :2], axis=0).max())
    if extent == 0:
        return 1.0
    side = extent
    for _ in range(3):
        side = min(extent, float(np.sqrt(points / density(xyz, max(side / 4, extent / 4096)))))
    return float(f"{max(side, 1e-3):.2g}")

"""The regions of a label map of any height, traced band by band: their corners are held, and their pixels are not.

Every corner of an outline ends one horizontal and one vertical edge. Along a line of the grid, the corners of a region
that lies on one side of it are ends of edges in turn: sorted, each is joined with its neighbour, and following the two
joints of each corner goes around a ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Long = NDArray[np.int64]

BAND_PIXELS = 1 << 21
"""Pixels that are looked at together; about 30 bytes for each of them are held."""

_OUTSIDE = -1
_CORNER = np.dtype([("region", np.int32), ("x", np.int32), ("y", np.int32), ("kind", np.uint8)])
_RIGHT, _BELOW = 1, 2  # bits of a corner's kind: where the region lies from its vertical and its horizontal edge
_WAITING = 1 << 20  # corners that are worked on at a time: those of finished regions are joined when so many wait
_SIDE_BITS = 19


@dataclass(frozen=True)
class Region:
    """A 4-connected region of equal labels.

    Attributes:
        label: of its pixels.
        pixels: how many there are.
        rings: corners (n, 2) as x and y in pixels from the map's upper left corner, not closed; the outer ring first,
            counter-clockwise on a map whose rows go south, then the holes, clockwise.
        areas: of the rings, in pixels.
    """

    label: int
    pixels: int
    rings: list[Ints]
    areas: list[float]


def trace(bands: Iterable[NDArray[Any]]) -> Iterator[Region]:
    """Trace the regions of a map, given as bands of rows (h, width) from top to bottom.

    Regions that touch by a corner alone are several; where one touches itself, its outer ring and a hole meet.
    """
    tracer: _Tracer | None = None
    for band in bands:
        tracer = tracer or _Tracer(band.shape[1])
        tracer.add(band)
        if tracer.is_full:
            yield from tracer.finished()
    if tracer is not None:
        tracer.end()
        yield from tracer.finished()


class _Tracer:
    """What is known of the regions that may go on below the last row."""

    def __init__(self, width: int) -> None:
        self._above = np.full((1, width + 2), _OUTSIDE, np.int32)  # the last row's labels, with a column on both sides
        self._numbers = self._above.copy()  # and the regions that its pixels belong to
        self._parent = np.empty(0, np.int32)  # of each region: itself, or one that it turned out to be a part of
        self._labels, self._pixels = np.empty(0, np.int32), np.empty(0, np.int64)
        self._corners = np.empty(2 * _WAITING, _CORNER)  # in one place: many small ones would leave the heap in pieces
        self._rows = self._count = self._open = 0

    @property
    def is_full(self) -> bool:
        """Whether enough corners came since regions were finished last, next to those that were left."""
        return self._count - self._open > max(_WAITING, self._open // 4)

    def add(self, band: NDArray[Any]) -> None:
        """Look at the next rows (h, width)."""
        labels = np.pad(band.astype(np.int32), ((0, 0), (1, 1)), constant_values=_OUTSIDE)
        numbers = np.pad(self._numbered(labels[:, 1:-1]), ((0, 0), (1, 1)), constant_values=_OUTSIDE)
        self._see(np.concatenate([self._above, labels]), np.concatenate([self._numbers, numbers]))
        self._above, self._numbers = labels[-1:].copy(), numbers[-1:].copy()
        self._rows += len(band)

    def end(self) -> None:
        """See the border below the last row."""
        nothing = np.full_like(self._above, _OUTSIDE)
        self._see(np.concatenate([self._above, nothing]), np.concatenate([self._numbers, nothing]))
        self._above = self._numbers = nothing

    def finished(self) -> Iterator[Region]:
        """Give the regions that do not reach the last row, and forget them."""
        roots = self._root(np.arange(len(self._parent), dtype=np.int32))
        pixels = np.bincount(roots, self._pixels, len(roots)).astype(np.int64)
        inside = self._numbers >= 0
        going_on = np.unique(roots[self._numbers[inside]])
        places = np.full(len(roots), _OUTSIDE, np.int32)
        places[going_on] = np.arange(len(going_on))
        corners = self._corners[: self._count]
        corners["region"] = roots[corners["region"]]
        left = places[corners["region"]] >= 0
        done = [corners[~left]]
        self._open = self._count = int(left.sum())
        self._corners[: self._open] = corners[left]
        corners = self._corners[: self._open]
        corners["region"] = places[corners["region"]]
        del corners, left
        self._numbers[inside] = places[roots[self._numbers[inside]]]
        labels, self._labels, self._pixels = self._labels, self._labels[going_on], pixels[going_on]
        self._parent = np.arange(len(going_on), dtype=np.int32)
        for number, rings, areas in _joined(done):
            yield Region(int(labels[number]), int(pixels[number]), rings, areas)

    def _root(self, numbers: Ints) -> Ints:
        while True:
            found = self._parent[numbers]
            if np.array_equal(found, numbers):
                return found
            numbers = found

    def _numbered(self, labels: Ints) -> Ints:
        """The region of each pixel (h, width); those of the row above go on where the labels do."""
        starts = np.ones(labels.shape, bool)
        np.not_equal(labels[:, 1:], labels[:, :-1], out=starts[:, 1:])
        runs = np.cumsum(starts, dtype=np.int32).reshape(labels.shape) - np.int32(1)
        same = (labels[1:] == labels[:-1]) & (starts[1:] | starts[:-1])
        above = self._numbers[0, 1:-1]
        known, carried = np.unique(self._root(above[above >= 0]), return_inverse=True)
        goes_on = (self._above[0, 1:-1] == labels[0])[above >= 0]
        first, count = np.flatnonzero(starts), int(runs[-1, -1]) + 1
        roots = _components(
            count + len(known),
            np.concatenate([runs[:-1][same], runs[0, above >= 0][goes_on]]),
            np.concatenate([runs[1:][same], (count + carried[goes_on]).astype(np.int32)]),
        )
        # A part has the lowest number of the regions that reach into it, or a new one.
        number = np.full(count + len(known), np.iinfo(np.int32).max, np.int32)
        into = roots[count:]
        np.minimum.at(number, into, known.astype(np.int32))
        self._parent[known] = number[into]
        new = np.flatnonzero((roots[:count] == np.arange(count)) & (number[:count] == np.iinfo(np.int32).max))
        number[new] = len(self._parent) + np.arange(len(new))
        self._parent = np.concatenate([self._parent, number[new]])
        self._labels = np.concatenate([self._labels, labels.ravel()[first[new]]])
        found = number[roots[:count]]
        lengths = np.diff(first, append=labels.size)
        self._pixels = np.concatenate([self._pixels, np.zeros(len(new), np.int64)])
        self._pixels += np.bincount(found, lengths, len(self._pixels)).astype(np.int64)
        numbers: Ints = found[runs]
        return numbers

    def _see(self, labels: Ints, numbers: Ints) -> None:
        """Find the corners between rows (h + 1, width + 2), the first of which lies above the latest ones."""
        parts = (labels[:-1, :-1], labels[:-1, 1:], labels[1:, :-1], labels[1:, 1:])
        flat = (parts[0] == parts[1]) & (parts[2] == parts[3])
        flat |= (parts[0] == parts[2]) & (parts[1] == parts[3])
        y, x = np.nonzero(~flat)
        four = [part[y, x] for part in parts]
        of = [part[y, x] for part in (numbers[:-1, :-1], numbers[:-1, 1:], numbers[1:, :-1], numbers[1:, 1:])]
        for kind in range(4):
            own, beside, over, across = (four[kind ^ bits] for bits in (0, _RIGHT, _BELOW, _RIGHT | _BELOW))
            convex = (own != beside) & (own != over)
            concave = (own == beside) & (own == over) & (own != across)
            found = np.flatnonzero((convex | concave) & (of[kind] >= 0))
            end = self._count + len(found)
            if end > len(self._corners):
                self._corners = np.concatenate([self._corners, np.empty(end, _CORNER)])
            corners = self._corners[self._count : end]
            corners["region"], corners["kind"] = of[kind][found], kind
            corners["x"], corners["y"] = x[found], y[found] + self._rows
            self._count = end


def _components(count: int, one: Ints, other: Ints) -> Ints:
    """The lowest node of the component of each of `count` nodes, given the ends of the edges."""
    parent = np.arange(count, dtype=np.int32)
    while len(one):
        low, high = np.minimum(parent[one], parent[other]), np.maximum(parent[one], parent[other])
        apart = low != high
        if not apart.any():
            break
        one, other, low, high = one[apart], other[apart], low[apart], high[apart]
        np.minimum.at(parent, high, low)
        while not np.array_equal(up := parent[parent], parent):
            parent = up
    return parent


def _joined(parts: list[NDArray[Any]]) -> Iterator[tuple[int, list[Ints], list[float]]]:
    """The rings of each region, and their areas, from all of its corners; the list of them is emptied."""
    corners = np.concatenate(parts)
    parts.clear()
    if not len(corners):
        return
    regions, rank, x, y, kind = _sorted(corners)
    del corners
    # Where a region touches itself, its corners change their vertical edges, and the outer ring parts from the hole.
    twice = np.flatnonzero((x[1:] == x[:-1]) & (y[1:] == y[:-1]) & (rank[1:] == rank[:-1]))
    kind[twice] ^= _RIGHT
    kind[twice + 1] ^= _RIGHT
    across = _partners(_key(rank * 2 + (kind & _BELOW > 0), y, x))
    down = _partners(_key(rank * 2 + (kind & _RIGHT), x, y))
    order, starts = _around(across, down)
    del across, down, kind
    ends = np.append(starts[1:], len(order))
    owners = rank[order[starts]]
    points = np.stack([x[order], y[order]], axis=1)
    del order, rank, x, y
    firsts = np.searchsorted(owners, np.arange(len(regions) + 1))
    for index, number in enumerate(regions):
        rings = [points[starts[ring] : ends[ring]] for ring in range(firsts[index], firsts[index + 1])]
        signed = [_area(ring) for ring in rings]
        largest = sorted(range(len(rings)), key=lambda ring: -abs(signed[ring]))
        turned = [rings[at] if (signed[at] < 0) == (at == largest[0]) else rings[at][::-1] for at in largest]
        yield int(number), turned, [abs(signed[at]) for at in largest]


def _sorted(corners: NDArray[Any]) -> tuple[Ints, Ints, Ints, Ints, NDArray[np.uint8]]:
    """The regions, and each corner's place among them, x, y and kind: region by region, row by row."""
    regions, rank = np.unique(corners["region"], return_inverse=True)
    rank = rank.astype(np.int32)
    order = np.argsort(_key(rank, corners["y"], corners["x"]), kind="stable").astype(np.int32)
    return regions, np.asarray(rank[order], np.int32), corners["x"][order], corners["y"][order], corners["kind"][order]


def _area(ring: Ints) -> float:
    """Area that corners (n, 2) go around: negative where they do so counter-clockwise, rows going down."""
    total = 0
    for start in range(0, len(ring), _WAITING):
        part = ring[start : start + _WAITING + 1].astype(np.int64)
        if start + _WAITING >= len(ring):
            part = np.concatenate([part, ring[:1]])
        total += int(part[:-1, 0] @ part[1:, 1] - part[1:, 0] @ part[:-1, 1])
    return total / 2


def _key(group: NDArray[Any], major: NDArray[Any], minor: NDArray[Any]) -> Long:
    key: Long = group.astype(np.int64) << 2 * _SIDE_BITS
    key |= major.astype(np.int64) << _SIDE_BITS
    key |= minor.astype(np.int64)
    return key


def _partners(key: Long) -> Ints:
    """The other end of the edge at each corner: corners sorted by line are ends in turn."""
    pairs = np.argsort(key, kind="stable").astype(np.int32).reshape(-1, 2)
    partner = np.empty(len(key), np.int32)
    partner[pairs[:, 0]], partner[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    return partner


def _around(across: Ints, down: Ints) -> tuple[Ints, Long]:
    """All corners ring by ring, and where each ring starts."""
    order = np.empty(len(across), np.int32)
    # Views of plain memory: a corner costs a fifth of what it does through NumPy, and no object is kept for it.
    to, horizontal, vertical = order.data, across.data, down.data
    seen, place, starts = bytearray(len(across)), 0, []
    for first in range(len(across)):
        if seen[first]:
            continue
        starts.append(place)
        corner = first
        while not seen[corner]:
            other = horizontal[corner]
            seen[corner] = seen[other] = 1
            to[place], to[place + 1] = corner, other
            place += 2
            corner = vertical[other]
    return order, np.array(starts, np.int64)

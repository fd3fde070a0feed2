"""Polygon filling by spans, many polygons at once: the rules "coco" and "center" of `raster`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BUDGET = 1 << 22
"""Steps along outlines, or pixels, that are expanded at a time."""


@dataclass(frozen=True)
class Spans:
    """Runs of pixels: of ring `ring`, on line `line`, from pixel `start` up to but without `stop`.

    A line is a column of the image under the rule "coco", a row under "center".
    """

    ring: Ints
    line: Ints
    start: Ints
    stop: Ints

    def of(self, ring: int) -> Spans:
        """The spans of one ring."""
        first, last = np.searchsorted(self.ring, (ring, ring + 1))
        part = slice(int(first), int(last))
        return Spans(self.ring[part], self.line[part], self.start[part], self.stop[part])


def coco_spans(rings: Sequence[Floats], size: tuple[int, int]) -> Spans:
    """Column spans of rings as pycocotools draws them.

    Outlines are walked on a grid five times as fine; a column is entered or left where the walk crosses its centre
    (cocodataset/cocoapi, common/maskApi.c, rleFrPoly). Coordinates are pixel edges: (10, 10)-(20, 20) fills 100.

    Args:
        rings: arrays (n, 2) of x and y.
        size: (H, W) of the image, to which spans are cut.
    """
    height, width = size
    toggles = [_coco_toggles(*batch, height, width) for batch in _batches(rings, scale=5)]
    return _paired(toggles)


def center_spans(rings: Sequence[Floats], size: tuple[int, int]) -> Spans:
    """Row spans of rings by the even-odd rule at pixel centres; a centre on a left or upper outline is inside."""
    height, width = size
    toggles = [_center_toggles(*batch, height, width) for batch in _batches(rings, scale=1)]
    return _paired(toggles)


def paint(canvas: NDArray[np.int32], spans: Spans, values: NDArray[np.int32]) -> None:
    """Write `values[ring]` along the spans into a canvas whose first axis is the line; later spans win."""
    length = spans.stop - spans.start
    flat = canvas.reshape(-1)
    ends = np.cumsum(length)
    first = 0
    while first < len(length):
        done = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + _BUDGET, side="right")))
        run = length[first:last]
        before = np.cumsum(run) - run
        begin = spans.line[first:last] * canvas.shape[1] + spans.start[first:last]
        flat[np.repeat(begin - before, run) + np.arange(int(run.sum()))] = np.repeat(
            values[spans.ring[first:last]], run
        )
        first = last


def _batches(rings: Sequence[Floats], scale: int) -> Iterator[tuple[Floats, Floats, Ints]]:
    """Edges (from (m, 2), to (m, 2), ring number (m,)) of many rings at a time, as far as the budget goes."""
    first, steps = 0, 0.0
    for number, ring in enumerate(rings):
        steps += scale * float(np.abs(np.diff(ring, axis=0)).sum()) + len(ring)
        if steps > _BUDGET or number + 1 == len(rings):
            chosen = rings[first : number + 1]
            counts = np.array([len(one) for one in chosen])
            start = np.concatenate(chosen)
            follow = np.arange(1, len(start) + 1)
            ends = np.cumsum(counts)
            follow[ends[counts > 0] - 1] = (ends - counts)[counts > 0]
            yield start, start[follow], np.repeat(np.arange(first, number + 1), counts)
            first, steps = number + 1, 0.0


def _coco_toggles(start: Floats, end: Floats, ring: Ints, height: int, width: int) -> tuple[Ints, Ints, Ints]:
    """Where walks enter or leave a column: (ring, column, row)."""
    scale = 5
    a, b = (np.trunc(scale * corners + 0.5).astype(np.int64) for corners in (start, end))
    a, b, ring = _clipped(a, b, ring, scale * width)
    change = np.abs(b - a)
    flat = change[:, 0] >= change[:, 1]
    steps = change.max(axis=1)
    flip = np.where(flat, a[:, 0] > b[:, 0], a[:, 1] > b[:, 1])
    low, high = np.where(flip[:, None], b, a), np.where(flip[:, None], a, b)
    rise = high - low
    slope = np.where(flat, rise[:, 1], rise[:, 0]) / np.maximum(steps, 1)

    count = steps + 1
    edge = np.repeat(np.arange(len(steps)), count)
    step = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    t = np.where(flip[edge], steps[edge] - step, step)
    other = np.trunc(np.where(flat, low[:, 1], low[:, 0])[edge] + slope[edge] * t + 0.5).astype(np.int64)
    u = np.where(flat[edge], t + low[edge, 0], other)
    v = np.where(flat[edge], other, t + low[edge, 1])

    # Between two edges the walk stands still, so that a change of u is always inside one edge.
    crossing = np.flatnonzero((u[1:] != u[:-1]) & (edge[1:] == edge[:-1])) + 1
    x = np.minimum(u[crossing], u[crossing - 1])
    y = np.minimum(v[crossing], v[crossing - 1])
    kept = (x % scale == scale // 2) & (x >= 0) & (x < scale * width)
    crossing, x, y = crossing[kept], x[kept], y[kept]
    row = np.ceil(np.clip((y + 0.5) / scale - 0.5, 0, height)).astype(np.int64)
    return ring[edge[crossing]], x // scale, row


def _clipped(a: Ints, b: Ints, ring: Ints, width: int) -> tuple[Ints, Ints, Ints]:
    """Leave out the edges that no column of the image can see."""
    seen = (np.maximum(a[:, 0], b[:, 0]) >= 0) & (np.minimum(a[:, 0], b[:, 0]) <= width)
    return a[seen], b[seen], ring[seen]


def _center_toggles(start: Floats, end: Floats, ring: Ints, height: int, width: int) -> tuple[Ints, Ints, Ints]:
    """Where outlines cross the line of a row's pixel centres: (ring, row, column)."""
    top, bottom = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(top - 0.5), 0, height).astype(np.int64)
    count = np.clip(np.ceil(bottom - 0.5), 0, height).astype(np.int64) - first
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    change = end - start
    slope = change[:, 0] / np.where(change[:, 1] == 0, 1.0, change[:, 1])
    x = start[edge, 0] + (row + 0.5 - start[edge, 1]) * slope[edge]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    return ring[edge], row, column


def _paired(toggles: Sequence[tuple[Ints, Ints, Ints]]) -> Spans:
    """Toggles of closed outlines, of which every line has an even number, as spans between two each."""
    if not toggles:
        empty = np.zeros(0, np.int64)
        return Spans(empty, empty, empty, empty)
    ring, line, place = (np.concatenate(parts) for parts in zip(*toggles, strict=True))
    order = np.lexsort((place, line, ring))
    ring, line, place = ring[order], line[order], place[order]
    start, stop = place[0::2], place[1::2]
    kept = stop > start
    return Spans(ring[0::2][kept], line[0::2][kept], start[kept], stop[kept])

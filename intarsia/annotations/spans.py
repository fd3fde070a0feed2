"""Polygon filling by spans, many polygons at once: the rules "coco" and "center" of `raster`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BUDGET = 1 << 22
"""Crossings of outlines, or pixels, that are expanded at a time."""

_FINER = 5


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
    toggles = [_coco_toggles(*batch, height, width) for batch in _batches(rings, axis=0)]
    return _paired(toggles)


def center_spans(rings: Sequence[Floats], size: tuple[int, int]) -> Spans:
    """Row spans of rings by the even-odd rule at pixel centres; a centre on a left or upper outline is inside."""
    height, width = size
    toggles = [_center_toggles(*batch, height, width) for batch in _batches(rings, axis=1)]
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


def _batches(rings: Sequence[Floats], axis: int) -> Iterator[tuple[Floats, Floats, Ints]]:
    """Edges (from (m, 2), to (m, 2), ring number (m,)) of many rings at a time, as far as the budget goes.

    A ring crosses about as many lines as it goes along the axis (0: columns along x, 1: rows along y).
    """
    if not rings:
        return
    counts = np.array([len(ring) for ring in rings])
    points = np.concatenate(rings)
    follow = np.arange(1, len(points) + 1)
    ends = np.cumsum(counts)
    follow[ends[counts > 0] - 1] = (ends - counts)[counts > 0]
    number = np.repeat(np.arange(len(rings)), counts)
    cost = np.cumsum(np.abs(points[follow, axis] - points[:, axis]) + 1)
    first = 0
    while first < len(points):
        last = int(np.searchsorted(cost, (cost[first - 1] if first else 0) + _BUDGET, side="right"))
        last = int(ends[number[min(max(last, first + 1), len(points)) - 1]])  # whole rings only
        part = slice(first, last)
        yield points[part], points[follow[part]], number[part]
        first = last


def _coco_toggles(start: Floats, end: Floats, ring: Ints, height: int, width: int) -> tuple[Ints, Ints, Ints]:
    """Find where walks enter or leave a column: (ring, column, row).

    The walk along an edge takes one step a unit of its longer side, and column p begins or ends between the places
    c = 5 p + 2 and c + 1. Only these steps are looked at.
    """
    a, b = (np.trunc(_FINER * corners + 0.5).astype(np.int64) for corners in (start, end))
    change = np.abs(b - a)
    flat = change[:, 0] >= change[:, 1]
    flip = np.where(flat, a[:, 0] > b[:, 0], a[:, 1] > b[:, 1])
    low, high = np.where(flip[:, None], b, a), np.where(flip[:, None], a, b)
    rise = (high - low)[np.arange(len(flat)), flat.astype(np.int64)]  # along the shorter side
    slope = rise / np.maximum(change.max(axis=1), 1)

    left, right = np.minimum(a[:, 0], b[:, 0]), np.maximum(a[:, 0], b[:, 0])
    first = np.maximum(-((2 - left) // _FINER), 0)
    count = np.maximum(np.minimum((right - 3) // _FINER, width - 1) - first + 1, 0)
    edge = np.repeat(np.arange(len(count)), count)
    column = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    place = _FINER * column + 2

    flat, slope, low = flat[edge], slope[edge], low[edge]
    step = place + 1 - low[:, 0]  # along a flat edge every step is one place
    v = np.minimum(_walked(low[:, 1], slope, step - 1), _walked(low[:, 1], slope, step))
    steep = np.flatnonzero(~flat)
    if len(steep):
        v[steep] = low[steep, 1] + _step_into(low[steep, 0], slope[steep], place[steep]) - 1
    row = np.ceil(np.clip((v + 0.5) / _FINER - 0.5, 0, height)).astype(np.int64)
    return ring[edge], column, row


def _walked(origin: Ints, slope: Floats, step: Ints) -> Ints:
    """The place along the shorter side after some steps along the longer one."""
    return np.trunc(origin + slope * step + 0.5).astype(np.int64)


def _step_into(origin: Ints, slope: Floats, place: Ints) -> Ints:
    """The first step after which a steep edge has crossed from `place` to the next, or back."""
    rising = slope > 0
    step = np.ceil((place + 0.5 - origin) / slope).astype(np.int64)

    def crossed(at: Ints) -> NDArray[np.bool_]:
        return np.equal(_walked(origin, slope, at) > place, rising)

    # The division may be off by one where a crossing falls on a step; the walk itself decides.
    step += ~crossed(step)
    step -= crossed(step - 1)
    return step


def _center_toggles(start: Floats, end: Floats, ring: Ints, height: int, width: int) -> tuple[Ints, Ints, Ints]:
    """Find where outlines cross the line of a row's pixel centres: (ring, row, column)."""
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
    # One number to sort by is faster than three; each of them stays below 2^21.
    order = np.argsort(((ring << 21 | line) << 21) | place, kind="stable")
    ring, line, place = ring[order], line[order], place[order]
    start, stop = place[0::2], place[1::2]
    kept = stop > start
    return Spans(ring[0::2][kept], line[0::2][kept], start[kept], stop[kept])

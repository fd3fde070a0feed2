"""Lasso: which points of a cloud lie inside a polygon that was drawn over a view of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.serving.project.cloudpoints import BLOCK, Points

_RUN = 16 * BLOCK  # points at a time: what is computed of them stays near the processor
_GRID = 1000  # cells along the longer side of a polygon
_MARGIN = 3  # cells around it
_BITS = 8  # of a cell's fraction
_OUT, _IN, _EDGE = 0, 1, 2
_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.bool_)
_SLACK = 1e-6  # pixels by which a block may be off
_PATCH = 4.0  # pixels of the screen in which the nearest point hides others
_BEHIND = 1.01  # how much farther than the nearest one the points of one surface may be


@dataclass(frozen=True, eq=False)
class View:
    """How points come onto the screen.

    Attributes:
        matrix: (4, 4) float64 from coordinates from the cloud's origin to clip coordinates, for columns.
        size: width and height of the screen in pixels; y goes down.
        heights: lowest and highest z from the origin of what is shown.
    """

    matrix: NDArray[np.float64]
    size: tuple[float, float]
    heights: tuple[float, float] = (-np.inf, np.inf)

    def onto_screen(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring points (3, n) onto the screen: x, y in pixels and w (3, n); no number where none is drawn."""
        clip = self.matrix[:, :3] @ xyz + self.matrix[:, 3:]
        w = clip[3]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            w[~((w > 0) & (np.abs(clip[2]) <= w))] = np.nan
            clip[0] = (clip[0] / w + 1) * (self.size[0] / 2)
            clip[1] = (1 - clip[1] / w) * (self.size[1] / 2)
        return clip[[0, 1, 3]]


class Region:
    """A polygon, with a grid over it that knows most answers.

    Args:
        polygon: (V, 2) float64 corners in pixels; where it crosses itself, what is inside twice is outside.
    """

    def __init__(self, polygon: NDArray[np.float64]) -> None:
        self.polygon = polygon
        self.low, self.high = polygon.min(axis=0), polygon.max(axis=0)
        self._cell = max(float((self.high - self.low).max()), 1e-9) / _GRID
        width, height = np.ceil((self.high - self.low) / self._cell).astype(int) + 2 * _MARGIN
        corners = np.rint(((polygon - self.low) / self._cell + _MARGIN) * (1 << _BITS)).astype(np.int32)
        self._grid = np.zeros((height, width), np.uint8)
        cv2.fillPoly(self._grid, [corners], _IN, shift=_BITS)
        # Wide enough for every cell that an edge touches, which alone cannot be told by its cell.
        cv2.polylines(self._grid, [corners], True, _EDGE, thickness=3, shift=_BITS)

    def look(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Tell of points (n,), by the grid, whether they are outside, inside, or too near to an edge to tell."""
        state = np.zeros(len(x), np.uint8)
        near = np.flatnonzero((x >= self.low[0]) & (x <= self.high[0]) & (y >= self.low[1]) & (y <= self.high[1]))
        column = ((x[near] - self.low[0]) / self._cell + (_MARGIN + 0.5)).astype(np.intp)
        row = ((y[near] - self.low[1]) / self._cell + (_MARGIN + 0.5)).astype(np.intp)
        state[near] = self._grid[row, column]
        return state

    def hold_boxes(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell of boxes, by their corners (8, n) on the screen, which the polygon surely holds as a whole."""
        left, top, right, bottom = (
            np.floor((edge - self.low[axis]) / self._cell) + _MARGIN + more
            for edge, axis, more in ((x.min(0), 0, -1), (y.min(0), 1, -1), (x.max(0), 0, 3), (y.max(0), 1, 3))
        )
        height, width = self._grid.shape
        found = (left >= 0) & (top >= 0) & (right <= width) & (bottom <= height)
        sums = cv2.integral((self._grid == _IN).astype(np.uint8))
        x0, y0, x1, y1 = (edge[found].astype(np.intp) for edge in (left, top, right, bottom))
        found[found] = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] == (x1 - x0) * (y1 - y0)
        whole: NDArray[np.bool_] = found
        return whole

    def hold(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Count the edges to the right of each point (n,); each edge looks at the points of its own heights alone."""
        order = np.argsort(y)
        across, down = x[order], y[order]
        odd = np.zeros(len(x), np.bool_)
        ends = np.roll(self.polygon, -1, axis=0)
        tops, bottoms = np.searchsorted(down, np.sort(np.stack([self.polygon[:, 1], ends[:, 1]]), axis=0))
        for (x0, y0), (x1, y1), top, bottom in zip(self.polygon, ends, tops, bottoms, strict=True):
            if top < bottom:
                part = slice(top, bottom)
                odd[part] ^= across[part] < (x1 - x0) * (down[part] - y0) / (y1 - y0) + x0
        found = np.empty_like(odd)
        found[order] = odd
        return found


def inside(
    points: Points, view: View, polygon: NDArray[np.float64], *, shown: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Find the points that a polygon over a view holds, near and far ones alike.

    Args:
        points: of the cloud, all of which are looked at.
        view: what the polygon was drawn over.
        polygon: (V, 2) corners in pixels of the view.
        shown: (N,) by place; given, only those count, and those behind the nearest ones do not.

    Returns:
        Their places, ascending.
    """
    region = Region(polygon)
    near, whole = _blocks(points, view, region)
    found = np.repeat(whole, BLOCK)[: len(points)]
    if whole.any():
        found &= points.known
    seen, edges = [np.zeros((3, 0))], [np.zeros(0, np.int64)]
    for start, end in _runs(near, len(points)):
        xyz = points.xyz[:, start:end]
        screen = view.onto_screen(xyz)
        state = region.look(screen[0], screen[1])
        if np.isfinite(view.heights).any():
            state[~((xyz[2] >= view.heights[0]) & (xyz[2] <= view.heights[1]))] = _OUT
        found[start:end] = state == _IN
        edge = np.flatnonzero(state == _EDGE)
        edges.append(edge + start)
        seen.append(screen[:, edge])
    x, y, _ = np.concatenate(seen, axis=1)
    found[np.concatenate(edges)] = region.hold(x, y)
    if shown is not None:
        found &= shown
        found[found] = _nearest(view.onto_screen(points.xyz[:, found]))
    return np.flatnonzero(found)


def _blocks(points: Points, view: View, region: Region) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell of blocks, by what their boxes cover of the screen, which may have a point inside, and which have them all.

    Returns:
        Those whose points must be looked at, and those that lie inside as a whole; (B,) each.
    """
    if not len(points):
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    low, high = points.boxes
    corners = np.where(_CORNERS[:, :, None], high, low)  # (8, 3, B)
    clip = np.einsum("ij,kjb->ikb", view.matrix[:, :3], corners) + view.matrix[:, 3, None, None]
    ahead = (clip[3] > 0).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = (clip[0] / clip[3] + 1) * (view.size[0] / 2)
        y = (1 - clip[1] / clip[3]) * (view.size[1] / 2)
        beside = (x.max(0) < region.low[0] - _SLACK) | (x.min(0) > region.high[0] + _SLACK)
        beside |= (y.max(0) < region.low[1] - _SLACK) | (y.min(0) > region.high[1] + _SLACK)
        whole = ahead & (np.abs(clip[2]) < clip[3]).all(axis=0)
        whole &= (low[2] >= view.heights[0]) & (high[2] <= view.heights[1])
    whole[whole] = region.hold_boxes(*(part[:, whole] for part in (x, y)))
    return ~((beside & ahead) | whole), whole


def _runs(chosen: NDArray[np.bool_], count: int) -> Iterator[tuple[int, int]]:
    """Where consecutive blocks begin and end, a few at a time."""
    edges = np.flatnonzero(np.diff(chosen.astype(np.int8), prepend=0, append=0)) * BLOCK
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        for start in range(int(first), int(last), _RUN):
            yield start, min(start + _RUN, int(last), count)


def _nearest(screen: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of points (3, n), x, y and w, which no other hides, in patches of the screen."""
    if not screen.shape[1]:
        return np.zeros(0, np.bool_)
    cells = np.floor(screen[:2] / _PATCH).astype(np.int64)
    cells -= cells.min(axis=1, keepdims=True)
    _, cell = np.unique(cells[0] * (cells[1].max() + 1) + cells[1], return_inverse=True)
    nearest = np.full(int(cell.max()) + 1, np.inf)
    np.minimum.at(nearest, cell, screen[2])
    seen: NDArray[np.bool_] = screen[2] <= nearest[cell] * _BEHIND
    return seen

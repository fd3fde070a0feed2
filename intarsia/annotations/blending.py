"""Shapes between the keyframes of a track, by the rules of CVAT (github.com/cvat-ai/cvat, MIT).

Boxes, ellipses and cuboids move linearly and turn by the shorter way. The points of polygons and polylines have no
counterparts of their own, so each point goes with the nearest one of the other keyframe, measured along the outline
from 0 to 1; where several points of one side go with a single one of the other, those that crowd are thinned out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def blend_points(left: Points, right: Points, weight: float) -> Points:
    """Blend corresponding points linearly.

    Args:
        left: (N, 2) points of the earlier keyframe.
        right: (N, 2) points of the later one.
        weight: 0 at the earlier keyframe, 1 at the later one.
    """
    return left + (right - left) * weight


def blend_angle(left: float, right: float, weight: float) -> float:
    """Blend two angles in degrees by the shorter arc; the result is in 0..360."""
    turn = (right - left + 180) % 360 - 180
    return (left + turn * weight) % 360


def blend_outline(left: Points, right: Points, weight: float, *, closed: bool) -> Points:
    """Blend two outlines whose numbers of points may differ.

    Args:
        left: (N, 2) points of the earlier keyframe.
        right: (M, 2) points of the later one.
        weight: 0 at the earlier keyframe, 1 at the later one.
        closed: polygons are, polylines are not.

    Returns:
        (K, 2) points.
    """
    if closed:
        left, right = np.vstack([left, left[:1]]), np.vstack([right, right[:1]])
    pairs = _pairs(_along(left), _along(right))
    blended = blend_points(left[pairs[:, 0]], right[pairs[:, 1]], weight)
    reduced = _reduced(blended, pairs, left, right)
    return reduced[:-1] if closed and len(reduced) > 3 else reduced


def _along(points: Points) -> NDArray[np.float64]:
    """Compute where each point lies on its outline, from 0 to 1."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    total = float(steps.sum())
    if total == 0:
        return np.linspace(0, 1, len(points))
    return np.concatenate([[0], np.cumsum(steps) / total])


def _pairs(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.intp]:
    """(K, 2) indices of points that go together, in order; every point of either side occurs."""
    chosen = _nearest(left, right)
    lonely = np.setdiff1d(np.arange(len(right)), chosen)
    pairs = np.vstack(
        [np.column_stack([np.arange(len(left)), chosen]), np.column_stack([_nearest(right[lonely], left), lonely])]
    )
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _nearest(values: NDArray[np.float64], sorted_values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the nearest of `sorted_values`, the first one of equally near ones."""
    after = np.clip(np.searchsorted(sorted_values, values), 1, max(1, len(sorted_values) - 1))
    before = after - 1
    after = np.minimum(after, len(sorted_values) - 1)
    chosen = np.where(values - sorted_values[before] <= sorted_values[after] - values, before, after)
    return np.asarray(np.searchsorted(sorted_values, sorted_values[chosen]))


def _reduced(blended: Points, pairs: NDArray[np.intp], left: Points, right: Points) -> Points:
    """Thin out the runs in which one point of a side goes with several of the other."""
    widths = np.bincount(pairs[:, 0])  # how many right points each left point goes with
    several = widths[pairs[:, 0]] > 1
    # A run ends where the left point has its own several partners, or where the partner changes.
    new = np.ones(len(pairs), dtype=bool)
    same_left = pairs[1:, 0] == pairs[:-1, 0]
    same_right = (pairs[1:, 1] == pairs[:-1, 1]) & ~several[1:] & ~several[:-1]
    new[1:] = ~(same_left | same_right)
    starts = np.flatnonzero(new)
    stops = np.append(starts[1:], len(pairs))
    if len(starts) == len(pairs):
        return blended
    parts = []
    for start, stop in zip(starts, stops, strict=True):
        if stop - start == 1:
            parts.append(blended[start:stop])
            continue
        side, column = (right, 1) if several[start] else (left, 0)
        outline = side[pairs[start, column] : pairs[stop - 1, column] + 1]
        length = float(np.hypot(*np.diff(outline, axis=0).T).sum())
        parts.append(_thinned(blended[start:stop], length / (2 * len(outline))))
    return np.vstack(parts)


def _thinned(points: Points, gap: float) -> Points:
    """Keep the first and the last point, and between them those that lie `gap` or more from the one kept before."""
    kept = [points[0]]
    for point in points[1:-1]:
        if np.hypot(*(point - kept[-1])) >= gap:
            kept.append(point)
    kept.append(points[-1])
    if len(kept) == 2 and np.hypot(*(kept[1] - kept[0])) < gap:
        return np.asarray(np.mean(kept, axis=0, keepdims=True))
    return np.array(kept)

"""Exact Euclidean distances between the surfaces of masks, in two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.metrics.arrays import Floats

Mask = NDArray[np.bool_]
Points = tuple[NDArray[np.intp], ...]

# All pairs of two short surfaces are compared faster than a distance transform covers the box around them.
_PAIRS_PER_ELEMENT = 20
_TABLE = 1 << 16


def inner_surface(mask: Mask, known: Mask, *, border: bool) -> Mask:
    """The elements of a mask with a face neighbour outside it.

    Args:
        mask: of any number of dimensions.
        known: where False, it is unknown whether an element belongs to the mask; it makes no neighbour a surface.
        border: what lies beyond the array is outside the mask.
    """
    inside = mask | ~known
    inner = inside.copy()
    for axis in range(mask.ndim):
        here, beside = np.moveaxis(inner, axis, 0), np.moveaxis(inside, axis, 0)
        here[1:] &= beside[:-1]
        here[:-1] &= beside[1:]
        if border:
            here[0] = here[-1] = False
    return mask & ~inner


def bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds a mask which is not empty."""
    box = []
    for axis in range(mask.ndim):
        filled = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(box)


def directed_distances(one: Mask, other: Mask, spacing: Sequence[float]) -> tuple[Floats, Floats]:
    """From each element of each surface to the nearest of the other one.

    Args:
        one: a surface that is not empty.
        other: another, of the same shape.
        spacing: distance between neighbours along each of the 2 or 3 axes.

    Returns:
        Distances from the elements of `one` to `other`, and from those of `other` to `one`.
    """
    box = bounding_box(one | other)
    one, other = one[box], other[box]
    here, there = one.nonzero(), other.nonzero()
    if len(here[0]) * len(there[0]) <= _PAIRS_PER_ELEMENT * one.size:
        return _all_pairs(here, there, spacing)
    return _to(other, here, spacing), _to(one, there, spacing)


def _all_pairs(here: Points, there: Points, spacing: Sequence[float]) -> tuple[Floats, Floats]:
    """Every distance between two sets of points, a few rows of the table at a time."""
    ours, theirs = (
        [axis.astype(np.float32) * np.float32(step) for axis, step in zip(points, spacing, strict=True)]
        for points in (here, there)
    )
    nearest = np.empty(len(ours[0]), dtype=np.float32)
    back = np.full(len(theirs[0]), np.inf, dtype=np.float32)
    rows = max(1, _TABLE // len(back))
    for start in range(0, len(nearest), rows):
        part = slice(start, start + rows)
        table = np.square(ours[0][part, None] - theirs[0])
        for one, other in zip(ours[1:], theirs[1:], strict=True):
            step = one[part, None] - other
            step *= step
            table += step
        table.min(axis=1, out=nearest[part])
        np.minimum(back, table.min(axis=0), out=back)
    return np.sqrt(nearest, dtype=np.float64), np.sqrt(back, dtype=np.float64)


def _to(surface: Mask, points: Points, spacing: Sequence[float]) -> Floats:
    """Distance from points to the nearest element of a surface.

    OpenCV's exact transform covers two axes of equal spacing, many times faster than a general one. Along the axis
    that is left (none in a flat map with square pixels), the nearest plane is looked for from the points alone.
    """
    if len(spacing) == 2 and spacing[0] == spacing[1]:
        return np.asarray(_flat(surface)[points] * spacing[0], dtype=np.float64)
    # The axis that is left is the one whose removal leaves equal steps.
    axis = next((a for a in range(len(spacing)) if len({s for i, s in enumerate(spacing) if i != a}) == 1), 0)
    surface = np.moveaxis(surface, axis, 0)
    steps = (spacing[axis], *(step for index, step in enumerate(spacing) if index != axis))
    squares = _squares(surface, steps[1:])
    beside = tuple(side for index, side in enumerate(points) if index != axis)
    columns = np.ravel_multi_index(beside, surface.shape[1:])
    return np.sqrt(_nearest_plane(squares.reshape(len(squares), -1), points[axis], columns, steps[0]), dtype=np.float64)


def _flat(surface: Mask) -> NDArray[np.float32]:
    distance = cv2.distanceTransform((~surface).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, dtype=np.float32)


def _squares(surface: Mask, spacing: Sequence[float]) -> NDArray[np.float32]:
    """Squared distance of every element to the surface within its line or plane (all axes but the first)."""
    squares = np.full(surface.shape, np.inf, dtype=np.float32)
    if len(spacing) == 2 and spacing[0] == spacing[1]:
        for plane, square in zip(surface, squares, strict=True):
            if plane.any():
                np.square(_flat(np.ascontiguousarray(plane)) * np.float32(spacing[0]), out=square)
        return squares
    places = np.arange(surface.shape[-1], dtype=np.float32)
    before = np.maximum.accumulate(np.where(surface, places, np.float32(-np.inf)), axis=-1)
    after = np.minimum.accumulate(np.where(surface, places, np.float32(np.inf))[..., ::-1], axis=-1)[..., ::-1]
    np.square(np.minimum(places - before, after - places) * np.float32(spacing[-1]), out=squares)
    if len(spacing) == 1:
        return squares
    lines, filled = squares.copy(), surface.any(axis=(1, 2))
    for offset in range(1, surface.shape[1]):
        step = np.float32((offset * spacing[0]) ** 2)
        if step >= squares[filled].max():
            break
        np.minimum(squares[:, offset:], lines[:, :-offset] + step, out=squares[:, offset:])
        np.minimum(squares[:, :-offset], lines[:, offset:] + step, out=squares[:, :-offset])
    return squares


def _nearest_plane(
    squares: NDArray[np.float32], planes: NDArray[np.intp], columns: NDArray[np.intp], spacing: float
) -> NDArray[np.float32]:
    """Smallest squares[plane + offset, column] + (offset * spacing) ** 2 for each point, from near to far."""
    best = squares[planes, columns]
    for offset in range(1, len(squares)):
        step = np.float32((offset * spacing) ** 2)
        unsettled = np.flatnonzero(best > step)
        if not unsettled.size:
            break
        for side in (planes[unsettled] - offset, planes[unsettled] + offset):
            inside = (side >= 0) & (side < len(squares))
            found = unsettled[inside]
            best[found] = np.minimum(best[found], squares[side[inside], columns[found]] + step)
    return best

"""From masks back to polygons with holes and several parts, exactly: drawn again they give the same mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.annotations.document import Shape
from intarsia.annotations.geometry import Polygon, Ring
from intarsia.annotations.outlines import crosses_itself
from intarsia.labels import LabelArray, LabelSpace

Ints = NDArray[np.int64]


def mask_polygons(
    bitmap: NDArray[np.bool_],
    origin: tuple[int, int] = (0, 0),
    *,
    rule: Literal["inclusive", "coco", "center"] = "coco",
    tolerance: float = 0.0,
) -> Polygon:
    """The outlines of a mask as one polygon of as many parts as the mask has pieces.

    With tolerance 0, drawing the polygon under the same rule gives the mask again. For "coco" and "center" outlines
    run along the pixels' edges, and pieces that touch at corners only are apart; for "inclusive" they run through the
    centres of the outermost pixels, and such pieces are one.

    Args:
        bitmap: (h, w) booleans.
        origin: (x, y) of the upper left pixel in the image.
        rule: edge rule under which the polygon will be drawn.
        tolerance: pixels by which outlines may be simplified (Douglas & Peucker, 1973); rings that shrink below three
            points keep their form.
    """
    mask = np.asarray(bitmap, np.bool_)
    parts = _pixel_outlines(mask) if rule == "inclusive" else _edge_outlines(mask)
    shift = np.array(origin, np.int64)
    return Polygon(tuple(tuple(_ring(ring + shift, tolerance) for ring in part) for part in parts))


def outer_ring(
    piece: NDArray[np.bool_],
    origin: tuple[int, int] = (0, 0),
    *,
    rule: Literal["inclusive", "coco", "center"] = "coco",
    tolerance: float = 0.0,
) -> Ring:
    """The outer outline of one 4-connected piece (h, w), see `mask_polygons`; its holes are not outlined."""
    if rule == "inclusive":
        contours, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        ring = contours[0][:, 0].astype(np.int64)
    else:
        ring = _edge_outlines(piece)[0][0]
    return _ring(ring + np.array(origin, np.int64), tolerance)


def vectorise(
    labels: LabelArray,
    space: LabelSpace,
    *,
    rule: Literal["inclusive", "coco", "center"] = "coco",
    tolerance: float = 0.0,
    min_area: float = 0,
    background: bool = False,
) -> tuple[Shape, ...]:
    """A label map as one shape per connected piece of each class.

    Args:
        labels: (H, W) labels of `space`.
        space: the classes; ignored pixels become no shape.
        rule: edge rule under which the shapes will be drawn.
        tolerance: pixels by which outlines may be simplified.
        min_area: pieces of fewer pixels are left out.
        background: also make shapes of the background class.

    Returns:
        Shapes whose polygons have one outer ring each, and holes.
    """
    from intarsia.annotations.raster import background_label

    rest = background_label(space)
    found = []
    for index in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist():
        if index >= len(space) or (index == rest and not background):
            continue
        mask = labels == index
        if min_area > 1:
            mask = _without_small(mask, min_area, 8 if rule == "inclusive" else 4)
        polygon = mask_polygons(mask, rule=rule, tolerance=tolerance)
        found += [Shape(space.names[index], Polygon((part,))) for part in polygon.parts]
    return tuple(found)


def _without_small(mask: NDArray[np.bool_], least: float, connectivity: int) -> NDArray[np.bool_]:
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=connectivity)
    kept = stats[:, cv2.CC_STAT_AREA] >= least
    kept[0] = False
    return np.asarray(kept[pieces])


def _ring(points: Ints, tolerance: float) -> Ring:
    if tolerance > 0 and len(points) > 3:
        simple = cv2.approxPolyDP(points.astype(np.float32)[:, None], tolerance, True)[:, 0]
        if len(simple) >= 3 and not crosses_itself(simple.astype(np.float64)):  # which no tool's user could correct
            points = simple.astype(np.int64)
    if len(points) < 3:  # a piece one or two pixels large; every tool wants three points
        points = np.resize(points, (3, 2))
    return tuple((float(x), float(y)) for x, y in points.tolist())


def _pixel_outlines(mask: NDArray[np.bool_]) -> list[list[Ints]]:
    """Rings through the outermost pixels of each 8-connected piece, and through its pixels around its holes."""
    contours, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return []
    parts: dict[int, list[Ints]] = {
        number: [contour[:, 0].astype(np.int64)] for number, contour in enumerate(contours) if tree[0, number, 3] < 0
    }
    for number, contour in enumerate(contours):
        if tree[0, number, 3] >= 0:
            parts[int(tree[0, number, 3])].append(contour[:, 0].astype(np.int64))
    return list(parts.values())


def _edge_outlines(mask: NDArray[np.bool_]) -> list[list[Ints]]:
    """Rings along the pixel edges of each 4-connected piece, and along the edges of its holes."""
    corners, following = _corner_cycle(mask)
    if not len(corners):
        return []
    cycle, place = _cycles(following)
    order = np.lexsort((place, cycle))
    points = corners[order, :2]
    starts = np.flatnonzero(np.diff(cycle[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(points)))

    x, y = points[:, 0], points[:, 1]
    after = np.arange(len(points)) + 1
    after[starts + lengths - 1] = starts
    doubled = np.add.reduceat(x * y[after] - x[after] * y, starts)  # twice the area; holes turn the other way

    _, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    piece = pieces[corners[order[starts], 3], corners[order[starts], 2]]
    rings = np.split(points, starts[1:])
    parts: dict[int, list[Ints]] = {int(piece[ring]): [rings[ring]] for ring in np.flatnonzero(doubled > 0).tolist()}
    for ring in np.flatnonzero(doubled < 0).tolist():
        parts[int(piece[ring])].append(rings[ring])
    return list(parts.values())


def _corner_cycle(mask: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Corners of the outlines (n, 4) as x, y and a pixel (column, row) of the piece inside, and each one's follower.

    Around a grid point lie four pixels: a b above, c d below. It is a corner where one or three of them are set; where
    two opposite ones are, it is a corner of both. Walking with the piece on the right hand, a corner is left
    horizontally or vertically, and the corners of one line follow each other in pairs.
    """
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), np.bool_)
    padded[1:-1, 1:-1] = mask
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    code = a + 2 * b.astype(np.uint8) + 4 * c.astype(np.uint8) + 8 * d.astype(np.uint8)
    y, x = np.nonzero(_CORNERS[code])
    kind = code[y, x]
    twice = _CORNERS[kind] == 2
    index = np.repeat(np.arange(len(kind)), 1 + twice)
    second = np.zeros(len(index), np.bool_)
    second[1:] = index[1:] == index[:-1]
    x, y, kind = x[index].astype(np.int64), y[index].astype(np.int64), kind[index]
    # Which pixel a corner belongs to, of a b c d.
    owner = np.where(second, _SECOND[kind], _FIRST[kind])
    column, row = x - 1 + owner % 2, y - 1 + owner // 2

    # On a horizontal line, corners pair up from left to right. At a double corner the first of the two ends the run
    # on its left, the second begins the one on its right: the owner on the left comes first.
    left_first = np.lexsort((owner % 2, x, y))
    across = _partners(left_first)
    top_first = np.lexsort((owner // 2, y, x))
    along = _partners(top_first)
    # With the piece on the right hand: a corner is left along the line on which the piece lies below going right, ...
    horizontal = _LEAVES_ACROSS[np.where(_CORNERS[kind] == 2, 1 << owner, kind)]
    return np.stack((x, y, column, row), axis=1), np.where(horizontal, across, along)


def _partners(order: Ints) -> Ints:
    partner = np.empty(len(order), np.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner


def _cycles(following: Ints) -> tuple[Ints, Ints]:
    """The cycles of a permutation: each element's cycle (its lowest element), and its place in it, counted from there.

    By pointer jumping: after k rounds every element knows the lowest of the 2^k elements from itself on.
    """
    count = len(following)
    lowest = np.minimum(np.arange(count), following)
    jump = following[following]
    reach = 2
    while reach < count:
        lowest = np.minimum(lowest, lowest[jump])
        jump = jump[jump]
        reach *= 2
    # Steps until the cycle's lowest element comes, which is a fixed point from here on.
    target = np.where(lowest == np.arange(count), np.arange(count), following)
    steps = (target != np.arange(count)).astype(np.int64)
    reach = 1
    while reach < count:
        steps = steps + steps[target]
        target = target[target]
        reach *= 2
    length = np.bincount(lowest, minlength=count)[lowest]
    return lowest, np.where(steps == 0, 0, length - steps)


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    corners, leaves = np.zeros(16, np.uint8), np.zeros(16, np.bool_)
    first, second = np.zeros(16, np.int64), np.zeros(16, np.int64)
    for code in range(16):
        pixels: Sequence[int] = [bit for bit in range(4) if code >> bit & 1]
        if len(pixels) in (1, 3):
            corners[code], first[code] = 1, pixels[0]
        elif pixels in ([0, 3], [1, 2]):
            corners[code], first[code], second[code] = 2, pixels[0], pixels[1]
    # Clockwise on the screen: a lone pixel's corner at its upper left (d = 8) is left to the right, at its upper right
    # (c = 4) downwards, at its lower right (a = 1) to the left, at its lower left (b = 2) upwards; a missing pixel's
    # corners are walked the other way round: a missing d (7) is left downwards, ...
    leaves[[8, 1, 11, 13]] = (True, True, True, True)
    return corners, first, second, leaves


_CORNERS, _FIRST, _SECOND, _LEAVES_ACROSS = _tables()

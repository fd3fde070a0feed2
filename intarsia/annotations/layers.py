"""Label maps as simple outlines that lie on each other: no holes, so that every tool stores them without loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.annotations.document import IGNORE_NAME, AnnotatedImage, Shape
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.geometry import Mask, Polygon
from intarsia.annotations.raster import background_label, rasterize
from intarsia.annotations.vectors import outer_ring
from intarsia.instances import measure_instances
from intarsia.labels import LabelArray, LabelSpace


def layered(
    labels: LabelArray,
    space: LabelSpace,
    *,
    rule: Literal["inclusive", "coco", "center"] = "coco",
    tolerance: float = 0.0,
    min_area: float = 0,
) -> tuple[Shape, ...]:
    """A label map as one outline per connected piece, larger ones first; drawn in this order they give the map again.

    A piece inside another one's hole lies on top of it, so no outline needs a hole. The background and what is
    ignored get outlines only where they would otherwise be covered.

    Args:
        labels: (H, W) labels of `space`.
        space: the classes.
        rule: edge rule under which the shapes will be drawn, in the order "list" or "area".
        tolerance: pixels by which outlines may be simplified.
        min_area: pieces of fewer pixels are left out; what they lie on takes their place.

    Returns:
        Shapes of one ring each.
    """
    rest = background_label(space)
    found: list[_Piece] = []
    for value in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist():
        name = space.names[value] if value < len(space) else IGNORE_NAME
        found += _pieces(labels == value, name, rule, tolerance, min_area, ground=value in (rest, space.ignore_index))
    found.sort(key=lambda piece: -piece.box)
    # Of what lies beneath everything, only the pieces that the others would cover are needed.
    others = AnnotatedImage("", shapes=tuple(piece.shape for piece in found if not piece.ground))
    wrong = rasterize(others, (labels.shape[0], labels.shape[1]), space, DrawingRules(rule)) != labels
    # A simplified outline also covers a few pixels of what surrounds it, which no outline of that would bring back.
    least = 0.5 if tolerance else 0.0

    def is_covered(piece: _Piece) -> bool:
        return float(wrong[piece.place][piece.mask].mean()) > least

    return tuple(piece.shape for piece in found if not piece.ground or is_covered(piece))


def pieces(labels: LabelArray, space: LabelSpace, min_area: float = 0) -> tuple[Shape, ...]:
    """A label map as one mask per connected piece (8 neighbours) of each class but the background, larger ones first.

    Args:
        labels: (H, W) labels of `space`; what is ignored becomes no shape.
        space: the classes.
        min_area: pieces of fewer pixels are left out.
    """
    found: list[tuple[int, Shape]] = []
    rest = background_label(space)
    for value in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist():
        if value >= len(space) or value == rest:
            continue
        count, numbers, stats, _ = cv2.connectedComponentsWithStats((labels == value).astype(np.uint8), connectivity=8)
        for number in range(1, count):
            x, y, width, height, area = stats[number].tolist()
            if area >= min_area:
                mask = numbers[y : y + height, x : x + width] == number
                found.append((area, Shape(space.names[value], Mask(mask, x, y))))
    return tuple(shape for _, shape in sorted(found, key=lambda entry: -entry[0]))


def numbered(labels: LabelArray, numbers: NDArray[Any], space: LabelSpace, *, stuff: bool) -> tuple[Shape, ...]:
    """A label map with the numbers of its things as one mask a thing, in their order.

    Args:
        labels: (H, W) labels of `space`.
        numbers: (H, W) from 1, each of one class; 0 where there is no thing.
        space: the classes.
        stuff: also give what has no number, one mask a class.
    """
    found = []
    for one in measure_instances(np.asarray(numbers, np.int32), labels):
        (top, bottom), (left, right) = one.box
        mask = numbers[top:bottom, left:right] == one.number
        found.append(Shape(space.names[one.label], Mask(mask, left, top)))
    rest = np.where(numbers == 0, labels, space.ignore_index) if stuff else labels[:0]
    for value in np.flatnonzero(np.bincount(rest.ravel(), minlength=1)[: len(space)]).tolist():
        found.append(Shape(space.names[value], Mask(rest == value).cropped()))
    return tuple(found)


@dataclass(frozen=True)
class _Piece:
    """A connected piece: its outline, the area of its bounding box, and its own pixels there."""

    shape: Shape
    box: int
    place: tuple[slice, slice]
    mask: NDArray[np.bool_]
    ground: bool


def _pieces(
    labels: NDArray[np.bool_],
    name: str,
    rule: Literal["inclusive", "coco", "center"],
    tolerance: float,
    min_area: float,
    *,
    ground: bool,
) -> list[_Piece]:
    """The 4-connected pieces of a class. What encloses another piece has a larger bounding box."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(labels.astype(np.uint8), connectivity=4)
    found = []
    for number in range(1, count):
        x, y, width, height, area = stats[number].tolist()
        if area >= min_area:
            place = slice(y, y + height), slice(x, x + width)
            mask = pieces[place] == number
            ring = outer_ring(mask, (x, y), rule=rule, tolerance=tolerance)
            found.append(_Piece(Shape(name, Polygon(((ring,),))), width * height, place, mask, ground))
    return found

"""What can be drawn on an image: small values, in pixels from the image's upper left corner, x to the right, y down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Point: TypeAlias = tuple[float, float]
Ring: TypeAlias = tuple[Point, ...]
"""Corners of a closed outline; the first is not repeated at the end."""


@dataclass(frozen=True)
class Polygon:
    """An area of one or more parts; a part is its outer ring, followed by the rings of its holes."""

    parts: tuple[tuple[Ring, ...], ...]

    @classmethod
    def of(cls, *rings: Iterable[Point]) -> Polygon:
        """A polygon of outer rings alone: every ring is a part of its own."""
        return cls(tuple((tuple(ring),) for ring in rings))

    @property
    def is_simple(self) -> bool:
        """Tell whether it is one ring, which every tool can store."""
        return len(self.parts) == 1 and len(self.parts[0]) == 1

    @property
    def has_holes(self) -> bool:
        """Tell whether any part has a hole."""
        return any(len(rings) > 1 for rings in self.parts)

    @property
    def rings(self) -> tuple[Ring, ...]:
        """Every ring, holes included."""
        return tuple(ring for rings in self.parts for ring in rings)


@dataclass(frozen=True)
class Polyline:
    """An open line through the points."""

    points: tuple[Point, ...]


@dataclass(frozen=True)
class Points:
    """Single points that belong together."""

    points: tuple[Point, ...]


@dataclass(frozen=True)
class Rectangle:
    """A box from (x1, y1) to (x2, y2), x1 <= x2 and y1 <= y2, turned by `angle` degrees clockwise about its centre."""

    x1: float
    y1: float
    x2: float
    y2: float
    angle: float = 0.0

    @classmethod
    def between(cls, a: Point, b: Point) -> Rectangle:
        """The upright box between two opposite corners, in whichever order."""
        return cls(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))


@dataclass(frozen=True)
class Circle:
    """A disc: centre and radius."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Ellipse:
    """An ellipse: centre, half axes along x and y, turned by `angle` degrees clockwise about the centre."""

    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0


@dataclass(frozen=True)
class Bezier:
    """A closed outline of cubic curves; one from each point to the next, with the handles that leave and reach them.

    The curve from point i to point j = i + 1 (the last one back to the first) has the control points
    `points[i], outgoing[i], incoming[j], points[j]`.
    """

    points: tuple[Point, ...]
    outgoing: tuple[Point, ...]
    incoming: tuple[Point, ...]


@dataclass(frozen=True, eq=False)
class Mask:
    """A painted area: (h, w) booleans whose upper left pixel is the image's pixel (left, top)."""

    bitmap: NDArray[np.bool_]
    left: int = 0
    top: int = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return (self.left, self.top) == (other.left, other.top) and np.array_equal(self.bitmap, other.bitmap)

    def __hash__(self) -> int:
        return hash((self.left, self.top, self.bitmap.shape, self.bitmap.tobytes()))

    def cropped(self) -> Mask:
        """The same area with the smallest bitmap; an empty one has 0 x 0 pixels."""
        rows, columns = np.flatnonzero(self.bitmap.any(axis=1)), np.flatnonzero(self.bitmap.any(axis=0))
        if not len(rows):
            return Mask(np.zeros((0, 0), np.bool_), self.left, self.top)
        y, x = int(rows[0]), int(columns[0])
        inner = self.bitmap[y : int(rows[-1]) + 1, x : int(columns[-1]) + 1]
        return Mask(np.ascontiguousarray(inner), self.left + x, self.top + y)


@dataclass(frozen=True)
class Cuboid:
    """The eight corners of a box in perspective.

    The front face, then the back face, each as left top, left bottom, right top, right bottom (CVAT's order).
    """

    points: tuple[Point, ...]


@dataclass(frozen=True)
class Keypoint:
    """One named point of a skeleton; "occluded" is known but hidden, "absent" is not in the picture."""

    name: str
    x: float
    y: float
    state: Literal["visible", "occluded", "absent"] = "visible"


@dataclass(frozen=True)
class Skeleton:
    """Named points of one thing, in the order of its category's keypoints."""

    points: tuple[Keypoint, ...]


@dataclass(frozen=True)
class Tag:
    """No geometry: the label holds for the whole image."""


Geometry: TypeAlias = (
    Polygon | Polyline | Points | Rectangle | Circle | Ellipse | Bezier | Mask | Cuboid | Skeleton | Tag
)

AREAS = (Polygon, Rectangle, Circle, Ellipse, Bezier, Mask)
"""The geometries that fill pixels."""


def name_of(geometry: Geometry) -> str:
    """A geometry's name in messages: "polygon", "rotated rectangle", "polygon with holes", ..."""
    if isinstance(geometry, Rectangle) and geometry.angle:
        return "rotated rectangle"
    if isinstance(geometry, Polygon) and geometry.has_holes:
        return "polygon with holes"
    if isinstance(geometry, Polygon) and not geometry.is_simple:
        return "polygon of several parts"
    return type(geometry).__name__.lower()

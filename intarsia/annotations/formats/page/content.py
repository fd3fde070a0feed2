"""What both text formats give: one page, before its image is known."""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.annotations.document import Shape
from intarsia.annotations.geometry import Geometry, Point, Polygon, Polyline, Rectangle


@dataclass(frozen=True)
class Page:
    """One page; `unit` is "pixel", or the unit of length in which coordinates, width and height are given."""

    name: str
    width: float | None
    height: float | None
    shapes: tuple[Shape, ...]
    unit: str = "pixel"


def scaled(geometry: Geometry, fx: float, fy: float) -> Geometry:
    """A geometry with its coordinates multiplied, x by `fx` and y by `fy`."""

    def moved(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple((x * fx, y * fy) for x, y in points)

    match geometry:
        case Polygon(parts):
            return Polygon(tuple(tuple(moved(ring) for ring in part) for part in parts))
        case Polyline(points):
            return Polyline(moved(points))
        case Rectangle(x1, y1, x2, y2, angle):
            return Rectangle(x1 * fx, y1 * fy, x2 * fx, y2 * fy, angle)
    raise TypeError(type(geometry).__name__)

"""One region of VIA 1 and 2 <-> one geometry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from intarsia.annotations.geometry import Circle, Ellipse, Geometry, Point, Points, Polygon, Polyline, Rectangle
from intarsia.annotations.numerals import end, length, plain
from intarsia.annotations.reading import BadShape, number, points, polygon


def geometry_of(shape: Any, *, closed_polylines: bool = False) -> Geometry:
    """The geometry of a region's `shape_attributes`.

    Raises:
        BadShape: an unknown type, missing or impossible numbers.
    """
    if not isinstance(shape, Mapping):
        raise BadShape("a region has no shape")
    kind = shape.get("name")
    match kind:
        case "rect":
            x, y = number(shape.get("x")), number(shape.get("y"))
            return Rectangle.between((x, y), (end(x, number(shape.get("width"))), end(y, number(shape.get("height")))))
        case "circle":
            return Circle(number(shape.get("cx")), number(shape.get("cy")), radius(shape.get("r")))
        case "ellipse":
            angle = round(math.degrees(number(shape.get("theta", 0))), 9)
            centre = number(shape.get("cx")), number(shape.get("cy"))
            return Ellipse(*centre, radius(shape.get("rx")), radius(shape.get("ry")), angle)
        case "polygon":
            return polygon(_pairs(shape))
        case "polyline" | "line":
            found = points(_pairs(shape), 2, "polyline")
            if closed_polylines and len(found) > 2:
                return polygon(found)
            return Polyline(found)
        case "point":
            return Points(((number(shape.get("cx")), number(shape.get("cy"))),))
    raise BadShape(f"shape type {kind!r} is unknown")


def radius(value: Any) -> float:
    """A length that is not negative."""
    found = number(value)
    if found < 0:
        raise BadShape("a radius is negative")
    return found


def _pairs(shape: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise BadShape("its x and y coordinates are not two lists of one length")
    return list(zip(xs, ys, strict=True))


def region_of(geometry: Geometry) -> dict[str, Any]:
    """The `shape_attributes` that store a geometry (of points a single one).

    Raises:
        TypeError: VIA has no region for it.
    """
    match geometry:
        case Rectangle(x1, y1, x2, y2):
            size = {"width": plain(length(x1, x2)), "height": plain(length(y1, y2))}
            return {"name": "rect", "x": plain(x1), "y": plain(y1), **size}
        case Circle(x, y, r):
            return {"name": "circle", "cx": plain(x), "cy": plain(y), "r": plain(r)}
        case Ellipse(x, y, rx, ry, angle):
            centre = {"name": "ellipse", "cx": plain(x), "cy": plain(y), "rx": plain(rx), "ry": plain(ry)}
            return {**centre, "theta": math.radians(angle)}
        case Polygon():
            return _outline("polygon", geometry.rings[0])
        case Polyline(found):
            return _outline("polyline", found)
        case Points(((x, y),)):
            return {"name": "point", "cx": plain(x), "cy": plain(y)}
    raise TypeError(type(geometry).__name__)


def _outline(name: str, found: tuple[Point, ...]) -> dict[str, Any]:
    return {
        "name": name,
        "all_points_x": [plain(x) for x, _ in found],
        "all_points_y": [plain(y) for _, y in found],
    }

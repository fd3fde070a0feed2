"""One shape element of CVAT's XML <-> one geometry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from intarsia.annotations import rle
from intarsia.annotations.geometry import (
    Cuboid,
    Ellipse,
    Geometry,
    Keypoint,
    Mask,
    Point,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    Tag,
)
from intarsia.annotations.reading import FARTHEST, BadShape, number
from intarsia.annotations.xmlfile import Element
from intarsia.errors import DataError
from intarsia.media.images import MAX_PIXELS

CUBOID_CORNERS = ("tl1", "bl1", "tr1", "br1", "tl2", "bl2", "tr2", "br2")


def geometry_of(element: Element, size: tuple[int, int] | None = None) -> Geometry:
    """The geometry of a shape element in an image of `size` (H, W), if that is known.

    Raises:
        BadShape: an unknown element, missing or impossible numbers.
    """
    get = element.attrib.get
    match element.tag:
        case "box":
            upright = Rectangle.between(
                (number(get("xtl")), number(get("ytl"))), (number(get("xbr")), number(get("ybr")))
            )
            return Rectangle(upright.x1, upright.y1, upright.x2, upright.y2, number(get("rotation", "0")))
        case "ellipse":
            rx, ry = number(get("rx")), number(get("ry"))
            if rx < 0 or ry < 0:
                raise BadShape("an ellipse has a negative radius")
            return Ellipse(number(get("cx")), number(get("cy")), rx, ry, number(get("rotation", "0")))
        case "polygon":
            ring = points_of(get("points"), 3, "polygon")
            return Polygon.of(ring[:-1] if len(ring) > 3 and ring[0] == ring[-1] else ring)
        case "polyline":
            return Polyline(points_of(get("points"), 2, "polyline"))
        case "points":
            return Points(points_of(get("points"), 1, "points"))
        case "cuboid":
            return Cuboid(tuple((number(get(f"x{corner}")), number(get(f"y{corner}"))) for corner in CUBOID_CORNERS))
        case "mask":
            return _mask(element.attrib, size)
        case "skeleton":
            return Skeleton(tuple(keypoint_of(child) for child in element if child.tag == "points"))
        case "tag":
            return Tag()
    raise BadShape(f"shape type {element.tag!r} is unknown")


def keypoint_of(element: Element) -> Keypoint:
    """A skeleton's point."""
    ((x, y),) = points_of(element.get("points"), 1, "skeleton's point")[:1]
    absent, occluded = element.get("outside") == "1", element.get("occluded") == "1"
    return Keypoint(element.get("label", ""), x, y, "absent" if absent else "occluded" if occluded else "visible")


def points_of(text: str | None, least: int, what: str) -> tuple[Point, ...]:
    """Points of a text "x,y;x,y".

    Raises:
        BadShape: too few points, or something that is no number.
    """
    pairs = (text or "").strip().rstrip(";").split(";")
    if text is None or any(pair.count(",") != 1 for pair in pairs):
        raise BadShape("its points are not a list of x,y pairs")
    try:
        found = np.array([value for pair in pairs for value in pair.split(",")], dtype=np.float64).reshape(-1, 2)
    except ValueError:
        raise BadShape("a coordinate is not a number") from None
    if not np.isfinite(found).all():
        raise BadShape("a coordinate is not finite (NaN or infinite)")
    if (np.abs(found) > FARTHEST).any():
        raise BadShape("a coordinate lies far outside every image")
    if len(found) < least:
        raise BadShape(f"a {what} has fewer than {least} points")
    return tuple((x, y) for x, y in found.tolist())


def _mask(attributes: Mapping[str, str], size: tuple[int, int] | None) -> Mask:
    """Decode a mask: runs over its box row by row, the first one (it may be 0 long) of pixels outside the object."""
    try:
        left, top, width, height = (int(float(attributes[key])) for key in ("left", "top", "width", "height"))
        runs = np.array(attributes["rle"].replace(",", " ").split(), dtype=np.int64)
    except KeyError as error:
        raise BadShape(f"a mask lacks {error.args[0]!r}") from None
    except (ValueError, OverflowError):
        raise BadShape("a mask's runs or box are not whole numbers") from None
    if width < 1 or height < 1 or width * height > MAX_PIXELS or max(abs(left), abs(top)) > FARTHEST:
        raise BadShape("a mask's box is empty or larger than any image")
    if size is not None and (height > size[0] or width > size[1]):
        raise BadShape("a mask is larger than its image")
    try:
        return Mask(rle.decode_runs(runs, (height, width), "C"), left, top)
    except DataError:
        raise BadShape("a mask's runs do not add up to its box") from None


def attributes_of(geometry: Geometry) -> tuple[str, dict[str, str]]:
    """The element's name and attributes that store a geometry.

    Raises:
        TypeError: CVAT has none for it (circles, Beziers, polygons of several rings).
    """
    match geometry:
        case Rectangle(x1, y1, x2, y2, angle):
            corners = {"xtl": decimal(x1), "ytl": decimal(y1), "xbr": decimal(x2), "ybr": decimal(y2)}
            return "box", {**corners, **({"rotation": decimal(angle)} if angle else {})}
        case Ellipse(x, y, rx, ry, angle):
            axes = {"cx": decimal(x), "cy": decimal(y), "rx": decimal(rx), "ry": decimal(ry)}
            return "ellipse", {**axes, **({"rotation": decimal(angle)} if angle else {})}
        case Polygon() if geometry.is_simple:
            return "polygon", {"points": points_text(geometry.rings[0])}
        case Polyline(points):
            return "polyline", {"points": points_text(points)}
        case Points(points):
            return "points", {"points": points_text(points)}
        case Cuboid(points):
            return "cuboid", {
                f"{axis}{corner}": decimal(value)
                for corner, point in zip(CUBOID_CORNERS, points, strict=True)
                for axis, value in zip("xy", point, strict=True)
            }
        case Mask(bitmap, left, top):
            height, width = bitmap.shape
            box = {"left": str(left), "top": str(top), "width": str(width), "height": str(height)}
            return "mask", {"rle": ", ".join(map(str, rle.runs(bitmap, "C").tolist())), **box}
        case Skeleton():
            return "skeleton", {}
        case Tag():
            return "tag", {}
    raise TypeError(type(geometry).__name__)


def points_text(points: tuple[Point, ...]) -> str:
    """Points as "x,y;x,y"."""
    return ";".join(f"{decimal(x)},{decimal(y)}" for x, y in points)


def decimal(value: float) -> str:
    """A number with CVAT's two decimals, or with all that it takes to be read back unchanged."""
    short = f"{value:.2f}"
    return short if float(short) == value else repr(float(value))

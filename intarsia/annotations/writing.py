"""What the writers share: fitting shapes to what a tool can draw, and counting what it cannot store."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Iterator
from dataclasses import MISSING, fields, replace
from itertools import count
from typing import Any

from intarsia.annotations import outlines
from intarsia.annotations.document import AnnotatedImage, Category, Document, Shape
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.geometry import (
    Bezier,
    Circle,
    Ellipse,
    Geometry,
    Mask,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    name_of,
)
from intarsia.annotations.lost import Lost
from intarsia.annotations.raster import geometry_mask
from intarsia.media.images import open_image

_SHAPE_FIELDS = ("instance", "z", "attributes", "occluded", "crowd", "source", "score")
_OWN = {"id", "size", "class_attribute"}  # an image's number, its file's bytes, where VIA's class came from
_IMAGE_FIELDS = ("attributes", "subset", "frame", "time", "embedded")


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON text of a value; numbers that JSON lacks (NaN in a tool's own entries) become null."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value, allow_nan=False, indent=indent)
    except ValueError:
        return to_json(_finite(value), indent)
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def still_images(documents: Iterable[Document], lost: Lost) -> Iterator[AnnotatedImage]:
    """Images for tools that know no video: tracks become one shape a frame, which is counted as changed."""
    for document in documents:
        lost.changed("a video's tracks became shapes of single frames", document.name, len(document.tracks))
        yield from document.images()


def account(
    document: AnnotatedImage, lost: Lost, tool: str, *, shape: Iterable[str] = (), image: Iterable[str] = ()
) -> None:
    """Count the filled-in fields that a tool cannot store.

    Args:
        document: what is about to be written.
        lost: the tally.
        tool: name of the writing tool; entries of `extra` count unless it read them itself.
        shape: fields of `Shape` that it stores, of "instance", "z", "attributes", "occluded", "crowd", "source",
            "score".
        image: fields of `AnnotatedImage` that it stores, of "attributes", "subset", "frame", "time", "embedded".
    """
    own = document.tool in (tool, "")
    for field in _missing(document, _IMAGE_FIELDS, image):
        lost.dropped(f"{tool} has no place for the {field} of an image", document.name)
    if not own and document.extra.keys() - _OWN:
        lost.dropped(f"entries of images that only {document.tool} knows", document.name)
    for one in document.shapes:
        for field in _missing(one, _SHAPE_FIELDS, shape):
            lost.dropped(f"{tool} has no place for the {field} of a shape", document.name)
        if one.extra and not own:
            lost.dropped(f"entries of shapes that only {document.tool} knows", document.name)


def _missing(value: Any, names: Iterable[str], stored: Iterable[str]) -> Iterator[str]:
    known = set(stored)
    for field in fields(value):
        if field.name in names and field.name not in known:
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            if getattr(value, field.name) != default:
                yield field.name


def fresh_instances(document: AnnotatedImage) -> Iterator[int]:
    """Instance numbers that no shape of a document has."""
    return count(1 + max((shape.instance for shape in document.shapes if shape.instance is not None), default=0))


def size_of(document: AnnotatedImage) -> tuple[int | None, int | None]:
    """Width and height, from the image file where the document does not say them."""
    if (document.width is None or document.height is None) and document.image is not None:
        reader = open_image(document.image)
        return reader.width, reader.height
    return document.width, document.height


def fitted(
    shape: Shape,
    lost: Lost,
    where: str,
    accepted: tuple[type[Geometry], ...],
    *,
    parts: bool = False,
    holes: bool = False,
    angles: bool = False,
    drawing: DrawingRules | None = None,
    size: tuple[int, int] | None = None,
    fresh: Iterator[int] | None = None,
) -> Iterator[Shape]:
    """A shape as one or more that a tool can draw: the same where possible, else the nearest form, counted.

    Curves become polygons; polygons with holes become masks where the tool has masks, else polygons without holes;
    masks become polygons; several parts become shapes of one instance. What has no counterpart is dropped.

    Args:
        shape: any shape.
        lost: the tally.
        where: place for the tally.
        accepted: geometries that the tool has.
        parts: its polygons may have several parts.
        holes: its polygons may have holes.
        angles: its rectangles and ellipses may be turned.
        drawing: how the tool turns outlines into pixels, so that masks keep theirs.
        size: (H, W) of the image, to which a mask made of a polygon with holes is cut; None takes its own bounds.
        fresh: instance numbers (`fresh_instances`) for shapes that must be divided, if the tool stores them.
    """
    geometry = shape.geometry
    name = _with_article(name_of(geometry))
    if isinstance(geometry, Polygon) and Polygon in accepted:
        if geometry.has_holes and not holes:
            if Mask in accepted:
                lost.changed("a polygon with holes became a mask", where)
                yield replace(shape, geometry=_as_mask(geometry, drawing, size))
                return
            lost.changed("a polygon lost its holes", where)
            geometry = Polygon(tuple(rings[:1] for rings in geometry.parts))
        yield from _divided(shape, geometry, lost, where, parts, fresh)
    elif isinstance(geometry, tuple(accepted)) and (angles or not getattr(geometry, "angle", 0)):
        yield shape
    elif isinstance(geometry, Mask) and Polygon in accepted:
        from intarsia.annotations.vectors import mask_polygons

        drawing = drawing or DrawingRules()
        found = mask_polygons(geometry.bitmap, (geometry.left, geometry.top), rule=drawing.rule)
        lost.changed("a mask became polygons", where)
        if found.has_holes and not holes:
            lost.changed("a polygon lost its holes", where)
            found = Polygon(tuple(rings[:1] for rings in found.parts))
        yield from _divided(shape, found, lost, where, parts, fresh)
    elif isinstance(geometry, Circle) and Ellipse in accepted:
        lost.changed("a circle became an ellipse", where)
        yield replace(shape, geometry=Ellipse(geometry.x, geometry.y, geometry.radius, geometry.radius))
    elif isinstance(geometry, Rectangle | Circle | Ellipse | Bezier) and Polygon in accepted:
        lost.changed(f"{name} became a polygon", where)
        ring = outlines.rings(geometry)[0][0]
        yield replace(shape, geometry=Polygon.of([(x, y) for x, y in ring.tolist()]))
    elif isinstance(geometry, Polygon | Polyline | Points | Mask | Circle | Ellipse | Bezier) and (
        Rectangle in accepted and (box := outlines.bounds(geometry))
    ):
        lost.changed(f"{name} became its bounding box", where)
        yield replace(shape, geometry=Rectangle(*box))
    else:
        lost.dropped(f"{name} has no counterpart", where)


def _with_article(name: str) -> str:
    if name == "points":
        return "a group of points"
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _divided(
    shape: Shape, polygon: Polygon, lost: Lost, where: str, parts: bool, fresh: Iterator[int] | None
) -> Iterator[Shape]:
    if not polygon.parts:
        lost.dropped("an empty shape", where)
    elif parts or len(polygon.parts) == 1:
        yield replace(shape, geometry=polygon)
    else:
        lost.changed("a shape of several parts became several shapes", where)
        if fresh is not None and shape.instance is None:
            shape = replace(shape, instance=next(fresh))
        for part in polygon.parts:
            yield replace(shape, geometry=Polygon((part,)))


def _as_mask(polygon: Polygon, drawing: DrawingRules | None, size: tuple[int, int] | None) -> Mask:
    if size is None:
        _, _, right, bottom = outlines.bounds(polygon) or (0, 0, 0, 0)
        size = max(int(bottom) + 2, 1), max(int(right) + 2, 1)
    return Mask(geometry_mask(polygon, size, drawing)).cropped()


def singles(shapes: Iterable[Shape], lost: Lost, where: str) -> Iterator[Shape]:
    """Fitted shapes for tools that know single points only: without empty ones, groups of points one by one."""
    for shape in shapes:
        geometry = shape.geometry
        empty = isinstance(geometry, Mask) and not geometry.bitmap.any()
        if empty or (isinstance(geometry, Points | Polyline | Skeleton) and not geometry.points):
            lost.dropped("an empty shape", where)
        elif isinstance(geometry, Points) and len(geometry.points) > 1:
            lost.changed("points became shapes of their own", where, len(geometry.points))
            yield from (replace(shape, geometry=Points((point,))) for point in geometry.points)
        else:
            yield shape


def account_classes(
    categories: Iterable[Category],
    lost: Lost,
    tool: str,
    *,
    stored: Iterable[str] = (),
    seen: Container[str] | None = None,
) -> None:
    """Count what a tool cannot store about the declared classes.

    Args:
        categories: the declared classes.
        lost: the tally.
        tool: name of the writing tool.
        stored: fields of `Category` that it stores, of "color", "id", "group", "attributes", "keypoints".
        seen: the labels of the shapes that were written, for tools that know no other classes; None: it stores all.
    """
    for category in categories:
        for field in _missing(category, ("color", "id", "group", "attributes", "keypoints"), stored):
            lost.dropped(f"{tool} has no place for the {field} of a class", category.name)
        if seen is not None and category.name not in seen:
            lost.dropped("a class that no shape has", category.name)

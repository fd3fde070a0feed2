"""Documents as small byte strings: what drawing needs of each, so that a large export stays in memory."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.annotations import rle
from intarsia.annotations.document import AnnotatedImage, Shape
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
)

_PLAIN: dict[str, type[Rectangle] | type[Circle] | type[Ellipse]] = {"r": Rectangle, "c": Circle, "e": Ellipse}


def pack(document: AnnotatedImage) -> bytes:
    """Pack what drawing and finding the image need of a document; geometries that are never drawn are left out."""
    shapes = [
        [shape.label, shape.instance, shape.z, int(shape.crowd), *packed]
        for shape in document.shapes
        if (packed := _pack(shape.geometry))
    ]
    image = None if document.image is None else str(document.image)
    head = [document.name, str(document.source), image, document.width, document.height]
    return zlib.compress(json.dumps([head, shapes]).encode(), 1)


def unpack(data: bytes) -> AnnotatedImage:
    """The document that `pack` made the bytes of."""
    (name, source, image, width, height), shapes = json.loads(zlib.decompress(data))
    document = AnnotatedImage(name, Path(source), None if image is None else Path(image), width, height)
    return replace(
        document,
        shapes=tuple(
            Shape(label, _unpack(kind, values), instance, z, crowd=bool(crowd))
            for label, instance, z, crowd, kind, values in shapes
        ),
    )


def _pack(geometry: Geometry) -> tuple[str, Any] | None:
    match geometry:
        case Polygon(parts):
            return "p", parts
        case Rectangle(x1, y1, x2, y2, angle):
            return "r", (x1, y1, x2, y2, angle)
        case Circle(x, y, radius):
            return "c", (x, y, radius)
        case Ellipse(x, y, rx, ry, angle):
            return "e", (x, y, rx, ry, angle)
        case Polyline(points):
            return "l", points
        case Points(points):
            return "o", points
        case Bezier(points, outgoing, incoming):
            return "b", (points, outgoing, incoming)
        case Mask(bitmap, left, top):
            return "m", (left, top, *bitmap.shape, rle.to_text(rle.runs(bitmap)))
        case _:
            return None


def _unpack(kind: str, values: Any) -> Geometry:
    if kind in _PLAIN:
        return _PLAIN[kind](*values)
    match kind:
        case "p":
            return Polygon(tuple(tuple(_points(ring) for ring in part) for part in values))
        case "l":
            return Polyline(_points(values))
        case "o":
            return Points(_points(values))
        case "b":
            return Bezier(*map(_points, values))
    left, top, height, width, text = values
    bitmap = rle.decode_runs(rle.from_text(text), (height, width)) if height else np.zeros((0, 0), np.bool_)
    return Mask(bitmap, left, top)


def _points(values: Any) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in values)

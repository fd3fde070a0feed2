"""A document drawn over its photo: areas in the colours of their classes, outlines, lines, points, names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from intarsia.annotations import outlines
from intarsia.annotations.document import BACKGROUND_NAMES, AnnotatedImage, Shape, is_unlabelled
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.geometry import Cuboid, Mask, Points, Polyline, Skeleton, Tag
from intarsia.annotations.raster import rasterize
from intarsia.annotations.vectors import mask_polygons
from intarsia.labels import Color, LabelSpace
from intarsia.result.renders import blend

_EDGES = ((0, 1), (1, 3), (3, 2), (2, 0), (4, 5), (5, 7), (7, 6), (6, 4), (0, 4), (1, 5), (2, 6), (3, 7))
"""Of a cuboid, between its corners."""


def overlay(
    document: AnnotatedImage,
    photo: NDArray[np.uint8],
    space: LabelSpace,
    drawing: DrawingRules | None = None,
    opacity: float = 0.45,
) -> Image.Image:
    """Draw every shape of a document over its photo.

    Args:
        document: the annotations.
        photo: (H, W, 3) uint8 RGB.
        space: the classes and their colours; the background is not coloured.
        drawing: edge rule and order of the areas.
        opacity: of the areas, 0 to 1.

    Raises:
        DataError: the document was made for an image of another size, or a class is not in the space.
    """
    height, width = photo.shape[:2]
    labels = rasterize(document, (height, width), space, drawing)
    for index, name in enumerate(space.names):
        if name.lower() in BACKGROUND_NAMES:
            labels[labels == index] = space.ignore_index
    picture = Image.fromarray(blend(photo, labels, space, opacity))
    pen = ImageDraw.Draw(picture)
    thick = max(1, round(max(height, width) / 600))
    tags = []
    for shape in document.shapes:
        known = shape.label in space.names and shape.label.lower() not in BACKGROUND_NAMES
        known = known and not is_unlabelled(shape.label)
        color = space.palette[space.names.index(shape.label)] if known else (255, 255, 255)
        if isinstance(shape.geometry, Tag):
            tags.append(shape.label)
        else:
            _draw(pen, shape, color, thick)
    if tags:
        pen.text((4, 4), ", ".join(tags), fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    return picture


def _draw(pen: ImageDraw.ImageDraw, shape: Shape, color: Color, thick: int) -> None:
    geometry = shape.geometry
    match geometry:
        case Polyline(points):
            pen.line(points, fill=color, width=2 * thick)
        case Points(points):
            for x, y in points:
                _dot(pen, x, y, color, thick)
        case Skeleton(points):
            for point in points:
                if point.state != "absent":
                    _dot(pen, point.x, point.y, color, thick)
        case Cuboid(points):
            for a, b in _EDGES if len(points) == 8 else ():
                pen.line((points[a], points[b]), fill=color, width=thick)
        case _:
            if isinstance(geometry, Mask):
                geometry = mask_polygons(geometry.bitmap, (geometry.left, geometry.top))
            for part in outlines.rings(geometry):
                for ring in part:
                    closed = [tuple(point) for point in [*ring.tolist(), *ring[:1].tolist()]]
                    pen.line(closed, fill=color, width=thick)


def _dot(pen: ImageDraw.ImageDraw, x: float, y: float, color: Color, thick: int) -> None:
    radius = 2 * thick
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline=(255, 255, 255))

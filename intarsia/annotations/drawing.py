"""One shape as pixels, by the rules of a tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from intarsia.annotations import outlines, spans
from intarsia.annotations.geometry import (
    AREAS,
    Circle,
    Ellipse,
    Geometry,
    Mask,
    Points,
    Polyline,
    Rectangle,
)
from intarsia.errors import UsageError, suggest

RULES = ("inclusive", "coco", "center")
ORDERS = ("list", "z", "area")


@dataclass(frozen=True)
class DrawingRules:
    """The rules by which shapes become pixels.

    Attributes:
        rule: which pixels an outline contains. "inclusive": every pixel that the outline touches (Pillow, OpenCV;
            LabelMe, VIA); "coco": coordinates are pixel edges (pycocotools; COCO, CVAT's exports); "center": the
            pixels whose centre lies inside (even-odd; shapely, rasterio).
        order: which of two shapes that overlap is seen. "list": the later one; "z": the one on the higher layer,
            then the later; "area": the smaller one, and groups (crowd) below everything.
        line_width: pixels, of lines; 0 leaves them out.
        point_radius: pixels, of single points; 0 leaves them out.
    """

    rule: Literal["inclusive", "coco", "center"] = "inclusive"
    order: Literal["list", "z", "area"] = "list"
    line_width: int = 0
    point_radius: int = 0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise UsageError(f"no raster rule is named {self.rule!r}.{suggest(self.rule, RULES)}")
        if self.order not in ORDERS:
            raise UsageError(f"no drawing order is named {self.order!r}.{suggest(self.order, ORDERS)}")

    def draws(self, geometry: Geometry) -> bool:
        """Tell whether a geometry leaves pixels."""
        return (
            isinstance(geometry, AREAS)
            or (isinstance(geometry, Polyline) and self.line_width > 0)
            or (isinstance(geometry, Points) and self.point_radius > 0)
        )


def clipped(mask: Mask, size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask as (H, W) booleans of the whole image; what lies beyond the border is cut off."""
    full = np.zeros(size, np.bool_)
    full[window_of(mask, size)] = visible(mask, size)
    return full


def is_plain(geometry: Geometry) -> bool:
    """Tell whether a geometry is nothing but outer rings, which are filled together with their neighbours in order."""
    return isinstance(geometry, AREAS) and not isinstance(geometry, Mask) and not getattr(geometry, "has_holes", False)


def fill(
    canvas: NDArray[np.int32], entries: Sequence[tuple[Geometry, int]], size: tuple[int, int], columns: bool
) -> None:
    """Fill outer rings in their order, each with its value, by COCO's rule of columns or by the pixels' centres."""
    found = [(part[0], value) for geometry, value in entries for part in outlines.rings(geometry)]
    if found:
        runs = (spans.coco_spans if columns else spans.center_spans)([ring for ring, _ in found], size)
        spans.paint(canvas, runs, np.array([value for _, value in found], np.int32))


def mask_of(geometry: Geometry, size: tuple[int, int], drawing: DrawingRules) -> Mask:
    """A geometry that is not filled ring by ring as a mask: one with holes, a line, points, or a mask itself."""
    if isinstance(geometry, Mask):
        return geometry
    if isinstance(geometry, Polyline | Points) or drawing.rule == "inclusive":
        image = Image.new("I", size[::-1], 0)
        draw_inclusive(image, geometry, 1, drawing)
        return Mask(np.asarray(image) > 0)
    columns = drawing.rule == "coco"
    find = spans.coco_spans if columns else spans.center_spans
    total = np.zeros(size, np.bool_)
    for part in outlines.rings(geometry):
        canvas = np.zeros(size[::-1] if columns else size, np.int32)
        runs = find(part, size)
        # The outer ring first, then its holes over it.
        spans.paint(canvas, runs, np.array([1] + [0] * (len(part) - 1), np.int32))
        total |= (canvas.T if columns else canvas) > 0
    return Mask(total)


def window_of(mask: Mask, size: tuple[int, int]) -> tuple[slice, slice]:
    """The part of an image of `size` (H, W) that a mask lies on."""
    height, width = mask.bitmap.shape
    rows = slice(min(max(mask.top, 0), size[0]), min(max(mask.top + height, 0), size[0]))
    columns = slice(min(max(mask.left, 0), size[1]), min(max(mask.left + width, 0), size[1]))
    return rows, columns


def visible(mask: Mask, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The part of a mask's bitmap that lies on an image of `size` (H, W)."""
    rows, columns = window_of(mask, size)
    return mask.bitmap[
        rows.start - mask.top : rows.stop - mask.top, columns.start - mask.left : columns.stop - mask.left
    ]


def draw_inclusive(image: Image.Image, geometry: Geometry, value: int, drawing: DrawingRules) -> None:
    """Draw with Pillow, as LabelMe does (wkentaro/labelme, labelme/utils/shape.py)."""
    size = (image.height, image.width)
    pen = ImageDraw.Draw(image)
    match geometry:
        case Mask():
            seen = visible(geometry, size)
            if seen.size:
                rows, columns = window_of(geometry, size)
                image.paste(value, (columns.start, rows.start), Image.fromarray(seen))
        case Rectangle(x1, y1, x2, y2, 0):
            pen.rectangle((x1, y1, x2, y2), fill=value, outline=value)
        case Circle(x, y, radius):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value, outline=value)
        case Ellipse(x, y, rx, ry, 0):
            pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=value, outline=value)
        case Polyline(points):
            pen.line(points, fill=value, width=drawing.line_width, joint="curve")
        case Points(points):
            r = drawing.point_radius
            for x, y in points:
                pen.ellipse((x - r, y - r, x + r, y + r), fill=value, outline=value)
        case _:
            for part in outlines.rings(geometry):
                if len(part) == 1:
                    pen.polygon([tuple(point) for point in part[0].tolist()], fill=value, outline=value)
                else:
                    _draw_with_holes(image, part, value)


def _draw_with_holes(image: Image.Image, part: Sequence[NDArray[np.float64]], value: int) -> None:
    """Holes lose what lies inside their outline; the outline itself belongs to the area, as it does outside."""
    stencil = Image.new("1", image.size, 0)
    pen = ImageDraw.Draw(stencil)
    outer, *holes = ([tuple(point) for point in ring.tolist()] for ring in part)
    pen.polygon(outer, fill=1, outline=1)
    for hole in holes:
        pen.polygon(hole, fill=0, outline=1)
    image.paste(value, (0, 0), stencil)

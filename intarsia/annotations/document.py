"""AnnotatedImage: what every annotation file becomes, and drawing it as a label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from intarsia.errors import DataError, suggest
from intarsia.labels import LabelArray, LabelSpace

Point = tuple[float, float]

BACKGROUND_NAMES = ("background", "_background_", "__background__")
"""Class names (in lower case) that stand for everything without a shape."""

IGNORE_NAMES = ("__ignore__", "void", "ignore", "unlabeled", "unlabelled")
"""Class names (in lower case) that stand for "nothing is known here"."""


@dataclass(frozen=True)
class Shape:
    """One drawn outline: polygon (3+ points), rectangle (two opposite corners) or circle (centre, point on the rim).

    Points are (x, y) in pixels from the image's upper left corner.
    """

    label: str
    kind: Literal["polygon", "rectangle", "circle"]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class AnnotatedImage:
    """The outlines of one image. `width` and `height` are None where the file does not say them."""

    source: Path
    image: Path
    width: int | None
    height: int | None
    shapes: tuple[Shape, ...]

    def labels(self) -> set[str]:
        """The class names that occur."""
        return {shape.label for shape in self.shapes}


def rasterise(document: AnnotatedImage, size: tuple[int, int], space: LabelSpace) -> LabelArray:
    """Draw the shapes in list order, later ones over earlier ones, as LabelMe itself does.

    Pixels without a shape get the class called background, or are ignored if the space has none.

    Args:
        document: the annotations of one image.
        size: (H, W) of the image.
        space: the classes; shapes named like `IGNORE_NAMES` are drawn as the ignore index.

    Returns:
        (H, W) labels of `space.dtype`.

    Raises:
        DataError: a shape's class is not in the space, or the file was made for an image of another size.
    """
    from PIL import Image, ImageDraw

    height, width = size
    said = (document.height or height, document.width or width)
    if said != size:
        raise DataError(
            f"{document.source}: it was drawn on an image of {said[1]}x{said[0]} pixels, but {document.image.name} has "
            f"{width}x{height}; restore the image it belongs to, or annotate it again"
        )
    canvas = Image.new("I", (width, height), background_label(space))
    pen = ImageDraw.Draw(canvas)
    for shape in document.shapes:
        label = _label(shape.label, space, document.source)
        if shape.kind == "polygon":
            pen.polygon(shape.points, fill=label, outline=label)
            continue
        (x1, y1), (x2, y2) = shape.points
        if shape.kind == "rectangle":
            pen.rectangle((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), fill=label, outline=label)
        else:
            radius = float(np.hypot(x2 - x1, y2 - y1))
            pen.ellipse((x1 - radius, y1 - radius, x1 + radius, y1 + radius), fill=label, outline=label)
    return np.asarray(canvas).astype(space.dtype)


def background_label(space: LabelSpace) -> int:
    """The label of pixels without a shape: the background class if there is one, else the ignore index."""
    for index, name in enumerate(space.names):
        if name.lower() in BACKGROUND_NAMES:
            return index
    return space.ignore_index


def class_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Class names for labels found in annotation files: the background first, then the others in order."""
    return ("background", *sorted({name for name in labels if name.lower() not in BACKGROUND_NAMES + IGNORE_NAMES}))


def _label(name: str, space: LabelSpace, source: Path) -> int:
    if name in space.names:
        return space.names.index(name)
    if name.lower() in IGNORE_NAMES:
        return space.ignore_index
    if name.lower() in BACKGROUND_NAMES:
        return background_label(space)
    raise DataError(f"{source}: no class of this data set is named {name!r}.{suggest(name, space.names)}")

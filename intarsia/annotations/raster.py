"""Drawing documents as label maps and instance maps, under a named edge rule and in a named order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.annotations import outlines
from intarsia.annotations.document import BACKGROUND_NAMES, AnnotatedImage, Shape, is_unlabelled
from intarsia.annotations.drawing import DrawingRules, draw_inclusive, fill, is_plain, mask_of, visible, window_of
from intarsia.annotations.geometry import (
    Geometry,
    name_of,
)
from intarsia.annotations.lost import Lost
from intarsia.errors import DataError, UsageError, suggest
from intarsia.labels import LabelArray, LabelSpace


def rasterize(
    document: AnnotatedImage,
    size: tuple[int, int],
    space: LabelSpace,
    drawing: DrawingRules | None = None,
    *,
    unlabelled: Literal["auto", "background", "ignore"] = "auto",
    others: Literal["error", "background", "ignore"] = "error",
    ignore_crowd: bool = False,
    lost: Lost | None = None,
) -> LabelArray:
    """Draw a document as class labels.

    Three kinds of nothing are kept apart: shapes labelled background are painted like any class; shapes named like
    void or ignore (`is_unlabelled`) become the ignore index; pixels without a shape are what `unlabelled` says.

    Args:
        document: the annotations of one image.
        size: (H, W) of the image.
        space: the classes.
        drawing: edge rule and order; None is the default `DrawingRules`.
        unlabelled: what pixels without a shape become; "auto" is the background if the space has such a class.
        others: what shapes of classes outside the space become; "error" refuses them.
        ignore_crowd: draw groups (COCO's iscrowd) as the ignore index instead of as their class.
        lost: told which shapes leave no pixels (points, skeletons, tags, ...), and of shapes of other classes.

    Returns:
        (H, W) labels of `space.dtype`.

    Raises:
        DataError: a shape's class is not in the space, or the file was made for an image of another size.
        UsageError: unlabelled pixels or other classes shall be background, but the space has no such class.
    """
    check_size(document, size)
    drawing = drawing or DrawingRules()
    rest = background_label(space) if unlabelled != "ignore" else space.ignore_index
    if "background" in (unlabelled, others) and background_label(space) == space.ignore_index:
        raise UsageError(f"no class is the background (classes: {', '.join(space.names)}); name one background")
    values = []
    for shape in document.shapes:
        if not drawing.draws(shape.geometry):  # its class need not be known
            values.append(rest)
            continue
        label = _label(shape.label, space)
        if label is None and others == "error":
            hint = suggest(shape.label, space.names)
            raise DataError(f"{document.source}: no class of this data set is named {shape.label!r}.{hint}")
        if label is None:
            label = background_label(space) if others == "background" else space.ignore_index
            if lost is not None:
                what = "background" if others == "background" else "ignored"
                lost.changed(f"a shape of a class that was not asked for became {what}", shape.label)
        values.append(space.ignore_index if ignore_crowd and shape.crowd else label)
    canvas = _drawn(document.shapes, values, size, drawing, rest, lost, document)
    return canvas.astype(space.dtype)


@dataclass(frozen=True)
class InstanceMap:
    """Which thing every pixel belongs to: (H, W) int32, 0 for none; `things[n - 1]` is the first shape of thing n."""

    ids: NDArray[np.int32]
    things: tuple[Shape, ...]


def instance_map(document: AnnotatedImage, size: tuple[int, int], drawing: DrawingRules | None = None) -> InstanceMap:
    """Draw a document as numbered things; shapes with the same label and instance number are one thing.

    Raises:
        DataError: the file was made for an image of another size.
    """
    check_size(document, size)
    drawing = drawing or DrawingRules()
    numbers: dict[tuple[object, ...], int] = {}
    things: list[Shape] = []
    values = []
    for index, shape in enumerate(document.shapes):
        # What leaves no pixels gets no number, and neither do the shapes that only say where nothing is known.
        if not drawing.draws(shape.geometry) or _names_no_thing(shape.label):
            values.append(0)
            continue
        key = (index,) if shape.instance is None else (shape.label, shape.instance)
        if key not in numbers:
            numbers[key] = len(numbers) + 1
            things.append(shape)
        values.append(numbers[key])
    return InstanceMap(_drawn(document.shapes, values, size, drawing, 0, None, document), tuple(things))


def geometry_mask(geometry: Geometry, size: tuple[int, int], drawing: DrawingRules | None = None) -> NDArray[np.bool_]:
    """(H, W) booleans of one geometry."""
    drawing = drawing or DrawingRules()
    if not drawing.draws(geometry):
        return np.zeros(size, np.bool_)
    return _painted([(geometry, 1)], size, drawing, 0) > 0


def check_size(document: AnnotatedImage, size: tuple[int, int]) -> None:
    """Compare the size that the annotation file says with the image's (H, W), EXIF rotation applied.

    Raises:
        DataError: they differ; a picture on its side (EXIF rotation) is recognised and said.
    """
    said = (document.height or size[0], document.width or size[1])
    if said == size:
        return
    image = document.image.name if document.image else document.name
    start = f"{document.source}: it was drawn on an image of {said[1]}x{said[0]} pixels, but {image} has "
    if said == size[::-1]:
        raise DataError(
            f"{start}{size[1]}x{size[0]}, the same on its side: the tool did not apply the photo's EXIF rotation, or "
            "the photo was turned later; save the photo as it was drawn on, without the EXIF tag"
        )
    raise DataError(f"{start}{size[1]}x{size[0]}; restore the image it belongs to, or annotate it again")


def background_label(space: LabelSpace) -> int:
    """The label of pixels without a shape: the background class if there is one, else the ignore index."""
    for index, name in enumerate(space.names):
        if name.lower() in BACKGROUND_NAMES:
            return index
    return space.ignore_index


def without_unknown(labels: LabelArray, space: LabelSpace) -> LabelArray:
    """A label map as files of shapes keep it: where a class says that nothing is known, nothing is said.

    Readers take a shape of such a class (`is_unlabelled`) for the ignore index, and many tools have no use for it.

    Args:
        labels: class indices of `space`, of any shape; not changed.
        space: the classes.
    """
    unknown = [index for index, name in enumerate(space.names) if is_unlabelled(name)]
    if not unknown:
        return labels
    return np.where(np.isin(labels, unknown), labels.dtype.type(space.ignore_index), labels)


def class_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Class names for labels found in annotation files: the background first, then the others in the order given."""
    rest = (name for name in labels if not _names_no_thing(name))
    return ("background", *dict.fromkeys(rest))


def _names_no_thing(name: str) -> bool:
    return name.lower() in BACKGROUND_NAMES or is_unlabelled(name)


def _label(name: str, space: LabelSpace) -> int | None:
    """The label of a shape; None for a class that the space lacks."""
    if name in space.names:
        return space.names.index(name)
    if is_unlabelled(name):
        return space.ignore_index
    if name.lower() in BACKGROUND_NAMES:
        return background_label(space)
    return None


def _drawn(
    shapes: Sequence[Shape],
    values: Sequence[int],
    size: tuple[int, int],
    drawing: DrawingRules,
    rest: int,
    lost: Lost | None,
    document: AnnotatedImage,
) -> NDArray[np.int32]:
    entries = list(zip(shapes, values, strict=True))
    if drawing.order == "z":
        entries.sort(key=lambda entry: entry[0].z)
    elif drawing.order == "area":
        entries.sort(key=lambda entry: (not entry[0].crowd, -outlines.area(entry[0].geometry)))
    kept: list[tuple[Geometry, int]] = []
    for shape, value in entries:
        if drawing.draws(shape.geometry):
            kept.append((shape.geometry, value))
        elif lost is not None:
            lost.dropped(f"no area to draw: {name_of(shape.geometry)}", f"{document.name} ({shape.label})")
    return _painted(kept, size, drawing, rest)


def _painted(
    entries: Sequence[tuple[Geometry, int]], size: tuple[int, int], drawing: DrawingRules, rest: int
) -> NDArray[np.int32]:
    """(H, W) values: each geometry's own where it is drawn, `rest` elsewhere."""
    if drawing.rule == "inclusive":
        image = Image.new("I", size[::-1], rest)
        for geometry, value in entries:
            draw_inclusive(image, geometry, value, drawing)
        return np.array(image, np.int32)
    columns = drawing.rule == "coco"
    shape = size[::-1] if columns else size
    canvas = np.full(shape, rest, np.int32)
    waiting: list[tuple[Geometry, int]] = []
    for geometry, value in entries:
        if is_plain(geometry):
            waiting.append((geometry, value))
            continue
        fill(canvas, waiting, size, columns)
        waiting = []
        upright = canvas.T if columns else canvas
        mask = mask_of(geometry, size, drawing)
        upright[window_of(mask, size)][visible(mask, size)] = value
    fill(canvas, waiting, size, columns)
    return np.ascontiguousarray(canvas.T) if columns else canvas

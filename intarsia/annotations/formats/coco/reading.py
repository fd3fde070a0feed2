"""Reading COCO's instances: polygons, run lengths of both kinds, boxes, keypoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.annotations import rle
from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Category, Document, Shape
from intarsia.annotations.finding import ImageFinder, photo_folder, walk
from intarsia.annotations.formats.coco.index import Index, files_below, image_of, key_of, kind_of, load_all
from intarsia.annotations.geometry import Geometry, Keypoint, Mask, Polygon, Rectangle, Ring, Skeleton
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, number, points, usable, whole_number
from intarsia.errors import DataError

_ENTRY = frozenset(
    ("id", "image_id", "category_id", "bbox", "area", "segmentation", "iscrowd", "keypoints", "num_keypoints",
     "attributes", "score")
)  # fmt: skip

_BYTES = re.compile(r"b(['\"])(.*)\1")

_STATES: dict[Any, Literal["visible", "occluded", "absent"]] = {2: "visible", 1: "occluded", 0: "absent"}


def read(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Open one COCO file, or every one below a folder (train and val files divide the images into subsets).

    Annotations without a segmentation become rectangles; a segmentation of several rings is their union, as COCO
    means it. Keypoints become a skeleton of the same instance as their annotation's outline.

    Args:
        path: a JSON file or a folder.
        images: folder with the images; default the folder of the JSON file.

    Raises:
        DataError: no COCO file, or a broken one.
    """
    files, others = files_below(path, panoptic=False)
    if not files:
        raise DataError(f"{path}: no COCO files (.json with images and annotations) here")
    root = images or photo_folder(path)
    finder = ImageFinder(root)
    categories, indices = load_all(files, others)

    def stream(lost: Lost) -> Iterator[Document]:
        for index in indices(lost):
            yield from usable(index.images, partial(_document, index, finder, lost), lost, "image")

    return AnnotationSet("coco", path, root, categories, stream)


def sniff(path: Path) -> bool:
    """Recognise a file of COCO instances, or a folder by one of its first JSON files."""
    return any(kind_of(file) is False for file, _ in zip(walk(path, (".json",)), range(20), strict=False))


def _document(index: Index, finder: ImageFinder, lost: Lost, entry: dict[str, Any]) -> AnnotatedImage:
    document = image_of(entry, index, finder, lost)
    shapes: list[Shape] = []
    fresh = count(1)
    for annotation in index.annotations.get(key_of(entry["id"]), ()):
        where = f"{index.path.name}: annotation {annotation.get('id')} of {document.name}"
        try:
            found = _shapes(annotation, index, document, where, lost)
        except BadShape as error:
            lost.dropped(str(error), where)
            continue
        if len(found) > 1:
            instance = next(fresh)
            found = [replace(shape, instance=instance) for shape in found]
        shapes += found
    return replace(document, shapes=tuple(shapes))


def _shapes(annotation: dict[str, Any], index: Index, document: AnnotatedImage, where: str, lost: Lost) -> list[Shape]:
    key = annotation.get("category_id")
    category = index.categories.get(key_of(key))
    if category is None and not index.categories and isinstance(key, int | str):
        category = Category(f"category_{key}")  # the file names no class at all
    if category is None:
        raise BadShape("an annotation of a category that the file does not name")
    attributes = dict(annotation["attributes"]) if isinstance(annotation.get("attributes"), dict) else {}
    shape = Shape(
        category.name,
        Polygon(()),
        attributes={key: value for key, value in attributes.items() if not (key == "occluded" and value in (0, 1))},
        occluded=attributes.get("occluded") in (True, 1),
        crowd=annotation.get("iscrowd") in (1, True, "1"),
        score=_score(annotation.get("score")),
        extra={key: value for key, value in annotation.items() if key not in _ENTRY},
    )
    skeleton = _skeleton(annotation.get("keypoints"), category)
    area = _area(annotation, document, where, lost)
    if area is None and skeleton is None:
        raise BadShape("an annotation without outline, box or keypoints")
    return [replace(shape, geometry=geometry) for geometry in (area, skeleton) if geometry is not None]


def _score(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else None


def _area(annotation: dict[str, Any], document: AnnotatedImage, where: str, lost: Lost) -> Geometry | None:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        segmentation = [segmentation]
    if segmentation == [[]]:  # as some exporters have it of boxes
        segmentation = None
    if isinstance(segmentation, list) and segmentation:
        if all(isinstance(part, dict) for part in segmentation):
            return Mask(np.logical_or.reduce([_bitmap(part, document) for part in segmentation])).cropped()
        if all(isinstance(value, int | float) for value in segmentation):
            lost.changed("a segmentation that is one flat list was read as one ring", where)
            segmentation = [segmentation]
        rings = [ring for ring in (_ring(values, where, lost) for values in segmentation) if ring]
        return Polygon.of(*rings) if rings else None  # its box would be filled, and is not what was drawn
    if segmentation:
        raise BadShape("a segmentation that is neither rings nor run lengths")
    return _box(annotation.get("bbox"))


def _ring(values: Any, where: str, lost: Lost) -> Ring | None:
    try:
        if not isinstance(values, list):
            raise BadShape("a ring that is not a list of numbers")
        if values and all(isinstance(value, list) for value in values):  # [[x, y], ...], as some exporters have it
            values = [value for point in points(values) for value in point]
        if len(values) % 2:
            raise BadShape("a ring with an odd number of coordinates")
        if len(values) < 6:
            raise BadShape("a polygon has fewer than 3 points")
        flat = [number(value) for value in values]
    except BadShape as error:
        lost.dropped(str(error), where)
        return None
    corners = tuple(zip(flat[0::2], flat[1::2], strict=True))
    return corners[:-1] if len(corners) > 3 and corners[0] == corners[-1] else corners


def _bitmap(segmentation: dict[str, Any], document: AnnotatedImage) -> NDArray[np.bool_]:
    """The pixels of run lengths: of a text, of a list of numbers, or of how Python shows bytes ("b'...'")."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    height, width = map(whole_number, size) if isinstance(size, list) and len(size) == 2 else (None, None)
    if height is None or width is None or min(height, width) < 0:
        raise BadShape("run lengths without a size [height, width]")
    if (document.height or height, document.width or width) != (height, width):
        raise BadShape("run lengths for an image of another size")
    try:
        if isinstance(counts, str):
            quoted = _BYTES.fullmatch(counts)
            return rle.decode_runs(
                rle.from_text(quoted[2].replace("\\\\", "\\") if quoted else counts), (height, width)
            )
        numbers = [whole_number(value) for value in counts] if isinstance(counts, list) else [None]
        if None in numbers:
            raise BadShape("run lengths that are neither a text nor whole numbers")
        return rle.decode_runs(numbers, (height, width))  # type: ignore[arg-type]
    except DataError as error:
        raise BadShape(str(error)) from None


def _box(value: Any) -> Rectangle | None:
    if not isinstance(value, list) or len(value) != 4:
        return None
    x, y, width, height = map(number, value)
    if width < 0 or height < 0:
        raise BadShape("a box of negative width or height")
    return Rectangle(x, y, x + width, y + height)


def _skeleton(value: Any, category: Category) -> Skeleton | None:
    if not isinstance(value, list) or not value or len(value) % 3:
        return None
    numbered = tuple(str(place) for place in range(1, len(value) // 3 + 1))
    names = category.keypoints if len(category.keypoints) == len(numbered) else numbered
    found = []
    for name, x, y, state in zip(names, value[0::3], value[1::3], value[2::3], strict=True):
        known = _STATES.get(state, "visible") if isinstance(state, int) else "visible"
        found.append(Keypoint(name, number(x), number(y), known))
    return Skeleton(tuple(found))

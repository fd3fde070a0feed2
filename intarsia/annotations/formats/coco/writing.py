"""Writing COCO's instances, image by image."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from intarsia.annotations import outlines, rle
from intarsia.annotations.document import AnnotatedImage, Category, Document, Shape
from intarsia.annotations.drawing import DrawingRules, clipped
from intarsia.annotations.geometry import Keypoint, Mask, Polygon, Rectangle, Skeleton
from intarsia.annotations.lost import Lost
from intarsia.annotations.writing import account, fitted, size_of, still_images, to_json
from intarsia.errors import DataError
from intarsia.files import atomic_path

_ACCEPTED = (Polygon, Rectangle, Mask, Skeleton)
_STORED = ("instance", "attributes", "occluded", "crowd", "score")
_STATES = {"visible": 2, "occluded": 1, "absent": 0}
DRAWING = DrawingRules("coco", "area")


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write one COCO file. Masks are stored as run lengths, polygons with holes become masks.

    Returns:
        What COCO cannot express.

    Raises:
        DataError: nothing to write, or the file cannot be written.
    """
    lost = Lost()
    classes = Classes(categories)
    ids = ImageIds()
    # Images and annotations are two lists of one file: the second waits in a file of its own.
    with (
        atomic_path(path) as temporary,
        tempfile.TemporaryFile("w+", encoding="utf-8") as waiting,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.write('{"images": [')
        written = 0
        for number, document in enumerate(still_images(documents, lost)):
            account(document, lost, "coco", shape=_STORED)
            entry = image_entry(document, ids)
            file.write((",\n" if number else "\n") + to_json(entry))
            for annotation in _annotations(document, classes, lost):
                written += 1
                annotation = {"id": written, "image_id": entry["id"]} | annotation
                waiting.write((",\n" if written > 1 else "\n") + to_json(annotation))
        if not ids.taken:
            raise DataError(f"{path}: there are no annotations to write")
        file.write('\n],\n"annotations": [')
        waiting.seek(0)
        shutil.copyfileobj(waiting, file)
        file.write(f'\n],\n"categories": {to_json(classes.entries())}}}\n')
    return lost


class ImageIds:
    """Image numbers: an image's own where it has one that is still free, else the next free one."""

    def __init__(self) -> None:
        self.taken: set[Any] = set()

    def of(self, wanted: Any) -> int:
        if type(wanted) is not int or wanted in self.taken:
            wanted = len(self.taken) + 1
            while wanted in self.taken:
                wanted += 1
        self.taken.add(wanted)
        return int(wanted)


class Classes:
    """Category numbers: the declared ones if each is different, else 1, 2, ...; labels that occur besides follow."""

    def __init__(self, categories: Sequence[Category]) -> None:
        unique = {category.name: category for category in categories}
        ids = [category.id for category in unique.values()]
        own = None not in ids and len(set(ids)) == len(ids) and all(type(number) is int for number in ids)
        self._categories = unique
        self._ids = dict(zip(unique, ids if own else range(1, len(unique) + 1), strict=True))

    def id(self, label: str) -> int:
        """The number of a class, a new one for a label seen for the first time."""
        if label not in self._ids:
            self._categories[label] = Category(label)
            self._ids[label] = max((number for number in self._ids.values() if number is not None), default=0) + 1
        return self._ids[label] or 0

    def see_keypoints(self, label: str, names: tuple[str, ...]) -> bool:
        """Note the names of a skeleton's points; False where the class already has others."""
        self.id(label)
        known = self._categories[label].keypoints
        if not known:
            self._categories[label] = replace(self._categories[label], keypoints=names)
        return not known or known == names

    def entries(self, *, things: bool = False) -> list[dict[str, Any]]:
        """The categories as COCO lists them, of panoptic files with whether they have things."""
        found = []
        for name, category in self._categories.items():
            entry: dict[str, Any] = {"id": self._ids[name], "name": name, "supercategory": category.group}
            if things:
                entry["isthing"] = int(category.thing)
            if category.color:
                entry["color"] = list(category.color)
            if category.keypoints:
                entry |= {"keypoints": list(category.keypoints), "skeleton": []}
            found.append(entry)
        return found


def image_entry(document: AnnotatedImage, ids: ImageIds) -> dict[str, Any]:
    """An image as COCO lists it."""
    width, height = size_of(document)
    extra = dict(document.extra) if document.tool in ("coco", "") else {}
    return extra | {
        "id": ids.of(extra.get("id")),
        "file_name": document.name,
        **({} if width is None else {"width": width}),
        **({} if height is None else {"height": height}),
    }


def _annotations(document: AnnotatedImage, classes: Classes, lost: Lost) -> Iterator[dict[str, Any]]:
    for group in _instances(document.shapes):
        shapes = [
            shape
            for drawn in group
            for shape in fitted(drawn, lost, document.name, _ACCEPTED, parts=True, drawing=DRAWING)
        ]
        areas = [shape for shape in shapes if not isinstance(shape.geometry, Skeleton)]
        skeletons = [shape for shape in shapes if isinstance(shape.geometry, Skeleton)]
        if len(areas) > 1:
            lost.changed("shapes of one instance became one annotation", document.name)
        merged = _merged(areas)
        rest = [[*merged[:1], *skeletons[:1]], *([shape] for shape in (*merged[1:], *skeletons[1:]))]
        for parts in rest:
            if parts and (entry := _annotation(parts, document, classes, lost)):
                yield entry


def _instances(shapes: Sequence[Shape]) -> list[list[Shape]]:
    """Shapes with the same label and instance number together, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[Shape]] = {}
    for index, shape in enumerate(shapes):
        key = (index,) if shape.instance is None else (shape.label, shape.instance)
        groups.setdefault(key, []).append(shape)
    return list(groups.values())


def _merged(areas: Sequence[Shape]) -> list[Shape]:
    """Polygons of one instance as one polygon; other geometries stay as they are."""
    polygons = [shape for shape in areas if isinstance(shape.geometry, Polygon)]
    if len(polygons) < 2:
        return list(areas)
    parts = tuple(part for shape in polygons for part in shape.geometry.parts)  # type: ignore[union-attr]
    others = [shape for shape in areas if not isinstance(shape.geometry, Polygon)]
    return [replace(polygons[0], geometry=Polygon(parts)), *others]


def _annotation(
    shapes: Sequence[Shape], document: AnnotatedImage, classes: Classes, lost: Lost
) -> dict[str, Any] | None:
    first = shapes[0]
    entry: dict[str, Any] = {"category_id": classes.id(first.label), "iscrowd": int(first.crowd)}
    for shape in shapes:
        match shape.geometry:
            case Mask():
                stored = _run_lengths(shape.geometry, document, lost)
                if stored is None:
                    return None
                entry["segmentation"] = stored
            case Polygon():
                entry["segmentation"] = [[value for point in ring for value in point] for ring in shape.geometry.rings]
            case Rectangle():
                entry["segmentation"] = []
            case Skeleton(points):
                entry |= _keypoints(shape.label, points, document, classes, lost)
        if not isinstance(shape.geometry, Skeleton):
            x1, y1, x2, y2 = outlines.bounds(shape.geometry) or (0.0, 0.0, 0.0, 0.0)
            entry |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": outlines.area(shape.geometry)}
    attributes = dict(first.attributes) | ({"occluded": True} if first.occluded else {})
    if attributes:
        entry["attributes"] = attributes
    if first.score is not None:
        entry["score"] = first.score
    return (dict(first.extra) if document.tool in ("coco", "") else {}) | entry


def _run_lengths(mask: Mask, document: AnnotatedImage, lost: Lost) -> dict[str, Any] | None:
    width, height = size_of(document)
    if width is None or height is None:
        lost.dropped("a mask of an image whose size is not known", document.name)
        return None
    bitmap = clipped(mask, (height, width))
    if bitmap.sum() != mask.bitmap.sum():
        lost.changed("a mask was cut at the image's border", document.name)
    if not bitmap.any():
        lost.dropped("an empty shape", document.name)
        return None
    return {"size": [height, width], "counts": rle.to_text(rle.runs(bitmap))}


def _keypoints(
    label: str, points: tuple[Keypoint, ...], document: AnnotatedImage, classes: Classes, lost: Lost
) -> dict[str, Any]:
    if not classes.see_keypoints(label, tuple(point.name for point in points)):
        lost.changed("keypoints with other names than their class declares", document.name)
    states = [_STATES[point.state] for point in points]
    flat = [value for point, state in zip(points, states, strict=True) for value in (point.x, point.y, state)]
    return {"keypoints": flat, "num_keypoints": sum(state > 0 for state in states)}

"""Writing Labelbox's import NDJSON, which its SDK uploads as labels or pre-labels."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from intarsia.annotations.bitmaps import leaves, png_of
from intarsia.annotations.document import AnnotatedImage, Category, Document, Shape
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.geometry import Geometry, Mask, Points, Polygon, Polyline, Rectangle
from intarsia.annotations.lost import Lost
from intarsia.annotations.numerals import end, length
from intarsia.annotations.writing import account, account_classes, fitted, singles, size_of, still_images
from intarsia.errors import DataError
from intarsia.files import atomic_path

GEOMETRIES = (Rectangle, Polygon, Polyline, Points, Mask)
DRAWING = DrawingRules("inclusive")


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write one line an annotation.

    Data rows are named as Labelbox named them where the documents come from there; else the image's name is taken for
    their global key.

    Returns:
        What Labelbox cannot express.

    Raises:
        DataError: nothing to write, an image with masks whose size nobody knows, or the place cannot be written.
    """
    lost = Lost()
    lines = 0
    labels: set[str] = set()
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for document in still_images(documents, lost):
            account(document, lost, "labelbox", shape=("attributes", "score"), image=("attributes",))
            if document.image is None and (document.width or document.height):
                lost.dropped("labelbox does not import the size of images", document.name)
            labels |= document.labels()
            before = lines
            for entry in _entries(document, lost):
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
                lines += 1
            if lines == before:
                lost.dropped("an image without annotations leaves no line", document.name)
        if not lines:
            raise DataError(f"{path}: nothing to write: there is no annotation that Labelbox could import")
    account_classes(categories, lost, "labelbox", seen=labels)
    return lost


def _entries(document: AnnotatedImage, lost: Lost) -> Iterator[dict[str, Any]]:
    known = document.extra if document.tool == "labelbox" else {}
    data = {"globalKey": known.get("global_key", document.name)}
    if "data_row" in known and "global_key" not in known:
        data = {"id": known["data_row"]}

    def identity(number: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{document.name}#{number}"))

    number = 0
    for question in _classifications(document.attributes, document.name, lost):
        yield {"uuid": identity(number), "dataRow": data, **question}
        number += 1
    for shape in _fitted(document, lost):
        where = f"{document.name} ({shape.label})"
        yield {
            "uuid": identity(number),
            "dataRow": data,
            "name": shape.label,
            **_geometry(shape.geometry, document, where, lost),
            "classifications": list(_classifications(shape.attributes, where, lost)),
            **({"confidence": shape.score} if shape.score is not None else {}),
        }
        number += 1


def _fitted(document: AnnotatedImage, lost: Lost) -> Iterator[Shape]:
    for number, shape in enumerate(document.shapes, start=1):
        where = f"{document.name}: shape {number} ({shape.label})"
        yield from singles(fitted(shape, lost, where, GEOMETRIES, drawing=DRAWING), lost, where)


def _geometry(geometry: Geometry, document: AnnotatedImage, where: str, lost: Lost) -> dict[str, Any]:
    match geometry:
        case Rectangle(x1, y1, x2, y2):
            width, height = length(x1, x2), length(y1, y2)
            if end(x1, width) != x2 or end(y1, height) != y2:
                lost.changed("a number is rounded in its last digit", where)
            return {"bbox": {"top": y1, "left": x1, "height": height, "width": width}}
        case Polygon():
            return {"polygon": [{"x": x, "y": y} for x, y in geometry.rings[0]]}
        case Polyline(points):
            return {"line": [{"x": x, "y": y} for x, y in points]}
        case Points(points):
            return {"point": {"x": points[0][0], "y": points[0][1]}}
        case Mask():
            width_, height_ = size_of(document)
            if width_ is None or height_ is None:
                raise DataError(
                    f"{document.source}: the size of {document.name} is not known, which its masks need; name the "
                    "folder with the images"
                )
            if leaves(geometry, (height_, width_)):
                lost.changed("a mask was cut at the edge of the image", where)
            return {"mask": {"png": base64.b64encode(png_of(geometry, (height_, width_))).decode()}}
    raise TypeError(type(geometry).__name__)


def _classifications(fields: Mapping[str, Any], where: str, lost: Lost) -> Iterator[dict[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, list | tuple):
            yield {"name": name, "answer": [{"name": str(one)} for one in value]}
            continue
        if not isinstance(value, str):
            lost.changed("a number or truth value became text", where)
        yield {"name": name, "answer": str(value).lower() if isinstance(value, bool) else str(value)}

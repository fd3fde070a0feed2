"""Writing Label Studio's JSON of tasks, which it imports."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from intarsia.annotations.document import AnnotatedImage, Category, Document, Shape
from intarsia.annotations.drawing import DrawingRules, clipped
from intarsia.annotations.formats.labelstudio import brush
from intarsia.annotations.geometry import Ellipse, Mask, Points, Polygon, Polyline, Rectangle
from intarsia.annotations.lost import Lost
from intarsia.annotations.writing import account, account_classes, fitted, singles, size_of, still_images, to_json
from intarsia.errors import DataError
from intarsia.files import write_text

DRAWING = DrawingRules("inclusive", "list")

_ACCEPTED = (Polygon, Polyline, Rectangle, Ellipse, Points, Mask)
_DOT = 0.5  # percent of the width: how large a key point is shown


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write one JSON of tasks. Shapes with a score become predictions, others annotations.

    Images are named as local files (/data/local-files/?d=NAME); from_name is the kind of the shape (polygon, rectangle,
    ellipse, brush, keypoint), to_name is image, as the labelling configuration has to name them.

    Returns:
        What Label Studio cannot express.

    Raises:
        DataError: nothing to write, or an image of unknown size.
    """
    lost = Lost()
    labels: set[str] = set()
    tasks = []
    for document in still_images(documents, lost):
        account(document, lost, "labelstudio", shape=("score",))
        width, height = size_of(document)
        if not width or not height:
            raise DataError(f"{document.name}: its size is not known, which percents need; put the image beside")
        labels |= document.labels()
        found = list(_results(document, (width, height), lost))
        kind = "predictions" if any("score" in one for one in found) else "annotations"
        task = {"data": {"image": f"/data/local-files/?d={quote(document.name)}"}, kind: [{"result": found}]}
        tasks.append(({"id": document.extra["id"]} if document.tool == "labelstudio" and document.extra else {}) | task)
    if not tasks:
        raise DataError(f"{path}: there are no annotations to write")
    account_classes(categories, lost, "labelstudio", seen=labels)
    write_text(path, to_json(tasks, indent=1) + "\n")
    return lost


def _results(document: AnnotatedImage, size: tuple[int, int], lost: Lost) -> Iterator[dict[str, Any]]:
    place = 0
    for drawn in document.shapes:
        fitting = fitted(drawn, lost, document.name, _ACCEPTED, angles=True, drawing=DRAWING)
        for shape in singles(fitting, lost, document.name):
            kind, value = region(shape, size)
            place += 1
            yield {
                "id": uuid.uuid5(uuid.NAMESPACE_URL, f"{document.name}#{place}").hex[:10],
                "type": f"{kind}labels",
                "from_name": kind,
                "to_name": "image",
                "original_width": size[0],
                "original_height": size[1],
                "image_rotation": 0,
                "value": value | {f"{kind}labels": [shape.label]},
            } | ({} if shape.score is None else {"score": shape.score})


def region(shape: Shape, size: tuple[int, int]) -> tuple[str, dict[str, Any]]:
    """Give the kind and the value of a shape in an image of `size` (W, H), in percent of its sides."""
    width, height = size[0] / 100, size[1] / 100
    match shape.geometry:
        case Polygon():
            ring = shape.geometry.rings[0]
            return "polygon", {"points": [[x / width, y / height] for x, y in ring], "closed": True}
        case Polyline(points):
            return "polygon", {"points": [[x / width, y / height] for x, y in points], "closed": False}
        case Rectangle(x1, y1, x2, y2, angle):
            turn = math.radians(angle)
            across, down = (x2 - x1) / 2, (y2 - y1) / 2
            left = x1 + across - across * math.cos(turn) + down * math.sin(turn)
            top = y1 + down - across * math.sin(turn) - down * math.cos(turn)
            sides = {"width": (x2 - x1) / width, "height": (y2 - y1) / height, "rotation": angle % 360}
            return "rectangle", {"x": left / width, "y": top / height, **sides}
        case Ellipse(x, y, rx, ry, angle):
            radii = {"radiusX": rx / width, "radiusY": ry / height, "rotation": angle % 360}
            return "ellipse", {"x": x / width, "y": y / height, **radii}
        case Points(points):
            return "keypoint", {"x": points[0][0] / width, "y": points[0][1] / height, "width": _DOT}
        case Mask():
            return "brush", {"format": "rle", "rle": brush.encode(clipped(shape.geometry, size[::-1]))}
    raise AssertionError(f"not fitted: {shape.geometry}")

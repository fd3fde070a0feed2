"""LabelMe's JSON files (github.com/wkentaro/labelme, versions 1 to 7): one beside each image."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.annotations.bitmaps import png_of, read_bitmap
from intarsia.annotations.document import (
    BACKGROUND_NAMES,
    AnnotatedImage,
    AnnotationSet,
    Category,
    Document,
    Shape,
    is_unlabelled,
)
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.finding import ImageFinder, clean_name, head, holds, photo_folder, safe_parts, walk
from intarsia.annotations.geometry import Circle, Geometry, Mask, Point, Points, Polygon, Polyline, Rectangle
from intarsia.annotations.lost import Lost
from intarsia.annotations.outlines import rings
from intarsia.annotations.photos import embedded
from intarsia.annotations.reading import BadShape, kept, load_json, points, polygon, side, usable, whole_number
from intarsia.annotations.tools import Tool
from intarsia.annotations.writing import account, fitted, fresh_instances, size_of, still_images, to_json
from intarsia.classlists import read_class_file, reads_as
from intarsia.errors import DataError
from intarsia.files import write_text

_TOP = ("version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth")
_SHAPE = ("label", "points", "group_id", "description", "shape_type", "flags", "mask")
_ACCEPTED = (Polygon, Rectangle, Circle, Polyline, Points, Mask)

# LabelMe's own exporter (labelme/utils/shape.py) draws lines 10 pixels wide and points as discs of radius 5.
DRAWING = DrawingRules("inclusive", "list", line_width=10, point_radius=5)


def read(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Open one LabelMe file, or every one below a folder.

    The image is the file that `imagePath` names, or else the one beside the JSON with the same stem (the usual case
    after files were renamed or moved), or else the copy embedded in the JSON.

    Args:
        path: a JSON file or a folder.
        images: folder with the images, which no name may leave; default the folder of the JSON files.

    Raises:
        DataError: no LabelMe file there; or (while iterating) the only file is broken.
    """
    files = list(walk(path, (".json",)))
    if path.is_dir():
        files = [file for file in files if is_labelme(file)]
    if not files:
        raise DataError(f"{path}: no LabelMe files (.json with a list of shapes) here")
    root = images or photo_folder(path)
    finder = ImageFinder(root)

    def stream(lost: Lost) -> Iterator[Document]:
        return usable(files, lambda file: read_file(file, finder, lost), lost)

    categories = tuple(Category(name) for name in _label_file(path if path.is_dir() else path.parent))
    return AnnotationSet("labelme", path, root, categories, stream)


def read_file(path: Path, finder: ImageFinder, lost: Lost) -> AnnotatedImage:
    """Read one file; shapes that cannot be used are counted in `lost`.

    Raises:
        DataError: broken JSON, or not a LabelMe file.
    """
    value = load_json(path, "LabelMe", lost)
    if not isinstance(value, dict) or not isinstance(value.get("shapes"), list):
        raise DataError(f"{path}: not a LabelMe file: it has no list of shapes; take the JSON that LabelMe saved")
    said = value.get("imagePath")
    named = said if isinstance(said, str) else ""
    image = finder.find(named, beside=path.parent, lost=lost) or finder.find(f"{path.stem}.jpg", beside=path.parent)
    return AnnotatedImage(
        name=_name(image, named, path, finder.root),
        source=path,
        image=image,
        width=side(value.get("imageWidth"), f"{path}: imageWidth"),
        height=side(value.get("imageHeight"), f"{path}: imageHeight"),
        shapes=kept(value["shapes"], _shape, path.name, lost),
        attributes=_flags(value.get("flags")),
        embedded=embedded(value.get("imageData"), path.name, lost),
        tool="labelme",
        extra={key: entry for key, entry in value.items() if key not in _TOP},
    )


def is_labelme(path: Path) -> bool:
    """Recognise a JSON file of LabelMe; damaged files beside an image of the same stem count too."""
    if not head(path, 256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False  # such as the list of jobs in a backup of CVAT, whose shapes have points and labels too
    marks = ((b'"points"', b'"label"'), (b'"imagePath"',), (b'"shapes": []',))
    if any(holds(path, b'"shapes"', *others) for others in marks):
        return True
    if ImageFinder(path.parent).find(path.stem, beside=path.parent) is None:
        return False
    try:
        load_json(path, "LabelMe")
    except DataError:
        return True
    return False


def sniff(path: Path) -> bool:
    """Recognise LabelMe's file, or a folder by one of its first JSON files."""
    for number, file in enumerate(walk(path, (".json",))):
        if number == 20:
            break
        if is_labelme(file):
            return True
    return False


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write one JSON an image into a folder, and the classes as labels.txt.

    Returns:
        What LabelMe's files cannot express.
    """
    lost = Lost()
    names = {category.name: None for category in categories}
    taken: set[Path] = set()
    for document in still_images(documents, lost):
        account(document, lost, "labelme", shape=("instance", "attributes"), image=("attributes", "embedded"))
        image = path.joinpath(*safe_parts(document.name))
        target = image.with_suffix(".json")
        if target in taken:
            target = image.with_name(f"{image.name}.json")
            lost.changed("two images would share one JSON file, the second is named by its whole name", document.name)
        taken.add(target)
        write_text(target, to_json(_document(document, image, lost), indent=2) + "\n")
        names.update(dict.fromkeys(shape.label for shape in document.shapes))
    if not taken:
        raise DataError(f"{path}: there are no annotations to write")
    _write_labels(path, [*names])
    return lost


def _name(image: Path | None, said: str, path: Path, root: Path) -> str:
    """The image's name from the data set's folder on."""
    if image is not None:
        return image.relative_to(root).as_posix()
    there = Path(os.path.normpath(Path(os.path.abspath(path.parent)) / clean_name(said or f"{path.stem}.jpg")))
    return there.relative_to(root).as_posix() if there.is_relative_to(root) and there != root else there.name


def _shape(entry: Any) -> Shape:
    label = entry.get("label") if isinstance(entry, dict) else None
    if isinstance(label, bool) or not isinstance(label, str | int) or not str(label).strip():
        raise BadShape("a shape without a label")
    attributes = _flags(entry.get("flags"))
    if isinstance(entry.get("description"), str) and entry["description"]:
        attributes["description"] = entry["description"]
    return Shape(
        label=str(label),
        geometry=_geometry(entry),
        instance=whole_number(entry.get("group_id")),
        attributes=attributes,
        extra={key: value for key, value in entry.items() if key not in _SHAPE},
    )


def _flags(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _geometry(entry: dict[str, Any]) -> Geometry:
    kind = str(entry.get("shape_type") or "polygon").lower()
    drawn = entry.get("points")
    match kind:
        case "polygon" | "quadrilateral":
            return polygon(drawn)
        case "rectangle" if isinstance(drawn, list) and len(drawn) != 4:
            return Rectangle.between(*_pair(drawn, kind))
        case "rectangle" | "oriented_rectangle" | "rotation":  # X-AnyLabeling's rectangles have 4 corners
            return _oriented(drawn)
        case "circle":
            (x, y), (rim_x, rim_y) = _pair(drawn, kind)
            return Circle(x, y, math.hypot(rim_x - x, rim_y - y))
        case "line" | "linestrip":
            return Polyline(points(drawn, 2, kind))
        case "point" | "points":
            return Points(points(drawn, 1, kind))
        case "mask":
            corner = _pair(drawn, kind)[0]
            return _mask(entry.get("mask"), round(corner[0]), round(corner[1]))
    raise BadShape(f"unknown shape type {kind[:40]!r}")


def _pair(value: Any, kind: str) -> tuple[Point, Point]:
    found = points(value, 2, kind)
    if len(found) != 2:
        raise BadShape(f"a {kind} with more than 2 points")
    return found[0], found[1]


def _oriented(value: Any) -> Geometry:
    """Four corners in order as a turned rectangle; corners that make none stay a polygon."""
    outline = polygon(value)
    corners = outline.rings[0]
    if len(corners) != 4:
        raise BadShape("an oriented rectangle without 4 points")
    (ax, ay), (bx, by), (cx, cy), _ = corners
    width, height = math.hypot(bx - ax, by - ay), math.hypot(cx - bx, cy - by)
    x, y = (ax + cx) / 2, (ay + cy) / 2
    found = Rectangle(
        x - width / 2, y - height / 2, x + width / 2, y + height / 2, math.degrees(math.atan2(by - ay, bx - ax))
    )
    fits = np.allclose(rings(found)[0][0], np.array(corners), atol=0.01)
    return found if fits else outline


def _mask(value: Any, left: int, top: int) -> Mask:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
        found, _ = read_bitmap(data, "mask", size=None)
    except (ValueError, DataError):  # ValueError: it is no text in base64
        raise BadShape("a mask whose PNG is missing or damaged") from None
    return Mask(found.bitmap, left + found.left, top + found.top)


def _label_file(folder: Path) -> list[str]:
    """The names in LabelMe's labels.txt, without its line for what is ignored.

    Raises:
        DataError: it is there, and cannot be understood.
    """
    path = folder / "labels.txt"
    if not path.is_file() or not path.stat().st_size:
        return []
    return [name for name in read_class_file(path).in_order_of_values().names if name != "__ignore__"]


def _write_labels(folder: Path, names: Sequence[str]) -> None:
    listed = [
        "_background_",
        *(name for name in names if name.lower() not in BACKGROUND_NAMES and not is_unlabelled(name)),
    ]
    text = "\n".join(["__ignore__", *listed]) + "\n"
    if all(name.isprintable() for name in listed) and reads_as(text, listed):  # else a line is not a name
        write_text(folder / "labels.txt", text)


def _document(document: AnnotatedImage, image: Path, lost: Lost) -> dict[str, Any]:
    own = document.tool in ("labelme", "")
    fresh = fresh_instances(document)
    shapes = [
        _entry(shape, own, document.name, lost)
        for drawn in document.shapes
        for shape in fitted(drawn, lost, document.name, _ACCEPTED, angles=True, drawing=DRAWING, fresh=fresh)
    ]
    width, height = size_of(document)  # LabelMe does not open a file without them
    # A photo elsewhere is named by the way to it; one that lies beside, or is to be copied there, by its name.
    elsewhere = document.image is not None and document.image.parent != Path(os.path.abspath(image.parent))
    shown = os.path.relpath(document.image or image, image.parent) if elsewhere else image.name
    return {
        "version": "7.1.0",
        "flags": _bools(document.attributes, document.name, lost),
        "shapes": [shape for shape in shapes if shape is not None],
        "imagePath": Path(shown).as_posix(),
        "imageData": base64.b64encode(document.embedded).decode() if document.embedded else None,
        "imageHeight": height,
        "imageWidth": width,
    } | (dict(document.extra) if own else {})


def _entry(shape: Shape, own: bool, where: str, lost: Lost) -> dict[str, Any] | None:
    attributes = dict(shape.attributes)
    description = attributes.pop("description") if isinstance(attributes.get("description"), str) else ""
    if isinstance(shape.geometry, Mask) and not shape.geometry.bitmap.size:
        lost.dropped("an empty shape", where)
        return None
    kind, drawn = _points_of(shape.geometry)
    mask = shape.geometry.bitmap if isinstance(shape.geometry, Mask) else None
    return {
        "label": shape.label,
        "points": [list(point) for point in drawn],
        "group_id": shape.instance,
        "description": description,
        "shape_type": kind,
        "flags": _bools(attributes, where, lost),
        "mask": None if mask is None else base64.b64encode(png_of(Mask(mask), mask.shape)).decode(),
    } | (dict(shape.extra) if own else {})


def _points_of(geometry: Geometry) -> tuple[str, Sequence[Point]]:
    """LabelMe's name of a geometry, and the points that it stores."""
    match geometry:
        case Rectangle(x1, y1, x2, y2, 0):
            return "rectangle", ((x1, y1), (x2, y2))
        case Rectangle():
            return "oriented_rectangle", [(x, y) for x, y in rings(geometry)[0][0].tolist()]
        case Circle(x, y, radius):
            return "circle", ((x, y), (x + radius, y))
        case Polyline(drawn):
            return ("line" if len(drawn) == 2 else "linestrip"), drawn
        case Points(drawn):
            return ("point" if len(drawn) == 1 else "points"), drawn
        case Mask(bitmap, left, top):
            height, width = bitmap.shape
            return "mask", ((left, top), (left + width - 1, top + height - 1))
        case Polygon():
            return "polygon", geometry.rings[0]
    raise AssertionError(f"not fitted: {geometry}")


def _bools(attributes: Mapping[str, Any], where: str, lost: Lost) -> dict[str, bool]:
    flags = {name: value for name, value in attributes.items() if isinstance(value, bool)}
    lost.dropped("an attribute that is not true or false (LabelMe's flags)", where, len(attributes) - len(flags))
    return flags


TOOL = Tool("labelme", "LabelMe (wkentaro): one JSON file an image", sniff, read, write, suffix="", drawing=DRAWING)

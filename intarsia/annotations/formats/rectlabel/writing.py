"""Writing RectLabel's XML: one file an image, masks as PNG files beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

from intarsia.annotations.bitmaps import leaves, write_png
from intarsia.annotations.document import AnnotatedImage, Category, Document, Shape
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.finding import safe_parts
from intarsia.annotations.geometry import (
    Bezier,
    Geometry,
    Mask,
    Point,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
)
from intarsia.annotations.lost import Lost
from intarsia.annotations.writing import account, account_classes, fitted, singles, size_of, still_images
from intarsia.annotations.xmlfile import XmlWriter
from intarsia.errors import DataError
from intarsia.files import atomic_path

GEOMETRIES = (Rectangle, Polygon, Bezier, Polyline, Points, Skeleton, Mask)
DRAWING = DrawingRules("inclusive")

_VISIBILITY = {"absent": "0", "occluded": "1", "visible": "2"}


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write one XML an image into a folder, which is RectLabel's annotations folder. Coordinates count from 1.

    Returns:
        What RectLabel cannot express; it knows whole pixels only.

    Raises:
        DataError: nothing to write, an image whose size nobody knows, or the place cannot be written.
    """
    lost = Lost()
    taken: set[Path] = set()
    labels: set[str] = set()
    masks: dict[Path, Iterator[int]] = {}  # a.jpg and a.png share the names of their masks
    for document in still_images(documents, lost):
        account(document, lost, "rectlabel", shape=("attributes", "occluded"))
        target = path.joinpath(*safe_parts(document.name)).with_suffix(".xml")
        if target in taken:
            target = target.with_name(f"{Path(document.name).name}.xml")
            lost.changed("two images would share one XML file, the second is named by its whole name", document.name)
        taken.add(target)
        labels |= document.labels()
        stem = target.with_name(Path(document.name).stem)
        _write(document, target, masks.setdefault(stem, count()), lost)
    if not taken:
        raise DataError(f"{path}: nothing to write: there is no annotated image")
    account_classes(categories, lost, "rectlabel", seen=labels)
    return lost


def _write(document: AnnotatedImage, target: Path, masks: Iterator[int], lost: Lost) -> None:
    width, height = size_of(document)
    if width is None or height is None:
        raise DataError(
            f"{document.source}: the size of {document.name} is not known, which RectLabel needs; name the folder with "
            "the images"
        )
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        xml = XmlWriter(file)
        xml.open("annotation")
        xml.leaf("folder", target.parent.name)
        xml.leaf("filename", document.name)
        xml.open("size")
        for name, value in (("width", width), ("height", height), ("depth", 3)):
            xml.leaf(name, str(value))
        xml.close()
        xml.leaf("segmented", "0")
        for shape in _fitted(document, (height, width), lost):
            where = f"{document.name} ({shape.label})"
            geometry = shape.geometry
            mask = 0
            if isinstance(geometry, Mask):
                mask = next(masks)
                place = target.with_name(f"{Path(document.name).stem}_pixels{mask}.png")
                write_png(place, geometry, (height, width))
                if leaves(geometry, (height, width)):
                    lost.changed("a mask was cut at the edge of the image", where)
            _write_object(xml, shape, mask, where, lost)
        xml.close()
    lost.dropped("a character that XML cannot hold", document.name, xml.unfit)


def _fitted(document: AnnotatedImage, size: tuple[int, int], lost: Lost) -> Iterator[Shape]:
    for number, shape in enumerate(document.shapes, start=1):
        where = f"{document.name}: shape {number} ({shape.label})"
        found = fitted(shape, lost, where, GEOMETRIES, drawing=DRAWING, size=size)
        for fit in singles(found, lost, where):
            if isinstance(fit.geometry, Mask) and not _is_seen(fit.geometry, size):
                lost.dropped("a mask outside the image", where)
            else:
                yield fit


def _is_seen(mask: Mask, size: tuple[int, int]) -> bool:
    inside = mask.bitmap[
        max(0, -mask.top) : max(0, size[0] - mask.top), max(0, -mask.left) : max(0, size[1] - mask.left)
    ]
    return bool(inside.any())


def _write_object(xml: XmlWriter, shape: Shape, mask: int, where: str, lost: Lost) -> None:
    attributes = dict(shape.attributes)
    pose = attributes.pop("pose", "Unspecified")
    flags = {name: attributes.pop(name, False) for name in ("truncated", "difficult")}
    rest = attributes.pop("attributes", [])
    for name in attributes:
        lost.dropped("rectlabel has no place for an attribute of this name", f"{where}: {name}")
    for name, value in flags.items():
        if not isinstance(value, bool):
            lost.dropped(f"the attribute {name!r} is neither true nor false", where)
    parts = [shape.label, *(map(str, rest) if isinstance(rest, list | tuple) else [str(rest)])]
    joined = "-".join(part.replace("-", "_").strip() for part in parts)
    if any("-" in part or part != part.strip() for part in parts) or not isinstance(rest, list | tuple):
        lost.changed("a name with '-' or spaces at its ends, which RectLabel cannot keep", where)
    xml.open("object")
    xml.leaf("name", joined)
    xml.leaf("pose", str(pose))
    xml.leaf("truncated", str(int(flags["truncated"] is True)))
    xml.leaf("occluded", str(int(shape.occluded)))
    xml.leaf("difficult", str(int(flags["difficult"] is True)))
    _write_geometry(xml, shape.geometry, mask, where, lost)
    xml.close()


def _write_geometry(xml: XmlWriter, geometry: Geometry, mask: int, where: str, lost: Lost) -> None:
    values: list[tuple[str, float]] = []
    match geometry:
        case Rectangle(x1, y1, x2, y2):
            tag, values = "bndbox", [("xmin", x1 + 1), ("ymin", y1 + 1), ("xmax", x2), ("ymax", y2)]
        case Polygon():
            tag, values = "polygon", _numbered(geometry.rings[0])
        case Polyline(points):
            tag, values = "line", _numbered(points)
        case Points(points):
            tag, values = "point", [(name.rstrip("1"), value) for name, value in _numbered(points)]
        case Bezier(points, outgoing, incoming):
            tag = "cubic_bezier"
            both = zip(_numbered(points), _numbered(outgoing, "_c1"), _numbered(incoming, "_c2"), strict=True)
            columns = [list(entry) for entry in both]
            # Each point with its two handles: x, y, x_c1, y_c1, x_c2, y_c2.
            for x, y in zip(columns[0::2], columns[1::2], strict=True):
                values += [value for pair in zip(x, y, strict=True) for value in pair]
        case Skeleton(keypoints):
            tag = "keypoints"
            if any(point.name != str(n) for n, point in enumerate(keypoints, start=1)):
                lost.changed("the points of a skeleton are numbered, their names are gone", where)
            numbered = _numbered([(point.x, point.y) for point in keypoints])
            for n, point in enumerate(keypoints):
                values += [*numbered[2 * n : 2 * n + 2], (f"v{n + 1}", float(_VISIBILITY[point.state]))]
        case _:
            tag = "pixels"
    xml.open(tag)
    if tag == "pixels":
        xml.leaf("id", str(mask))
    for name, value in values:
        if value != round(value):
            lost.changed("a coordinate is rounded to whole pixels", where)
        xml.leaf(name, str(round(value)))
    xml.close()


def _numbered(points: Sequence[Point], suffix: str = "") -> list[tuple[str, float]]:
    """x1, y1, x2, ... with coordinates that count from 1."""
    return [
        (f"{axis}{number}{suffix}", value + 1)
        for number, point in enumerate(points, start=1)
        for axis, value in zip("xy", point, strict=True)
    ]

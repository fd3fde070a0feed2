"""Writing a page of text lines as PAGE XML or ALTO, so that `reading.read` gives the same shapes again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from intarsia.annotations.document import AnnotatedImage, Shape
from intarsia.annotations.geometry import Point, Polygon, Polyline
from intarsia.errors import DataError
from intarsia.files import atomic_path

PAGE_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
ALTO_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


@dataclass
class _Line:
    shape: Shape
    baseline: Shape | None = None
    words: list[Shape] = field(default_factory=list)


@dataclass
class _Region:
    shape: Shape
    lines: list[_Line] = field(default_factory=list)


def write_page(document: AnnotatedImage, path: Path, *, creator: str = "Intarsia") -> None:
    """Write PAGE XML, version 2019-07-15.

    Args:
        document: its shapes are "TextRegion", each followed by its "TextLine", each followed by its "Baseline" and
            "Word", in reading order, polygons of one ring; coordinates become whole numbers within the image.
        path: target.
        creator: what made the shapes.

    Raises:
        DataError: the document does not tell the image's size, or the file cannot be written.
    """
    size = _size(document)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    root = ElementTree.Element("PcGts", xmlns=PAGE_NAMESPACE)
    about = ElementTree.SubElement(root, "Metadata")
    for name, text in (("Creator", creator), ("Created", now), ("LastChange", now)):
        ElementTree.SubElement(about, name).text = text
    page = ElementTree.SubElement(
        root, "Page", imageFilename=document.name, imageWidth=str(size[0]), imageHeight=str(size[1])
    )
    regions = _regions(document.shapes)
    if regions:
        order = ElementTree.SubElement(ElementTree.SubElement(page, "ReadingOrder"), "OrderedGroup", id="order")
        for index in range(len(regions)):
            ElementTree.SubElement(order, "RegionRefIndexed", regionRef=f"r{index + 1}", index=str(index))
    numbers = iter(range(1, len(document.shapes) + 1))
    for index, region in enumerate(regions):
        block = _page_element(page, "TextRegion", f"r{index + 1}", region.shape, size)
        for line in region.lines:
            number = next(numbers)
            element = _page_element(block, "TextLine", f"l{number}", line.shape, size)
            if line.baseline is not None:
                ElementTree.SubElement(element, "Baseline", points=_points(line.baseline, size))
            for word_index, word in enumerate(line.words):
                _add_text(_page_element(element, "Word", f"l{number}w{word_index + 1}", word, size), word)
            _add_text(element, line.shape)
    _write(root, path)


def write_alto(document: AnnotatedImage, path: Path) -> None:
    """Write ALTO, version 4; a line without words gets one String without text, as the format wants one.

    Args:
        document: as of `write_page`.
        path: target.

    Raises:
        DataError: as `write_page`.
    """
    size = _size(document)
    root = ElementTree.Element("alto", xmlns=ALTO_NAMESPACE, SCHEMAVERSION="4.4")
    about = ElementTree.SubElement(root, "Description")
    ElementTree.SubElement(about, "MeasurementUnit").text = "pixel"
    information = ElementTree.SubElement(about, "sourceImageInformation")
    ElementTree.SubElement(information, "fileName").text = document.name
    page = ElementTree.SubElement(
        ElementTree.SubElement(root, "Layout"), "Page",
        ID="page", PHYSICAL_IMG_NR="1", WIDTH=str(size[0]), HEIGHT=str(size[1]),
    )  # fmt: skip
    space = ElementTree.SubElement(page, "PrintSpace", HPOS="0", VPOS="0", WIDTH=str(size[0]), HEIGHT=str(size[1]))
    number = 0
    for index, region in enumerate(_regions(document.shapes)):
        block = _alto_element(space, "TextBlock", f"r{index + 1}", region.shape, size)
        for line in region.lines:
            number += 1
            element = _alto_element(block, "TextLine", f"l{number}", line.shape, size)
            if line.baseline is not None:
                element.set("BASELINE", _points(line.baseline, size))
            for word_index, word in enumerate(line.words):
                _alto_element(element, "String", f"l{number}w{word_index + 1}", word, size).set(
                    "CONTENT", word.attributes.get("text", "")
                )
            if not line.words:
                whole = ElementTree.SubElement(element, "String", CONTENT=line.shape.attributes.get("text", ""))
                for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT"):
                    whole.set(key, element.get(key, ""))
    _write(root, path)


def _size(document: AnnotatedImage) -> tuple[int, int]:
    if document.width is None or document.height is None:
        raise DataError(f"{document.name}: PAGE and ALTO tell the image's size, and it is not known")
    return document.width, document.height


def _regions(shapes: Sequence[Shape]) -> list[_Region]:
    """Shapes in their order as the tree that the formats are."""
    regions: list[_Region] = []
    for shape in shapes:
        if shape.label == "TextRegion":
            regions.append(_Region(shape))
        elif shape.label == "TextLine" and regions:
            regions[-1].lines.append(_Line(shape))
        elif shape.label == "Baseline" and regions and regions[-1].lines:
            regions[-1].lines[-1].baseline = shape
        elif shape.label == "Word" and regions and regions[-1].lines:
            regions[-1].lines[-1].words.append(shape)
    return regions


def _page_element(
    parent: ElementTree.Element, name: str, identity: str, shape: Shape, size: tuple[int, int]
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name, id=identity)
    ElementTree.SubElement(element, "Coords", points=_points(shape, size))
    return element


def _add_text(element: ElementTree.Element, shape: Shape) -> None:
    """Its transcription, where it has one."""
    if shape.attributes.get("text"):
        ElementTree.SubElement(ElementTree.SubElement(element, "TextEquiv"), "Unicode").text = shape.attributes["text"]


def _alto_element(
    parent: ElementTree.Element, name: str, identity: str, shape: Shape, size: tuple[int, int]
) -> ElementTree.Element:
    points = list(_whole(shape, size))
    left, top = (min(axis) for axis in zip(*points, strict=True))
    right, bottom = (max(axis) for axis in zip(*points, strict=True))
    element = ElementTree.SubElement(
        parent, name, ID=identity,
        HPOS=str(left), VPOS=str(top), WIDTH=str(right - left), HEIGHT=str(bottom - top),
    )  # fmt: skip
    outline = ElementTree.SubElement(element, "Shape")
    ElementTree.SubElement(outline, "Polygon", POINTS=_points(shape, size))
    return element


def _points(shape: Shape, size: tuple[int, int]) -> str:
    return " ".join(f"{x},{y}" for x, y in _whole(shape, size))


def _whole(shape: Shape, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Its points in whole pixels within the image."""
    points: Sequence[Point] = ()
    if isinstance(shape.geometry, Polygon):
        points = shape.geometry.rings[0]
    elif isinstance(shape.geometry, Polyline):
        points = shape.geometry.points
    for x, y in np.rint(np.asarray(points, np.float64)).astype(int).tolist():
        yield min(max(x, 0), size[0]), min(max(y, 0), size[1])


def _write(root: ElementTree.Element, path: Path) -> None:
    ElementTree.indent(root)
    with atomic_path(path) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)

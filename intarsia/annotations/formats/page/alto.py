"""ALTO, versions 2 to 4."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from intarsia.annotations.document import Shape
from intarsia.annotations.formats.page.content import Page
from intarsia.annotations.geometry import Geometry, Point, Polyline, Rectangle
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, number, points, polygon
from intarsia.annotations.xmlfile import Element, children, local
from intarsia.errors import DataError

# ALTO's names, and those of PAGE that both formats are given.
_REGIONS = {
    "TextBlock": "TextRegion",
    "Illustration": "ImageRegion",
    "GraphicalElement": "GraphicRegion",
    "ComposedBlock": "Region",
}


def read_alto(file: Path, lost: Lost) -> Page:
    """Read one file; of several pages the first.

    Raises:
        DataError: broken XML, or no page in it.
    """
    name, unit = "", "pixel"
    types: dict[str, str] = {}
    page: Element = None
    for child in children(file):
        match local(child.tag):
            case "Description":
                name = _find_text(child, "fileName")
                unit = _find_text(child, "MeasurementUnit") or "pixel"
            case "Tags":
                types.update({tag.get("ID", ""): tag.get("LABEL", "") for tag in child})
            case "Layout":
                pages = [entry for entry in child.iter() if local(entry.tag) == "Page"]
                lost.dropped("a further page of a file", file.name, len(pages) - 1 if pages else 0)
                page = pages[0] if pages else None
    if page is None:
        raise DataError(f"{file}: there is no <Page> in it; export it as ALTO again")
    shapes = tuple(_Reader(file.name, types, lost).shapes(page))
    return Page(name, _size(page, "WIDTH", file), _size(page, "HEIGHT", file), shapes, unit.lower())


def _find_text(element: Element, name: str) -> str:
    return next(((found.text or "").strip() for found in element.iter() if local(found.tag) == name), "")


def _size(page: Element, name: str, file: Path) -> float | None:
    text = page.get(name)
    if text is None:
        return None
    try:
        found = number(text)
    except BadShape:
        found = 0.0
    if found <= 0:
        raise DataError(f"{file}: the page's {name} is {text!r}, not a length; correct it")
    return found


class _Reader:
    def __init__(self, file: str, types: Mapping[str, str], lost: Lost) -> None:
        self._file = file
        self._types = types
        self._lost = lost
        self._lines = count(1)

    def shapes(self, element: Element) -> Iterator[Shape]:
        """The shapes of an element's children, each before those inside it."""
        for child in element:
            if local(child.tag) == "String" and _place(child) in (_place(element), None):
                continue  # many files hold the line's whole text in one String without a place of its own
            name = local(child.tag)
            if name in _REGIONS:
                yield from self._shape(child, _REGIONS[name])
            elif name == "TextLine":
                instance = next(self._lines)
                text = _text(child)
                yield from self._shape(child, "TextLine", text, instance)
                if child.get("BASELINE"):
                    yield from self._shape(child, "Baseline", text, instance)
            elif name == "String":
                yield from self._shape(child, "Word", child.get("CONTENT", ""))
            yield from self.shapes(child)

    def _shape(self, element: Element, label: str, text: str = "", instance: int | None = None) -> Iterator[Shape]:
        kind = " ".join(self._types.get(tag, tag) for tag in element.get("TAGREFS", "").split())
        attributes: dict[str, Any] = {"id": element.get("ID", ""), "type": kind, "text": text}
        try:
            geometry = _baseline(element) if label == "Baseline" else _area(element)
        except BadShape as error:
            self._lost.dropped(str(error), f"{self._file}: {label} {element.get('ID', '')}")
            return
        yield Shape(label, geometry, instance, attributes={k: v for k, v in attributes.items() if v})


def _area(element: Element) -> Geometry:
    """The polygon of an element, or else its box."""
    for shape in element:
        if local(shape.tag) == "Shape":
            for outline in shape:
                if local(outline.tag) == "Polygon":
                    return polygon(coordinates(outline.get("POINTS", "")))
    left, top = number(element.get("HPOS")), number(element.get("VPOS"))
    return Rectangle.between((left, top), (left + number(element.get("WIDTH")), top + number(element.get("HEIGHT"))))


def _place(element: Element) -> tuple[str, ...] | None:
    """An element's box as it is written, None if it has none."""
    found = tuple(element.get(key, "") for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    return found if all(found) else None


def _baseline(element: Element) -> Polyline:
    text = element.get("BASELINE", "")
    if len(text.split()) == 1 and "," not in text:  # up to version 4.0 one number: the height of a level line
        left, y = number(element.get("HPOS")), number(text)
        return Polyline(((left, y), (left + number(element.get("WIDTH")), y)))
    return Polyline(points(coordinates(text), 2, "baseline"))


def coordinates(text: str) -> list[Point]:
    """Points written as "x,y x,y" or "x y x y"."""
    values = [number(value) for value in re.split(r"[\s,;]+", text.strip()) if value]
    if len(values) % 2:
        raise BadShape("its coordinates are not pairs of x and y")
    return list(zip(values[0::2], values[1::2], strict=True))


def _text(line: Element) -> str:
    """A line's words, joined as they stand in the file."""
    parts = []
    for child in line:
        match local(child.tag):
            case "String":
                parts.append(child.get("CONTENT", ""))
            case "HYP":
                parts[-1:] = ["".join(parts[-1:]) + child.get("CONTENT", "")]
    return " ".join(part for part in parts if part)

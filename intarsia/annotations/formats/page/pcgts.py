"""PAGE XML, the versions from 2010 to 2019."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from intarsia.annotations.document import Shape
from intarsia.annotations.formats.page.alto import coordinates
from intarsia.annotations.formats.page.content import Page
from intarsia.annotations.geometry import Point, Polyline
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, number, points, polygon, side, whole_number
from intarsia.annotations.xmlfile import Element, children, local
from intarsia.errors import DataError

_STRUCTURE = re.compile(r"structure\s*\{[^}]*type\s*:\s*([^;}]+)")


def read_page(file: Path, lost: Lost) -> Page:
    """Read one file.

    Raises:
        DataError: broken XML, or no page in it.
    """
    for child in children(file):
        if local(child.tag) == "Page":
            width, height = (side(child.get(key), f"{file}: {key}") for key in ("imageWidth", "imageHeight"))
            shapes = tuple(_Reader(file.name, lost).shapes(child))
            return Page(child.get("imageFilename", ""), width, height, shapes)
    raise DataError(f"{file}: there is no <Page> in it; export it as PAGE XML again")


class _Reader:
    def __init__(self, file: str, lost: Lost) -> None:
        self._file = file
        self._lost = lost
        self._lines = count(1)

    def shapes(self, element: Element) -> Iterator[Shape]:
        """The shapes of an element's children, each before those inside it."""
        for child in element:
            name = local(child.tag)
            if name.endswith("Region"):
                yield from self._shape(child, name)
            elif name == "TextLine":
                instance = next(self._lines)
                yield from self._shape(child, name, instance)
                if (baseline := _child(child, "Baseline")) is not None:
                    yield from self._shape(child, "Baseline", instance, baseline)
            elif name == "Word":
                yield from self._shape(child, name)
            else:
                continue
            yield from self.shapes(child)

    def _shape(
        self, element: Element, label: str, instance: int | None = None, baseline: Element | None = None
    ) -> Iterator[Shape]:
        structure = _STRUCTURE.search(element.get("custom", ""))
        kind = element.get("type") or (structure[1].strip() if structure else "")
        attributes: dict[str, Any] = {"id": element.get("id", ""), "type": kind, "text": _text(element)}
        try:
            if baseline is not None:
                yield Shape(
                    label, Polyline(points(_points(baseline), 2, "baseline")), instance, attributes=_filled(attributes)
                )
                return
            coords = _child(element, "Coords")
            if coords is None:
                raise BadShape("an element has no <Coords>")
            yield Shape(label, polygon(_points(coords)), instance, attributes=_filled(attributes))
        except BadShape as error:
            self._lost.dropped(str(error), f"{self._file}: {label} {element.get('id', '')}")


def _filled(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value}


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if local(child.tag) == name), None)


def _points(element: Element) -> list[Point]:
    """The attribute `points`, or (until 2010) children with x and y."""
    if element.get("points") is not None:
        return coordinates(element.get("points", ""))
    return [(number(child.get("x")), number(child.get("y"))) for child in element if local(child.tag) == "Point"]


def _text(element: Element) -> str:
    """The transcription: of several the one with the lowest index."""
    found = [child for child in element if local(child.tag) == "TextEquiv"]
    first = min(found, key=lambda child: whole_number(child.get("index")) or 0, default=None)
    unicode = _child(first, "Unicode") if first is not None else None
    return (unicode.text or "").strip() if unicode is not None else ""

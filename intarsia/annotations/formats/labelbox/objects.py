"""Labelbox's objects and answers, in the spellings of its export v1, export v2 and import files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from intarsia.annotations.document import Shape
from intarsia.annotations.geometry import Geometry, Mask, Points, Polyline, Rectangle
from intarsia.annotations.numerals import end
from intarsia.annotations.reading import BadShape, number, points, polygon

_NOT_KEPT = frozenset(
    [
        *("bbox", "bounding_box", "polygon", "line", "point", "mask", "composite_mask", "instanceURI"),
        *("classifications", "title", "value", "name", "color"),
    ]
)


def shape_of(entry: Any, mask: Callable[[Mapping[str, Any]], Mask]) -> Shape:
    """The shape of an object; `mask` as in `geometry_of`.

    Raises:
        BadShape: no class, or an unknown or impossible geometry.
    """
    if not isinstance(entry, Mapping):
        raise BadShape("an object is no object")
    return Shape(
        label=label_of(entry),
        geometry=geometry_of(entry, mask),
        attributes=answers(entry.get("classifications")),
        extra=extra_of(entry),
    )


def label_of(entry: Mapping[str, Any]) -> str:
    """The class of an object: its title (v1) or name (v2)."""
    for key in ("title", "name", "value", "schemaId"):
        if isinstance(entry.get(key), str) and entry[key]:
            return str(entry[key])
    raise BadShape("an object has no class")


def geometry_of(entry: Mapping[str, Any], mask: Callable[[Mapping[str, Any]], Mask]) -> Geometry:
    """The geometry of an object.

    Args:
        entry: the object.
        mask: reads the mask of an object that has nothing but a link to one.

    Raises:
        BadShape: an unknown kind, or impossible numbers.
    """
    box = entry.get("bbox", entry.get("bounding_box"))
    if "page" in entry:
        raise BadShape("an object on the page of a document is no shape on an image")
    if isinstance(box, Mapping):
        left, top = number(box.get("left")), number(box.get("top"))
        return Rectangle.between(
            (left, top), (end(left, number(box.get("width"))), end(top, number(box.get("height"))))
        )
    if "polygon" in entry:
        return polygon(pairs(entry["polygon"]))
    if "line" in entry:
        return Polyline(points(pairs(entry["line"]), 2, "line"))
    if "point" in entry:
        return Points(points(pairs([entry["point"]])))
    if "geometry" in entry:
        raise BadShape("a shape on tiled imagery is in geographic coordinates")
    if "mask" in entry or "composite_mask" in entry or ("instanceURI" in entry and "data" not in entry):
        return mask(entry)
    kind = entry.get("annotation_kind") or (
        "text entity" if "data" in entry or "location" in entry else "without geometry"
    )
    raise BadShape(f"shape type {str(kind)[:40]!r} is unknown")


def pairs(value: Any) -> list[tuple[Any, Any]]:
    """Points given as {"x": ..., "y": ...}."""
    if not isinstance(value, list) or not all(isinstance(point, Mapping) for point in value):
        raise BadShape("its points are not a list of x and y")
    return [(point.get("x"), point.get("y")) for point in value]


def extra_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what an object says besides, its numbers in Labelbox above all."""
    return {key: value for key, value in entry.items() if key not in _NOT_KEPT and _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def answers(entries: Any) -> dict[str, Any]:
    """Answered questions by title: a text, the text of a choice, or the texts of several; nested ones beside them."""
    found: dict[str, Any] = {}
    _collect(entries, found, "", 0)
    return found


def _collect(entries: Any, found: dict[str, Any], parent: str, depth: int) -> None:
    if not isinstance(entries, Sequence) or isinstance(entries, str) or depth > 20:
        return
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        name = str(entry.get("title") or entry.get("name") or entry.get("value") or entry.get("schemaId") or "")
        if name in found:
            name = f"{parent}: {name}"
        chosen, nested = _answer(entry)
        if chosen is not None:
            found[name] = chosen
        for below in (*nested, entry.get("classifications")):
            _collect(below, found, name, depth + 1)


def _answer(entry: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """The answer of one question, and the questions nested in it."""
    for key in ("answer", "answers", "text_answer", "radio_answer", "checklist_answers"):
        value = entry.get(key)
        if isinstance(value, Mapping):
            if isinstance(value.get("content"), str):
                return value["content"], []
            return _title(value), [value.get("classifications")]
        if isinstance(value, list):
            chosen = [one for one in value if isinstance(one, Mapping)]
            return [_title(one) for one in chosen], [one.get("classifications") for one in chosen]
        if isinstance(value, str | int | float | bool):
            return value, []
    return None, []


def _title(choice: Mapping[str, Any]) -> str:
    return str(choice.get("title") or choice.get("name") or choice.get("value") or choice.get("schemaId") or "")

"""Labelbox's import NDJSON: one annotation a line, as its SDK uploads it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from intarsia.annotations.bitmaps import read_bitmap
from intarsia.annotations.document import AnnotatedImage, Shape
from intarsia.annotations.finding import ImageFinder, clean_name
from intarsia.annotations.formats.labelbox.files import rows
from intarsia.annotations.formats.labelbox.masks import MaskFolder
from intarsia.annotations.formats.labelbox.objects import answers, geometry_of, label_of
from intarsia.annotations.geometry import Mask
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, kept
from intarsia.errors import DataError


def documents(path: Path, finder: ImageFinder, masks: MaskFolder, lost: Lost) -> Iterator[AnnotatedImage]:
    """Every data row that has annotations of an image."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows(path):
        data = row.get("dataRow")
        key = (data.get("globalKey") or data.get("id")) if isinstance(data, Mapping) else None
        name = clean_name(key) if isinstance(key, str) else ""
        if not name:
            lost.dropped("an annotation belongs to no data row", path.name)
        elif "relationship" in row:
            lost.dropped("a relation between objects", f"{path.name}: {name}")
        elif "segments" in row or "frames" in row or "masks" in row:
            lost.dropped("an annotation of a video is not read from import files", f"{path.name}: {name}")
        else:
            found.setdefault(name, []).append(row)
    for name, entries in found.items():
        where = f"{path.name}: {name}"
        questions = [entry for entry in entries if "answer" in entry]
        drawn = [entry for entry in entries if "answer" not in entry]

        sizes: list[tuple[int, int]] = []

        def mask(entry: Mapping[str, Any], name: str = name, sizes: list[tuple[int, int]] = sizes) -> Mask:
            found, size = _mask(entry, f"{path}: {name}", masks)
            sizes.append(size)
            return found

        def shape(entry: Mapping[str, Any], mask: Any = mask) -> Shape:
            return _shape(entry, mask)

        shapes = kept(drawn, shape, where, lost)
        height, width = sizes[0] if sizes else (None, None)
        number = entries[0]["dataRow"].get("id")
        yield AnnotatedImage(
            name=name,
            source=path,
            image=finder.find(name, lost=lost),
            width=width,
            height=height,
            shapes=shapes,
            attributes=answers(questions),
            tool="labelbox",
            extra={"data_row": number} if isinstance(number, str) else {},
        )


def _shape(entry: Mapping[str, Any], mask: Any) -> Shape:
    score = entry.get("confidence")
    return Shape(
        label=entry["name"] if isinstance(entry.get("name"), str) else label_of(entry),
        geometry=geometry_of(entry, mask),
        attributes=answers(entry.get("classifications")),
        score=float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None,
    )


def _mask(entry: Mapping[str, Any], where: str, masks: MaskFolder) -> tuple[Mask, tuple[int, int]]:
    found = entry.get("mask")
    text = found.get("png") if isinstance(found, Mapping) else None
    if not isinstance(text, str):
        mask = masks.read([str(entry.get("uuid") or "")], [], where=where, size=None)
        assert masks.size is not None
        return mask, masks.size
    try:
        mask, size = read_bitmap(base64.b64decode(text, validate=True), "the mask", size=None)
    except (binascii.Error, ValueError, DataError):
        raise BadShape("a mask whose PNG is damaged") from None
    if not mask.bitmap.size:
        raise BadShape("a mask is empty")
    return mask, size

"""Reading Label Studio's JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from intarsia.annotations.document import AnnotatedImage, AnnotationSet, Document, Shape
from intarsia.annotations.finding import ImageFinder, clean_name, file_name, head, holds, photo_folder, walk
from intarsia.annotations.formats.labelstudio import brush
from intarsia.annotations.geometry import Ellipse, Geometry, Mask, Points, Polyline, Rectangle
from intarsia.annotations.lost import Lost
from intarsia.annotations.photos import embedded
from intarsia.annotations.reading import BadShape, from_files, kept, load_json, number, points, polygon, side, usable
from intarsia.errors import DataError
from intarsia.media.images import IMAGE_SUFFIXES

_UPLOADED = re.compile(r"^[0-9a-f]{6,8}-(?=.)")
_DECIMALS = 6  # percents of whole pixels come back as 19.999999999
_SHORT = ("id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time")


def read(path: Path, *, images: Path | None = None, predictions: bool = False) -> AnnotationSet:
    """Open one JSON file, or every one below a folder.

    Of a task with several annotations the ground truth is taken, else the first that was not skipped; tasks without
    one are left out, as nobody has looked at them. What was counted as left out is told.

    Args:
        path: a JSON file or a folder.
        images: folder with the photos; default the folder of the JSON file.
        predictions: take the predictions of tasks that have no annotation.

    Raises:
        DataError: no such file, or a broken one.
    """
    files = [file for file in walk(path, (".json",)) if path.is_file() or is_labelstudio(file)]
    if not files:
        raise DataError(f"{path}: no JSON of Label Studio here; export as JSON or JSON-MIN")
    root = images or photo_folder(path)

    def stream(lost: Lost) -> Iterator[Document]:
        finder = ImageFinder(root)
        return from_files(files, lambda file: _documents(file, finder, predictions, lost), lost)

    return AnnotationSet("labelstudio", path, root, (), stream)


def sniff(path: Path) -> bool:
    """Recognise a file, or a folder by one of its first JSON files."""
    return any(is_labelstudio(file) for file, _ in zip(walk(path, (".json",)), range(20), strict=False))


def is_labelstudio(path: Path) -> bool:
    """Recognise a JSON file of tasks, of one task, or of the short form."""
    if not head(path, 64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{")):
        return False
    if holds(path, b'"result"', b'"data"'):
        return any(holds(path, key) for key in (b'"annotations"', b'"completions"', b'"predictions"', b'"task"'))
    return holds(path, b'"original_width"', b'labels"', b'"annotator"')


def _documents(path: Path, finder: ImageFinder, predictions: bool, lost: Lost) -> Iterator[AnnotatedImage]:
    value = load_json(path, "Label Studio", lost)
    tasks = value if isinstance(value, list) else [value]
    if not tasks or not all(isinstance(task, dict) for task in tasks):
        raise DataError(f"{path}: not a file of Label Studio: it is no list of tasks; export as JSON")
    chosen = []
    for place, task in enumerate(tasks, start=1):
        regions = _regions(task, predictions, f"{path.name}: task {task.get('id', place)}", lost)
        if regions is not None:
            chosen.append((task, regions))
    yield from usable(chosen, partial(_document, path, finder, lost), lost, "image")


def _regions(task: dict[str, Any], predictions: bool, where: str, lost: Lost) -> list[Any] | None:
    """What one task's annotation lists; None for a task that nobody has annotated."""
    if "result" in task and isinstance(task.get("task"), dict):  # a file an annotation, from a storage
        return _list(task["result"])
    if "data" not in task and "image" in task:  # the short form
        return [{"value": entry} | entry for key, entry in _short_regions(task)]
    given = [one for one in _list(task.get("annotations") or task.get("completions")) if isinstance(one, dict)]
    done = [one for one in given if one.get("was_cancelled") is not True]
    done.sort(key=lambda one: one.get("ground_truth") is not True)
    if not done and predictions:
        done = [one for one in _list(task.get("predictions")) if isinstance(one, dict)][:1]
    if not done:
        lost.dropped("a task that nobody has annotated", where)
        return None
    lost.dropped("a task has several annotations, one is taken", where, len(done) - 1)
    return _list(done[0].get("result"))


def _short_regions(task: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in task.items():
        if key not in _SHORT:
            yield from ((key, entry) for entry in _list(value) if isinstance(entry, dict))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _document(path: Path, finder: ImageFinder, lost: Lost, entry: tuple[dict[str, Any], list[Any]]) -> AnnotatedImage:
    task, regions = entry
    data = task.get("data") or (task.get("task") or {}).get("data") or task
    said = _image_of(data if isinstance(data, dict) else {}, task)
    photo = embedded(said, path.name, lost) if said.startswith("data:") else None
    names = [f"task-{task.get('id', 0)}.png"] if photo else list(_names(said))
    if not names:
        raise DataError(f"{path}: task {task.get('id', '?')} names no image")
    found = next((image for name in names if (image := finder.find(name, beside=path.parent, lost=lost))), None)
    regions, attributes = _joined(regions, lost, path.name)
    size = next(((one.get("original_width"), one.get("original_height")) for one in regions), (None, None))
    document = AnnotatedImage(
        name=names[-1],
        source=path,
        image=found,
        width=side(size[0], f"{path}: original_width"),
        height=side(size[1], f"{path}: original_height"),
        attributes=attributes,
        embedded=photo,
        tool="labelstudio",
        extra={"id": task["id"]} if isinstance(task.get("id"), int) else {},
    )
    where = f"{path.name}: {document.name}"
    return replace(document, shapes=kept(regions, lambda region: _shape(region, document), where, lost))


def _image_of(data: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    """What a task calls its image: the entry "image", or another that names a picture; else the file that was sent."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    named = [value for value in texts.values() if value.startswith("data:image") or _is_picture(value)]
    sent = task.get("file_upload")
    return texts.get("image") or next(iter(named), "") or (sent if isinstance(sent, str) else "")


def _is_picture(text: str) -> bool:
    return any(PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES for name in _names(text))


def _names(said: str) -> Iterator[str]:
    """The names under which a photo may lie here: as Label Studio stored it, and as it was sent."""
    try:
        parts = urlsplit(said)
        local = parse_qs(parts.query).get("d")
    except ValueError:
        parts, local = None, None
    name = clean_name(local[0] if local else unquote(file_name(said).partition("?")[0]))
    if not name:
        return
    inner = PurePosixPath(name)
    yield name
    sent = _UPLOADED.sub("", inner.name)
    if sent != inner.name:
        yield sent
    elif parts is not None and (parts.scheme or name.startswith("data/")):
        yield inner.name


def _joined(entries: list[Any], lost: Lost, where: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Regions, of which several entries with one id may tell a part each, and the answers about the whole image."""
    regions: dict[str, dict[str, Any]] = {}
    answers: dict[str, Any] = {}
    for place, entry in enumerate(entries):
        value = entry.get("value") if isinstance(entry, dict) else None
        if not isinstance(value, dict):
            lost.dropped("an entry without a value", where)
            continue
        drawn = "x" in value or "points" in value or "rle" in value or any(key.endswith("labels") for key in value)
        if drawn:
            known = regions.setdefault(str(entry.get("id", place)), {"value": {}})
            known["value"] |= value
            known |= {key: one for key, one in entry.items() if key not in ("value", "type")}
        else:
            for key in ("choices", "text", "number", "rating", "taxonomy"):
                if key in value:
                    answers[str(entry.get("from_name", key))] = value[key]
    return list(regions.values()), answers


def _shape(region: dict[str, Any], document: AnnotatedImage) -> Shape:
    value = region["value"]
    labels = [name for key, names in value.items() if key.endswith("labels") for name in _list(names)]
    if not labels:
        raise BadShape("a region without a label")
    if region.get("image_rotation") not in (None, 0):
        raise BadShape("a region on an image that was turned in Label Studio")
    if document.width is None or document.height is None:
        raise BadShape("a region without the size of its image (original_width, original_height)")
    score = region.get("score")
    return Shape(
        str(labels[0]),
        _geometry(value, document.width, document.height),
        score=float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None,
    )


def _geometry(value: dict[str, Any], width: int, height: int) -> Geometry:
    """A region in pixels; Label Studio stores percent of the image's sides."""

    def x(key: str) -> float:
        return round(number(value.get(key)) * width / 100, _DECIMALS)

    def y(key: str) -> float:
        return round(number(value.get(key)) * height / 100, _DECIMALS)

    if "rle" in value:
        try:
            return Mask(brush.decode(_list(value["rle"]), (height, width))).cropped()
        except DataError as error:
            raise BadShape(str(error)) from None
    if "points" in value:
        corners = [
            (round(px * width / 100, _DECIMALS), round(py * height / 100, _DECIMALS))
            for px, py in points(value["points"])
        ]
        return Polyline(tuple(corners)) if value.get("closed") is False else polygon(corners)
    angle = number(value.get("rotation") or 0)
    if "radiusX" in value:
        rx, ry = x("radiusX"), y("radiusY")
        if rx < 0 or ry < 0:
            raise BadShape("an ellipse has a negative radius")
        return Ellipse(x("x"), y("y"), rx, ry, angle)
    if "height" in value:
        return _rectangle(x("x"), y("y"), x("width"), y("height"), angle)
    if "x" in value:
        return Points(((x("x"), y("y")),))
    raise BadShape("a region of a kind that is not known")


def _rectangle(x: float, y: float, width: float, height: float, angle: float) -> Rectangle:
    """A rectangle that is turned about its upper left corner, as one that is turned about its centre."""
    if width < 0 or height < 0:
        raise BadShape("a box of negative width or height")
    turn = math.radians(angle)
    middle_x = x + width / 2 * math.cos(turn) - height / 2 * math.sin(turn)
    middle_y = y + width / 2 * math.sin(turn) + height / 2 * math.cos(turn)
    left, top = (middle_x - width / 2, middle_y - height / 2) if angle else (x, y)
    return Rectangle(left, top, left + width, top + height, angle)

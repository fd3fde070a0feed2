"""VIA 3's project file and CSV: regions on images, on moments of videos, and segments of time."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from intarsia.annotations.document import AnnotatedImage, Category, Shape
from intarsia.annotations.finding import ImageFinder, clean_name, head
from intarsia.annotations.formats.via.fields import Field, categories, class_field, label_of
from intarsia.annotations.formats.via.regions import radius
from intarsia.annotations.formats.via.version2 import Options, rows
from intarsia.annotations.geometry import Circle, Ellipse, Geometry, Points, Polyline, Rectangle, Tag
from intarsia.annotations.lost import Lost
from intarsia.annotations.numerals import end
from intarsia.annotations.photos import embedded
from intarsia.annotations.reading import BadShape, load_json, number, points, polygon, whole_number
from intarsia.errors import DataError

_KINDS = {1: "text", 2: "checkbox", 3: "radio", 4: "select", 5: "image"}
_IMAGE = 2


class Version3:
    """One parsed project.

    Each region on a moment of a video is in an image of that video's name and that `time`; segments of time are tags
    with the attributes "start" and "end" (seconds).

    Attributes:
        categories: the classes that it declares.
    """

    def __init__(self, path: Path, options: Options) -> None:
        """Parse a file. Raises `DataError` when it is broken, `UsageError` when it lacks the class attribute."""
        self.path = path
        self._options = options
        project = _from_csv(path) if path.suffix.lower() == ".csv" else load_json(path, "VIA")
        if not isinstance(project, dict) or not all(
            isinstance(project.get(part), Mapping) for part in ("file", "view", "metadata", "attribute")
        ):
            raise DataError(f"{path}: not a VIA 3 project: it lacks its files, views, metadata or attributes")
        self._files: Mapping[str, Any] = project["file"]
        self._views: Mapping[str, Any] = project["view"]
        self._prefix = _mapping(_mapping(_mapping(project.get("config")).get("file")).get("loc_prefix"))
        self._metadata = [entry for entry in project["metadata"].values() if isinstance(entry, Mapping)]
        self._broken = len(project["metadata"]) - len(self._metadata)
        self._fields = {key: _field(entry) for key, entry in project["attribute"].items()}
        by_name = {field.name: field for field in self._fields.values()}
        drawn = [self._values(entry) for entry in self._metadata if entry.get("xy")]
        timed = [self._values(entry) for entry in self._metadata if not entry.get("xy") and entry.get("z")]
        wanted = options.class_attribute
        self._class = class_field(drawn, by_name, wanted) if drawn or wanted else None
        self._segment_class = class_field(timed, by_name, wanted if not drawn else None)
        self.categories: tuple[Category, ...] = categories(by_name, self._class or self._segment_class)

    def documents(self, finder: ImageFinder, lost: Lost) -> Iterator[AnnotatedImage]:
        """Every image, every annotated moment of a video, and every file with segments of time."""
        lost.dropped("an entry of the metadata is no object", self.path.name, self._broken)
        views: dict[str, list[Mapping[str, Any]]] = {str(view): [] for view in self._views}
        for entry in self._metadata:
            view = str(entry.get("vid"))
            if view in views:
                views[view].append(entry)
            else:
                lost.dropped("an annotation belongs to no view", self.path.name)
        # One file may be in several views; its annotations come together.
        by_file: dict[str, list[Mapping[str, Any]]] = {}
        for view, entries in views.items():
            files = _list(_mapping(self._views[view]).get("fid_list"))
            if len(files) != 1:
                lost.dropped("an annotation of several files together", self.path.name, len(entries))
                files = files if not entries else []
            for number_ in files:
                by_file.setdefault(str(number_), []).extend(entries)
        for number_, entries in by_file.items():
            file = _mapping(self._files.get(number_))
            if not isinstance(file.get("fname"), str):
                lost.dropped("an annotation belongs to no file", self.path.name, len(entries))
                continue
            yield from self._documents_of(file, entries, finder, lost)

    def _documents_of(
        self, file: Mapping[str, Any], entries: list[Mapping[str, Any]], finder: ImageFinder, lost: Lost
    ) -> Iterator[AnnotatedImage]:
        name = clean_name(file["fname"])
        where = f"{self.path.name}: {name}"
        moments: dict[float | None, list[Shape]] = {} if entries else {None: []}
        attributes: dict[str, Any] = {}
        for index, entry in enumerate(entries, start=1):
            try:
                time = self._time(entry)
                if not entry.get("xy") and not entry.get("z"):
                    attributes.update(self._values(entry))
                    moments.setdefault(None, [])
                else:
                    moments.setdefault(time, []).append(self._shape(entry, where, lost))
            except BadShape as error:
                lost.dropped(str(error), f"{where}: annotation {index}")
        said = file.get("src")
        source = said if isinstance(said, str) else ""
        inline = source.startswith("data:")
        prefix = self._prefix.get(str(file.get("loc")), "")
        place = (prefix if isinstance(prefix, str) else "") + (source if source and not inline else name)
        still = whole_number(file.get("type", _IMAGE)) == _IMAGE
        image = finder.find(place, beside=self.path.parent, lost=lost) if still else None
        for time, shapes in moments.items():
            yield AnnotatedImage(
                name=name,
                source=self.path,
                image=image,
                shapes=tuple(shapes),
                attributes=attributes,
                time=time,
                embedded=embedded(source, where, lost) if inline and still else None,
                tool="via",
            )

    def _time(self, entry: Mapping[str, Any]) -> float | None:
        """The moment of a region; None on images and for segments of time."""
        moments = [number(moment) for moment in _list(entry.get("z"))]
        return moments[0] if moments and entry.get("xy") else None

    def _shape(self, entry: Mapping[str, Any], where: str, lost: Lost) -> Shape:
        attributes = self._values(entry)
        moments = [number(moment) for moment in _list(entry.get("z"))]
        if not moments and not entry.get("xy"):
            raise BadShape("a segment of time has no times")
        geometry = _geometry(_list(entry.get("xy"))) if entry.get("xy") else Tag()
        label_name = self._segment_class if isinstance(geometry, Tag) else self._class
        label = label_of(attributes, label_name, self._options.default_class, where, lost)
        if isinstance(geometry, Tag) or len(moments) > 1:
            attributes.update(start=moments[0], end=moments[-1])
        return Shape(label, geometry, attributes=attributes)

    def _values(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for key, raw in _mapping(entry.get("av")).items():
            field = self._fields.get(key, Field(key))
            if field.kind == "checkbox" and isinstance(raw, str):
                raw = [part for part in raw.split(",") if part]
            found[field.name] = field.value(raw)
        return found


def _geometry(xy: list[Any]) -> Geometry:
    """VIA 3's coordinates: the number of the shape, then its values."""
    if not xy:
        raise BadShape("a region has no coordinates")
    values = tuple(number(value) for value in xy[1:])
    pairs = list(zip(values[0::2], values[1::2], strict=False))
    match xy[0], values:
        case 1, (x, y):
            return Points(((x, y),))
        case 2, (x, y, width, height):
            return Rectangle.between((x, y), (end(x, width), end(y, height)))
        case 3, (x, y, r):
            return Circle(x, y, radius(r))
        case 4, (x, y, rx, ry):
            return Ellipse(x, y, radius(rx), radius(ry))
        case 5, (_, _, _, _):
            return Polyline(tuple(pairs))
    if xy[0] in (6, 7, 8) and len(values) % 2:
        raise BadShape("its coordinates are not pairs of x and y")
    if xy[0] == 6:
        return Polyline(points(pairs, 2, "polyline"))
    if xy[0] == 7:
        return polygon(pairs)
    if xy[0] == 8 and len(pairs) == 4:
        xs, ys = values[0::2], values[1::2]
        return Rectangle(min(xs), min(ys), max(xs), max(ys))
    if xy[0] == 9 and len(values) == 6:
        return _circle_through(*pairs)
    known = xy[0] in range(1, 10)
    raise BadShape("a shape has too many or too few coordinates" if known else f"shape type {xy[0]!r} is unknown")


def _circle_through(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> Circle:
    (ax, ay), (bx, by), (cx, cy) = a, b, c
    twice = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    if twice == 0:
        raise BadShape("the three points of a circle lie on a line")
    squares = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    x = (squares[0] * (by - cy) + squares[1] * (cy - ay) + squares[2] * (ay - by)) / twice
    y = (squares[0] * (cx - bx) + squares[1] * (ax - cx) + squares[2] * (bx - ax)) / twice
    return Circle(number(x), number(y), number(math.hypot(ax - x, ay - y)))


def _field(entry: Any) -> Field:
    entry = entry if isinstance(entry, Mapping) else {"aname": entry}
    options = {key: str(text) for key, text in _mapping(entry.get("options")).items()}
    kind = entry.get("type")
    default = entry.get("default_option_id")
    return Field(
        str(entry.get("aname", "")),
        _KINDS.get(kind, "text") if isinstance(kind, int) else "text",
        options,
        default if isinstance(default, str) else "",
    )


def _from_csv(path: Path) -> dict[str, Any]:
    """The parts of a project that its CSV export holds: attributes in a comment, one annotation a row."""
    text = head(path, 1 << 20).decode("utf-8-sig", "replace")
    columns = re.search(r"^#\s*CSV_HEADER\s*=\s*([\w,]+)", text, re.MULTILINE)
    attributes = re.search(r"^#\s*ATTRIBUTES?\s*=\s*(\{.*\})\s*$", text, re.MULTILINE)
    if columns is None:
        raise DataError(f"{path}: not VIA 3's CSV: it has no line # CSV_HEADER; export it from VIA again")
    files: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    try:
        declared = json.loads(attributes[1]) if attributes else {}
        for row in rows(path, header=columns[1].strip(",")):
            view = row["file_list"]
            names = json.loads(view)
            video = any(str(name).lower().endswith((".mp4", ".webm", ".ogv", ".mov", ".avi", ".mkv")) for name in names)
            files.setdefault(view, {"fname": str(names[0]), "type": 4 if video else _IMAGE, "several": len(names)})
            metadata[row["metadata_id"]] = {
                "vid": view,
                "z": json.loads(row["temporal_coordinates"]),
                "xy": json.loads(row["spatial_coordinates"]),
                "av": json.loads(row["metadata"]),
            }
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: broken CSV ({error}); export it from VIA again") from error
    views = {view: {"fid_list": [view] * file["several"]} for view, file in files.items()}
    return {"file": files, "view": views, "metadata": metadata, "attribute": declared}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

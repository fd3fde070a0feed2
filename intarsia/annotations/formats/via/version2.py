"""The annotation files of VIA 1 and 2 (robots.ox.ac.uk/~vgg/software/via): JSON, CSV, and VIA 2's project."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intarsia.annotations.document import AnnotatedImage, Category, Shape
from intarsia.annotations.finding import ImageFinder, clean_name, read_text
from intarsia.annotations.formats.via.fields import Field, categories, class_field, declared, label_of, values
from intarsia.annotations.formats.via.regions import geometry_of
from intarsia.annotations.lost import Lost
from intarsia.annotations.photos import embedded
from intarsia.annotations.reading import BadShape, kept, load_json
from intarsia.errors import DataError

_ENTRY = ("filename", "size", "regions", "file_attributes", "base64_img_data")
_COLUMNS = ("filename", "file_size", "file_attributes", "region_count", "region_shape_attributes", "region_attributes")


@dataclass(frozen=True)
class Options:
    """What the user says about VIA's files; see `intarsia.annotations.formats.via.read`."""

    class_attribute: str | None
    default_class: str
    closed_polylines: bool


class Version2:
    """One parsed file.

    Attributes:
        categories: the classes that it declares.
    """

    def __init__(self, path: Path, options: Options) -> None:
        """Parse a file. Raises `DataError` when it is broken, `UsageError` when it lacks the class attribute."""
        self.path = path
        self._options = options
        self._problems = Lost()
        value: Any = {}
        if path.suffix.lower() == ".csv":
            self._entries = _csv_entries(path, self._problems)
        else:
            value = load_json(path, "VIA", self._problems)
            if not isinstance(value, dict):
                raise DataError(f"{path}: not a VIA file: it holds a {type(value).__name__}, not an object of images")
            self._entries = _entries(path, value.get("_via_img_metadata", value), self._problems)
        self._folder = _default_folder(value.get("_via_settings"))
        settings = value.get("_via_attributes")
        settings = settings if isinstance(settings, Mapping) else {}
        self._fields: dict[str, Field] = declared(settings.get("region"))
        self._file_fields: dict[str, Field] = declared(settings.get("file"))
        regions = (
            values(region.get("region_attributes"), self._fields)
            for entry in self._entries
            for region in _regions(entry)
            if isinstance(region, Mapping)
        )
        self._class = class_field(regions, self._fields, options.class_attribute)
        self.categories: tuple[Category, ...] = categories(self._fields, self._class)

    def documents(self, finder: ImageFinder, lost: Lost) -> Iterator[AnnotatedImage]:
        """Every image of the file."""
        lost.merge(self._problems)
        for entry in self._entries:
            name = clean_name(str(entry["filename"]))
            where = f"{self.path.name}: {name}"
            extra = {key: value for key, value in entry.items() if key not in _ENTRY and value not in ("", None)}
            if self._class is not None:
                extra["class_attribute"] = self._class
            size = entry.get("size")
            if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
                extra["size"] = size
            yield AnnotatedImage(
                name=name,
                source=self.path,
                image=finder.find(name if "://" in name else self._folder + name, beside=self.path.parent, lost=lost),
                shapes=self._shapes(entry, where, lost),
                attributes=values(entry.get("file_attributes"), self._file_fields),
                embedded=embedded(entry.get("base64_img_data"), where, lost),
                tool="via",
                extra=extra,
            )

    def _shapes(self, entry: Mapping[str, Any], where: str, lost: Lost) -> tuple[Shape, ...]:
        return kept(_regions(entry), lambda region: self._shape(region, where, lost), where, lost)

    def _shape(self, region: Any, where: str, lost: Lost) -> Shape:
        if not isinstance(region, Mapping):
            raise BadShape("a region is no object")
        geometry = geometry_of(region.get("shape_attributes"), closed_polylines=self._options.closed_polylines)
        attributes = values(region.get("region_attributes"), self._fields)
        label = label_of(attributes, self._class, self._options.default_class, where, lost)
        extra = {k: v for k, v in region.items() if k not in ("shape_attributes", "region_attributes")}
        return Shape(label, geometry, attributes=attributes, extra=extra)


def _entries(path: Path, found: Any, lost: Lost) -> list[Mapping[str, Any]]:
    if not isinstance(found, Mapping):
        raise DataError(f"{path}: not a VIA file: its images are no object; export the annotations as JSON again")
    usable = [
        entry for entry in found.values() if isinstance(entry, Mapping) and isinstance(entry.get("filename"), str)
    ]
    if not usable:
        raise DataError(f"{path}: not a VIA file: no entry in it names an image; export the annotations as JSON again")
    lost.dropped("an entry names no image", path.name, len(found) - len(usable))
    return usable


def _default_folder(settings: Any) -> str:
    """The folder that VIA 2 puts before every name."""
    core = settings.get("core") if isinstance(settings, Mapping) else None
    folder = core.get("default_filepath") if isinstance(core, Mapping) else None
    return folder if isinstance(folder, str) else ""


def _regions(entry: Mapping[str, Any]) -> list[Any]:
    """VIA 1 numbers the regions in an object, VIA 2 lists them."""
    regions = entry.get("regions")
    if isinstance(regions, Mapping):
        return list(regions.values())
    return regions if isinstance(regions, list) else []


def _csv_entries(path: Path, lost: Lost) -> list[Mapping[str, Any]]:
    """The rows of a CSV file, one a region, gathered by image."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    counts: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows(path, lost), start=2):
        if number == 2:
            missing = [column for column in _COLUMNS if column not in row]
            if missing:
                raise DataError(f"{path}: not a VIA file: it has no column {missing[0]}; export it from VIA again")
        name, size = row["filename"], row["file_size"]
        key = (name, size)
        if key not in found:
            found[key] = {
                "filename": name,
                "size": int(size) if size.isdecimal() and len(size) < 19 else -1,
                "regions": [],
                "file_attributes": _cell(row["file_attributes"], path, number),
            }
            counts[key] = row["region_count"]
        shape = _cell(row["region_shape_attributes"], path, number)
        if shape or row["region_count"] not in ("0", ""):
            fields = _cell(row["region_attributes"], path, number)
            found[key]["regions"].append({"shape_attributes": shape, "region_attributes": fields})
    if not found:
        raise DataError(f"{path}: there is no image in it; export the annotations from VIA again")
    for key, entry in found.items():
        if counts[key].isdecimal() and len(counts[key]) < 9 and int(counts[key]) > len(entry["regions"]):
            lacking = int(counts[key]) - len(entry["regions"])
            lost.dropped("a region that region_count promises has no row", f"{path.name}: {key[0]}", lacking)
    return list(found.values())


def rows(path: Path, lost: Lost | None = None, header: str | None = None) -> list[dict[str, str]]:
    """The rows of a CSV file by column name; cells may be of any length, columns divided as spreadsheets do it.

    Args:
        path: the file.
        lost: as in `read_text`.
        header: the column names where the file has them in a comment; comments are then passed over.

    Raises:
        DataError: it cannot be read, or is no CSV.
    """
    text = read_text(path, lost).lstrip("#" if header is None else "")
    while header is not None and text.startswith("#"):
        text = text.partition("\n")[2]
    names = header.split(",") if header is not None else None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count) if header is None else ","
    most = csv.field_size_limit(1 << 30)  # one cell holds a whole polygon; Python's own limit is 128 KiB
    try:
        found = list(csv.DictReader(io.StringIO(text, newline=""), fieldnames=names, delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f"{path}: broken CSV ({error}); export it from VIA again") from error
    finally:
        csv.field_size_limit(most)
    return [{name.strip(): value or "" for name, value in row.items() if isinstance(name, str)} for row in found]


def _cell(text: str, path: Path, number: int) -> Any:
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: row {number} holds broken JSON ({text[:40]!r}); export it from VIA again") from error

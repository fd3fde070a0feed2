"""Manifests: a CSV or JSON Lines file that says which mask belongs to which image, and in which split it is."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from intarsia.datasets.layouts import lists
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import SPLITS, natural
from intarsia.datasets.layouts.pairing import Pairs
from intarsia.datasets.layouts.splitfiles import SUFFIXES as SUFFIXES_OF_LISTS
from intarsia.datasets.layouts.splitfiles import split_of
from intarsia.datasets.layouts.survey import detect
from intarsia.datasets.parts import File
from intarsia.errors import DataError, suggest

NAMES = ("manifest.csv", "manifest.jsonl")
SUFFIXES = (".csv", ".jsonl")
_ELSEWHERE = (*SUFFIXES, ".tsv", ".txt")
_COLUMNS = ("image", "mask", "split")
_CALLED = {
    "img": "image", "images": "image", "picture": "image", "photo": "image", "masks": "mask", "subset": "split",
}  # fmt: skip
_FILE = re.compile(r"(?P<what>.+?)[_\- ]?(?:file)?(?:path|file|name)s?")
_ANNOTATED = ("label", "annotation", "target", "gt", "segmentation")  # with "path" or "file" behind, masks
_LONGEST_LINE = 1 << 20


def find_manifests(content: Content) -> list[Path]:
    """The manifest that was named, the one in the folder, or its tables of images and masks: data.tsv, or train.csv.

    A file of this name that has neither of the columns, such as the record that `intarsia segment` leaves, is none.

    Raises:
        DataError: several tables, which are not called after splits.
    """
    if content.table is not None:
        kind = content.table.suffix.lower()
        if kind in SUFFIXES:
            return [] if kind == ".csv" and _is_headless(content.table) else [content.table]
        return [content.table] if kind in SUFFIXES_OF_LISTS and {"image", "mask"} <= _columns(content.table) else []
    there = (content.root / name for name in NAMES)
    for path in there:
        if path.is_file() and {"image", "mask"} & _columns(path):
            return [path]
    tables = sorted(path for path in content.root.iterdir() if path.suffix.lower() in _ELSEWHERE and path.is_file())
    found = [path for path in tables if _is_manifest(path)]
    if len(found) > 1 and not all(map(split_of, found)):
        names = ", ".join(path.name for path in found)
        raise DataError(f"{content.root}: {names} list images and masks: which one counts? Name that file as the data")
    return found


def passed_over(content: Content) -> Iterator[str]:
    """What is said of tables with the columns whose images are not here, and which therefore count for nothing."""
    tables = sorted(path for path in content.root.iterdir() if path.suffix.lower() in _ELSEWHERE and path.is_file())
    for path in tables:
        if {"image", "mask"} <= _columns(path) and not _is_manifest(path):
            yield (
                f"{path.name} has columns of images and masks, but the first image is not here, so it counts for "
                f"nothing: write paths relative to it, such as images/a.png."
            )


def _is_manifest(path: Path) -> bool:
    """Whether a table of any name has the columns, and its first line names an image that is here."""
    if not {"image", "mask"} <= _columns(path):
        return False
    try:
        first = next(_rows(path), None)
        image = _inside(path, *first, "image") if first else None
    except DataError:
        return False
    return image is not None and image.is_file()


def _is_headless(path: Path) -> bool:
    return not {"image", "mask"} & _columns(path) and lists.is_headless(path)


def _columns(path: Path) -> set[str]:
    """What the first line of a file names; nothing where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            line = file.readline(_LONGEST_LINE)
        found = {**json.loads(line)} if path.suffix.lower() == ".jsonl" else _split_line(line)
    except (OSError, ValueError, TypeError, RecursionError):
        found = {}
    return set(map(_column, found)) or {"image"}  # damaged: reading it says how


def _column(name: str) -> str:
    """What a column is called here: image for img and image_path, mask for mask_file and label_path."""
    low = name.strip().lower()
    file = _FILE.fullmatch(low)
    said = file["what"] if file else low
    if file and said in _ANNOTATED:
        return "mask"
    said = _CALLED.get(said, said)
    return said if said in _COLUMNS else low


def _split_line(line: str) -> list[str]:
    return next(csv.reader([line], delimiter=_delimiter(line)), [])


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def read_manifest(content: Content) -> PictureReading:
    """Items as the manifest lists them; what the mask values mean is found out as for any folder.

    Raises:
        DataError: no manifest, broken, without the columns, a path that leads outside, or masks without a meaning.
    """
    paths = find_manifests(content)
    if not paths:
        raise DataError(f"{content.root}: no manifest here; write manifest.csv with the columns image, mask and split")
    matched, without, notes = _listed(paths, own_splits=content.table is None)
    path = paths[0]
    if not matched:
        raise DataError(f"{path}: no line names an image and its mask; write: image,mask,split")
    if path.name not in NAMES and content.table is None:
        used = ", ".join(path.name for path in paths)
        notes.insert(0, f"Images and masks are those that {used} lists (--layout folder passes it over).")
    names = [name for _, name, *_ in matched]
    if len(set(names)) < len(names):  # a.jpg and a.png
        matched = [(s, image.relative_to(path.parent).as_posix(), image, m) for s, _, image, m in _paths(matched)]
    matched.sort(key=lambda entry: natural(entry[1]))
    try:
        space, coding, said = detect(
            [mask for *_, mask in matched], content.classes, content.options.ignore, tolerant=content.options.tolerant
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return PictureReading(space, coding, Pairs(tuple(matched), tuple(without), (), ()), (*notes[:3], *said))


def _listed(
    paths: Sequence[Path], *, own_splits: bool
) -> tuple[list[tuple[str | None, str, File, File]], list[Path], list[str]]:
    """The pairs of manifests, the images without mask, and what was left out; files may be called after splits."""
    matched: list[tuple[str | None, str, File, File]] = []
    without: list[Path] = []
    notes: list[str] = []
    first: dict[Path, str] = {}
    for path in paths:
        for number, row in _rows(path):
            image, mask = _inside(path, number, row, "image"), _inside(path, number, row, "mask")
            if image is None:
                raise DataError(
                    f"{path} line {number}: it names no image; fill in the column image, or delete the line"
                )
            if image in first:
                again = f"Line {number} of {path.name} names {row['image']} again ({first[image]}); it is left out."
                notes.append(again)
                continue
            first[image] = f"line {number}" if len(paths) == 1 else f"line {number} of {path.name}"
            if mask is None:
                without.append(image)
                continue
            split = _split(path, number, row) or (split_of(path) if own_splits else None)
            name = image.relative_to(path.parent).with_suffix("").as_posix()
            matched.append((split, name, image, mask))
    return matched, without, notes


def _paths(matched: list[tuple[str | None, str, File, File]]) -> Iterator[tuple[str | None, str, Path, File]]:
    for split, name, image, mask in matched:
        if isinstance(image, Path):
            yield split, name, image, mask


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the three columns of every row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from (_json_rows if path.suffix.lower() == ".jsonl" else _csv_rows)(path, file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error


def _csv_rows(path: Path, file: Any) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        sample = file.readline(_LONGEST_LINE)
        file.seek(0)
        reader = csv.reader(file, delimiter=_delimiter(sample))
        header = list(map(_column, next(reader, [])))
        _check_columns(path, header)
        for row in reader:
            if any(cell.strip() for cell in row):
                yield (
                    reader.line_num,
                    {name: cell.strip() for name, cell in zip(header, row, strict=False) if name in _COLUMNS},
                )
    except csv.Error as error:
        raise DataError(f"{path}: broken CSV ({error}); write one line an image: image,mask,split") from error


def _json_rows(path: Path, file: Any) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} line {number}: broken JSON ({error}); write one object a line") from error
        if not isinstance(value, dict):
            raise DataError(
                f'{path} line {number}: not an object; write one line an image: {{"image": "a.jpg", "mask": "a.png"}}'
            )
        value = {_column(name): part for name, part in value.items()}
        if number == 1:
            _check_columns(path, list(value))
        wrong = [name for name in _COLUMNS if not isinstance(value.get(name) or "", str)]
        if wrong:
            raise DataError(f"{path} line {number}: {wrong[0]} is not a text; name a file relative to {path.name}")
        yield number, {name: value.get(name) or "" for name in _COLUMNS}


def _check_columns(path: Path, header: list[str]) -> None:
    for needed in ("image", "mask"):
        if needed not in header:
            raise DataError(
                f"{path}: no column is named {needed!r}.{suggest(needed, header)} Write: image,mask,split "
                f"(paths relative to {path.name}; split may be left out)"
            )


def _inside(path: Path, number: int, row: dict[str, str], column: str) -> Path | None:
    """The file that a cell names, which lies below the manifest's folder."""
    text = row.get(column, "").replace("\\", "/")
    if not text:
        return None
    inside = None if "\0" in text or text[1:2] == ":" else Path(os.path.normpath(path.parent / text))
    if inside is None or not inside.is_relative_to(path.parent):
        raise DataError(
            f"{path} line {number}: {column} {row[column]!r} leads out of its folder; put the files below it "
            f"and name them relative to it"
        )
    return inside


def _split(path: Path, number: int, row: dict[str, str]) -> str | None:
    said = row.get("split", "").lower()
    if not said:
        return None
    if said not in SPLITS:
        raise DataError(f"{path} line {number}: no split is named {said!r}.{suggest(said, SPLITS)}")
    return SPLITS[said]


LAYOUTS: dict[str, Layout] = {
    "manifest": Layout(
        "a CSV or JSON Lines file with the columns image, mask and split",
        lambda content: bool(find_manifests(content)),
        read_manifest,
        files="manifest.csv or .jsonl (or a table of another name) with the columns image, mask and split (may be left "
        "out); files lie below it",
    ),
}

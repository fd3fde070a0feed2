"""Files that say which split a name belongs to: train.txt and val.txt, splits.json, or a table with a column split."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intarsia.datasets.layouts.filenames import SPLITS
from intarsia.errors import DataError
from intarsia.texts import decoded

SUFFIXES = (".txt", ".lst", ".tsv", ".csv")

_SPLITS = {**SPLITS, "trainval": "train"}
_NAME = re.compile(
    rf"(?:(?:list|autosplit|split|files?)[_\-. ])?(?P<split>{'|'.join(sorted(_SPLITS, key=len, reverse=True))})"
    r"(?:[_\-. ]?(?:list|split|set|files?|names?|images?|ids?|data|pairs?))?"
)
_DOCUMENT = re.compile(r"(?:.+[_\-. ])?splits?(?:[_\-. ](?:final|\d+))?")  # nnU-Net's is splits_final.json
_COLUMNS = ("split", "subset", "partition")
_FLAGS = {"is_valid": "val", "is_val": "val", "is_validation": "val", "is_test": "test"}  # fastai's first of all
_TRUE = ("true", "1", "yes", "y", "t")
_READ = (".json", ".yaml", ".yml")
_LONGEST = 1 << 26  # bytes: a list is no data


@dataclass(frozen=True)
class SplitList:
    """What a file lists of a split.

    Attributes:
        split: None where the file is no split's.
        path: the file.
        lines: its lines, or the names.
        part: which of several divisions in the file they are, in words.
    """

    split: str | None
    path: Path
    lines: tuple[str, ...]
    part: str = ""


def split_of(path: Path) -> str | None:
    """The split after which a list or table is called (train.csv, val_list.txt), if any."""
    name = _NAME.fullmatch(path.stem.lower())
    return _SPLITS[name["split"]] if name else None


def lists_in(folder: Path) -> list[SplitList]:
    """The lists that lie in a folder itself: those that are called after splits, or else one file of all splits."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    texts = [path for path in files if path.suffix.lower() in SUFFIXES]
    called = [(path, split) for path in files if (split := split_of(path)) is not None]
    found = [SplitList(split, path, lines_of(path)) for path, split in called if path.suffix.lower() in SUFFIXES]
    found += [SplitList(split, path, _names_in(path)) for path, split in called if _is_list_of_names(path)]
    alone = [one for one in found if "trainval" not in one.path.stem.lower()]
    if any(one.split == "train" for one in alone):  # which makes trainval needless
        return alone
    documents = [path for path in files if path.suffix.lower() in _READ and _DOCUMENT.fullmatch(path.stem.lower())]
    several = (*(list(_from_document(path)) for path in documents), *(list(_from_table(path)) for path in texts))
    return found or next((lists for lists in several if lists), [])


def lines_of(path: Path) -> tuple[str, ...]:
    """The lines of a list that hold something.

    Raises:
        DataError: it is too large, or cannot be read.
    """
    return tuple(line.strip() for line in _text(path).splitlines() if line.strip() and not line.startswith("#"))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LONGEST:
            raise DataError(f"{path}: too large for a list of files")
        return decoded(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a list of files ({error}); save it as UTF-8 text") from error


def _is_list_of_names(path: Path) -> bool:
    """Whether a JSON file begins as a list of texts: many a train.json is a large export of annotations."""
    if path.suffix.lower() != ".json":
        return False
    with path.open("rb") as file:
        return re.match(rb'\s*\[\s*"', file.read(64)) is not None


def _names_in(path: Path) -> tuple[str, ...]:
    value = _value(path)
    return tuple(name.strip() for name in value if isinstance(name, str)) if isinstance(value, list) else ()


def _value(path: Path) -> Any:
    """What a JSON or YAML file holds.

    Raises:
        DataError: it is broken.
    """
    from intarsia.yamltext import read_yaml

    kind = "JSON" if path.suffix.lower() == ".json" else "YAML"
    try:
        return json.loads(_text(path)) if kind == "JSON" else read_yaml(_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: broken {kind} ({' '.join(str(error).split())}); correct it, or remove it") from error


def _from_document(path: Path) -> Iterator[SplitList]:
    """{"train": [names], "val": [names]}, or a list of such, of which the first counts."""
    value = _value(path)
    part = ""
    if isinstance(value, list) and value:
        part = f" (the first of {len(value)} divisions)" if len(value) > 1 else ""
        value = value[0]
    for key, names in value.items() if isinstance(value, dict) else ():
        split = _SPLITS.get(str(key).lower())
        if split is not None and isinstance(names, list) and all(isinstance(name, str) for name in names):
            yield SplitList(split, path, tuple(name.strip() for name in names if name.strip()), part)


def _from_table(path: Path) -> Iterator[SplitList]:
    """A table whose first column holds names, and another one their splits, or whether they are of a certain one."""
    lines = lines_of(path)
    mark = max(",;\t", key=lines[0].count) if lines else ","
    head = [cell.lower().strip() for cell in next(csv.reader(lines[:1], delimiter=mark), [])]
    place = next((head.index(word) for word in (*_COLUMNS, *_FLAGS) if word in head), 0)
    if not place:
        return
    chosen = {word: _FLAGS[head[place]] for word in _TRUE} if head[place] in _FLAGS else _SPLITS
    rest = "train" if head[place] in _FLAGS else None
    names: dict[str, list[str]] = {}
    for row in csv.reader(lines[1:], delimiter=mark):
        split = chosen.get(row[place].strip().lower(), rest) if len(row) > place else None
        if split is not None and row[0].strip():
            names.setdefault(split, []).append(row[0].strip())
    yield from (SplitList(split, path, tuple(some)) for split, some in names.items())

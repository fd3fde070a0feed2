"""The rows of Labelbox's files: JSON arrays, single objects, or one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from intarsia.annotations.finding import clean_name, file_name, head
from intarsia.annotations.reading import load_json
from intarsia.errors import DataError

_LONGEST_LINE = 1 << 30


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every row of a file; NDJSON is read line by line.

    Raises:
        DataError: it cannot be read, or is broken; says in which line.
    """
    if _is_array(path):
        value = load_json(path, "Labelbox")
        entries = value if isinstance(value, list) else [value]
        for entry in entries:
            if not isinstance(entry, dict):
                raise DataError(f"{path}: not a Labelbox file: a row is no object; export it again")
            yield entry
        return
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if text:
                    yield _row(path, number, text)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: line {number} is not UTF-8 text; export it again") from error


def parsed(path: Path, text: str, number: int | None = None) -> Any:
    """The value of JSON text in a file, or on one line of it.

    Raises:
        DataError: it is broken.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = "a label" if number is None else f"line {number}"
        raise DataError(f"{path}: {where} is broken JSON: the file is damaged or cut off; export it again") from error


def _row(path: Path, number: int, text: str) -> dict[str, Any]:
    value = parsed(path, text, number)
    if not isinstance(value, dict):
        raise DataError(f"{path}: line {number} is no row of a Labelbox export; export it again")
    return value


def _is_array(path: Path) -> bool:
    """Tell whether a file is one JSON value; otherwise it holds one row a line."""
    start = head(path).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] != b"{":
        return True
    first = start.partition(b"\n")[0].rstrip()
    # A pretty-printed single object breaks off in its first line, a row does not (unless it is longer than the head).
    return len(first) < len(start.rstrip()) and not first.endswith(b"}")


def kind_of(path: Path) -> str | None:
    """Tell the kind of a file by its beginning: "v1", "v2" or "import"; None for other files."""
    start = head(path)
    if b'"data_row"' in start and (b'"projects"' in start or b'"media_attributes"' in start):
        return "v2"
    if b'"Labeled Data"' in start or (b'"DataRow ID"' in start and b'"Label"' in start):
        return "v1"
    return "import" if b'"dataRow"' in start and b'"uuid"' in start else None


def name_of(*candidates: Any) -> str:
    """The first of some names, web addresses cut down to their file."""
    for name in candidates:
        if isinstance(name, str) and name and "{" not in name:  # tiled imagery has a description instead
            last = file_name(name).rpartition("/")[2] if "://" in name else name
            if last:
                return clean_name(last)
    return ""

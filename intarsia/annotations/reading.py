"""What the readers share: numbers, points and JSON from files that nobody has checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from intarsia.annotations.document import Document
from intarsia.annotations.finding import read_text
from intarsia.annotations.geometry import Point, Polygon
from intarsia.annotations.lost import Lost
from intarsia.errors import DataError

FARTHEST = 1e6
"""Pixels; a coordinate beyond any image is a damaged file."""

S = TypeVar("S")
T = TypeVar("T")


class BadShape(Exception):
    """One shape cannot be used: the reader counts it as dropped, with this reason, and reads on."""


def kept(entries: Iterable[Any], parse: Callable[[Any], T], where: str, lost: Lost) -> tuple[T, ...]:
    """Parse entry by entry; those that raise `BadShape` are counted as dropped at "where: shape N"."""
    found: list[T] = []
    for number, entry in enumerate(entries, start=1):
        try:
            found.append(parse(entry))
        except BadShape as error:
            lost.dropped(str(error), f"{where}: shape {number}")
    return tuple(found)


def usable(entries: Iterable[S], parse: Callable[[S], T], lost: Lost, what: str = "file") -> Iterator[T]:
    """Parse entry by entry (files of a folder, images of a file); those that cannot be used are counted as dropped.

    Raises:
        DataError: not one of them can be used; the error of the last.
    """
    good, last = 0, None
    for entry in entries:
        try:
            found = parse(entry)
        except DataError as error:
            last = error
            lost.dropped(f"a{'n' if what[0] in 'aeiou' else ''} {what} that cannot be used", error)
            continue
        good += 1
        yield found
    try:
        if last is not None and not good:
            raise last
    finally:
        del last  # an error in a variable of its own traceback would keep an unpacked archive until the next collection


def number(value: Any) -> float:
    """A coordinate or length: a number, or a text that holds one.

    Raises:
        BadShape: not a number, not finite, or farther away than any image reaches.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadShape("a coordinate is not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise BadShape("a coordinate is not a number") from None
    if not math.isfinite(found):
        raise BadShape("a coordinate is not finite (NaN or infinite)")
    if abs(found) > FARTHEST:
        raise BadShape("a coordinate lies far outside every image")
    return found


def points(value: Any, least: int = 1, what: str = "shape") -> tuple[Point, ...]:
    """Points from a list of [x, y] pairs.

    Raises:
        BadShape: not such a list, a bad number, or fewer than `least`.
    """
    if not isinstance(value, list | tuple) or any(
        not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value
    ):
        raise BadShape("its points are not a list of [x, y] pairs")
    found = tuple((number(x), number(y)) for x, y in value)
    if len(found) < least:
        raise BadShape(f"a {what} has fewer than {least} points")
    return found


def polygon(*rings: Any) -> Polygon:
    """A polygon of outer rings, each a list of three or more [x, y] pairs; a repeated first point is left out.

    Raises:
        BadShape: see `points`.
    """
    found = []
    for ring in rings:
        corners = points(ring, 3, "polygon")
        found.append(corners[:-1] if len(corners) > 3 and corners[0] == corners[-1] else corners)
    return Polygon.of(*found)


def side(value: Any, where: str) -> int | None:
    """A width or height in pixels, a number or its text; None when the file leaves it out (or says 0).

    Raises:
        DataError: not a positive number of pixels.
    """
    value = value.strip() if isinstance(value, str) else value
    if value is None or value == "":
        return None
    found = whole_number(value)
    if found is None or not 0 <= found <= FARTHEST:
        raise DataError(f"{where} is {value!r}, not a number of pixels; correct it, or remove the entry")
    return found or None


def load_json(path: Path, tool: str, lost: Lost | None = None) -> Any:
    """The value of a JSON file; `lost` as in `read_text`.

    Raises:
        DataError: it cannot be read, or is broken; says at which line.
    """
    text = read_text(path, lost)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            f"{path}: broken JSON{where}: the file is damaged or cut off; save it again with {tool}"
        ) from error


def whole_number(value: Any) -> int | None:
    """An id or a size that is a whole number, also as text or with decimals of 0; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}(\.0*)?", value):
        return int(value.partition(".")[0])
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return None


class MissingMask(DataError):
    """A mask file that is not there. Reading ends with it: the mask's object would be gone without notice."""


def from_files(
    files: Sequence[Path], read: Callable[[Path], Iterable[Document]], lost: Lost, broken: int = 0
) -> Iterator[Document]:
    """The documents of several files; one that is broken is counted as dropped, as long as there is another.

    Args:
        files: what to read.
        read: reads one file.
        lost: the tally.
        broken: how many further files were found to be broken before.

    Raises:
        DataError: none of the files can be used; or a mask is missing.
    """
    for number, file in enumerate(files):
        try:
            yield from read(file)
        except MissingMask:
            raise
        except DataError as error:
            broken += 1
            if broken > number and number + 1 == len(files):
                raise
            lost.dropped("a file that cannot be used", error)

"""Tables in text: which mark divides the columns, whether decimals have a comma, and which columns are words."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError

_PROBED = 200  # lines that show how the file is written
_LONGEST = 1 << 16  # characters of one of them; all cells of a line are held, in several ways
_COMMENT = ("#", "//")
_EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class TextTable:
    """What a text file holds.

    Attributes:
        columns: one array each; of numbers, or of words (N,).
        header: their names, if a line says them.
        notes: what was decided, in sentences.
    """

    columns: list[NDArray[Any]]
    header: list[str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """One of the words in it, for messages."""
        return next((str(values[0]) for values in self.columns if values.dtype.kind == "U" and len(values)), "")


@dataclass(frozen=True)
class _Dialect:
    """How a line becomes cells."""

    mark: str | None
    comma: bool = False

    def cells(self, line: str) -> list[str]:
        """Cut one line."""
        found = (
            line.split()
            if self.mark is None
            else next(csv.reader([line], delimiter=self.mark, skipinitialspace=True), [])
        )
        return [cell.strip().strip('"') for cell in found]

    def is_number(self, cell: str) -> bool:
        """Tell whether a cell is one number."""
        if self.comma and "," in cell:
            return _COMMA.fullmatch(cell) is not None
        try:
            float(cell)
        except ValueError:
            return False
        return True

    def number(self, cell: str) -> float:
        """The value of a cell; NaN of an empty one."""
        if cell.lower() in _EMPTY:
            return np.nan
        return float(cell.replace(",", ".") if self.comma else cell)


# In the order in which they are tried: a semicolon or a tab is there for a reason, a comma may be a decimal one.
_DIALECTS = (
    _Dialect(";"), _Dialect(";", comma=True), _Dialect("\t"), _Dialect("\t", comma=True), _Dialect(","),
    _Dialect(None), _Dialect(None, comma=True), _Dialect(",", comma=True),
)  # fmt: skip
_PLAIN = _Dialect(None)


def read_text(path: Path) -> TextTable:
    """Read a table of points from a text file (CSV, TXT, XYZ, PTS).

    Lines that begin with # or // say nothing, but for the one before the numbers, which may name the columns; so may
    the first line of words. Lines with one number alone count the points of a scan (PTS).

    Raises:
        DataError: it cannot be read, or a line of it is broken; names the line.
    """
    try:
        with path.open("rb") as file:
            wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        with path.open(encoding="utf-16" if wide else "utf-8-sig", errors="replace", newline="") as stream:
            return _read(stream, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _read(stream: io.TextIOBase, path: Path) -> TextTable:
    probe = list(itertools.islice(iter(partial(stream.readline, _LONGEST), ""), _PROBED))
    if any(len(line) == _LONGEST for line in probe):
        raise DataError(f"{path}: not a table of points: a line of it has more than {_LONGEST:,} characters")
    dialect, start = _understand(probe)
    if start == len(probe):
        header = _header(probe, dialect, 3)
        if any(line.strip() and not line.lstrip().startswith(_COMMENT) for line in probe) and header is None:
            raise DataError(f"{path}: not a table of numbers: no line of its first {len(probe)} holds x, y and z")
        return TextTable([np.empty(0) for _ in header or "xyz"], header)
    rows = [dialect.cells(line) for line in probe[start:] if not _is_aside(line, dialect)]
    width = len(rows[0]) - all(len(row) > 1 and not row[-1] for row in rows)  # a mark at the end of each line is none
    words = {place for place in range(width) if 2 * sum(_is_word(row, place, dialect) for row in rows) > len(rows)}
    notes = ("its numbers are read with a decimal comma",) if dialect.comma else ()
    stream.seek(0)
    columns = _columns(stream, dialect, width, words, path, start)
    return TextTable(columns, _header(probe[:start], dialect, width), notes)


def _understand(probe: list[str]) -> tuple[_Dialect, int]:
    """The dialect in which the most cells are numbers, and the number of lines before the first point."""
    best, score = (_PLAIN, len(probe)), 0.0
    for dialect in _DIALECTS:
        if dialect.mark and not any(dialect.mark in line for line in probe):
            continue
        start = next((place for place, line in enumerate(probe) if _is_point(line, dialect)), len(probe))
        points = [dialect.cells(line) for line in probe[start:] if not _is_aside(line, dialect)]
        numbers = sum(dialect.is_number(cell) for cells in points for cell in cells)
        share = numbers / max(1, sum(map(len, points))) * (len({len(cells) for cells in points}) == 1 or 0.5)
        if share > score:
            best, score = (dialect, start), share
    return best


def _is_point(line: str, dialect: _Dialect) -> bool:
    """At least three numbers: the coordinates."""
    if line.lstrip().startswith(_COMMENT):
        return False
    return sum(map(dialect.is_number, dialect.cells(line))) >= 3


def _is_aside(line: str, dialect: _Dialect) -> bool:
    """A comment, or the number of the points that follow."""
    return not line.strip() or line.lstrip().startswith(_COMMENT) or len(dialect.cells(line)) == 1


def _is_word(row: list[str], place: int, dialect: _Dialect) -> bool:
    return place < len(row) and row[place].lower() not in _EMPTY and not dialect.is_number(row[place])


def _header(lines: list[str], dialect: _Dialect, width: int) -> list[str] | None:
    """The names of the columns: the last line before the points that has as many words."""
    for line in reversed(lines):
        text = line.strip()
        for mark in _COMMENT:
            text = text.removeprefix(mark)
        for one in (dialect, _PLAIN, _Dialect(",")):
            names = one.cells(text.strip().rstrip(",;"))
            if len(names) >= 3 and (len(names) == width or width == 3) and not any(map(one.is_number, names)):
                return names
    return None


def _columns(
    stream: io.TextIOBase, dialect: _Dialect, width: int, words: set[int], path: Path, start: int
) -> list[NDArray[Any]]:
    """All columns, by numpy where it reads the text as it stands, else cell by cell."""
    if not words and not dialect.comma:
        for _ in range(start):
            next(stream)
        try:
            quote = '"' if dialect.mark else None
            return list(np.loadtxt(stream, delimiter=dialect.mark, ndmin=2, quotechar=quote).T)
        except ValueError:
            stream.seek(0)  # an empty cell, a scan's count between the points, or a broken line
    kept: list[list[Any]] = [[] for _ in range(width)]
    for number, cells in _rows(stream, dialect, start):
        if len(cells) == width + 1 and not cells[-1]:
            cells.pop()
        if len(cells) != width:
            raise DataError(
                f"{path}: not a table of numbers: line {number} has {len(cells)} columns instead of {width}"
            )
        for place, cell in enumerate(cells):
            try:
                kept[place].append(cell if place in words else dialect.number(cell))
            except ValueError:
                raise DataError(
                    f"{path}: not a table of numbers: {cell!r} in line {number}, column {place + 1}"
                ) from None
    return [np.array(values, dtype=np.str_ if place in words else np.float64) for place, values in enumerate(kept)]


def _rows(stream: io.TextIOBase, dialect: _Dialect, start: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(stream, start=1):
        if number > start and not _is_aside(line, dialect):
            yield number, dialect.cells(line)

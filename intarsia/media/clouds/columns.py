"""Columns of a table that does not name them: decided by what they hold, and said, or asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError

SKIP = "_"
"""The name of a column that is left out."""
_MOST_CLASSES = 64
_ALIKE = 4.0  # how many times as many values one channel of a colour has as another, at most
_FEW_POINTS = 50  # of fewer, the number of different values tells nothing
_UNIT = 0.05
_MOST = 20_000  # points that are looked at

Table = NDArray[Any]


def _is_whole(values: Table) -> bool:
    return bool(np.isfinite(values).all() and (values == np.round(values)).all())


def _is_number(values: Table) -> bool:
    return bool(np.isfinite(values).all())


def _is_label(values: Table) -> bool:
    few = len(np.unique(values)) <= _MOST_CLASSES
    return few and _is_whole(values) and bool(values.min(initial=0) >= -1)


def _is_strength(values: Table) -> bool:
    tells = len(values) >= _FEW_POINTS and len(np.unique(values)) > 1
    return _is_number(values) and not (tells and _is_label(values))


def _is_normal(values: Table) -> bool:
    lengths = np.linalg.norm(values, axis=1)
    known = lengths[lengths > 0]
    return len(known) > 0 and float((np.abs(known - 1) <= _UNIT).mean()) > 0.95


def _is_color(values: Table) -> bool:
    if not np.isfinite(values).all() or values.min(initial=0) < 0 or _is_normal(values):
        return False
    tops = values.max(axis=0, initial=0)
    if tops.max() > 255 and (tops.min() <= 255 or tops.max() > 65535 or not _is_whole(values)):
        return False
    if len({_is_whole(column) for column in values.T}) > 1:
        return False
    many = [len(np.unique(column)) for column in values.T]
    return len(values) < _FEW_POINTS or max(many) <= _ALIKE * min(many)


class _Part(NamedTuple):
    """Neighbouring columns that mean one thing: their names, and whether values can be it."""

    names: tuple[str, ...]
    fits: Callable[[Table], bool]


_STRENGTH, _LABEL = _Part(("intensity",), _is_strength), _Part(("label",), _is_label)
_COLOR, _NORMAL = _Part(("red", "green", "blue"), _is_color), _Part(("nx", "ny", "nz"), _is_normal)
# What programs and data sets write behind x, y and z.
_READINGS: tuple[tuple[_Part, ...], ...] = (
    (),
    (_STRENGTH,), (_LABEL,),
    (_COLOR,), (_NORMAL,),
    (_STRENGTH, _COLOR), (_COLOR, _LABEL), (_NORMAL, _LABEL), (_COLOR, _STRENGTH), (_LABEL, _COLOR),
    (_STRENGTH, _COLOR, _LABEL), (_COLOR, _STRENGTH, _LABEL),
    (_COLOR, _NORMAL), (_NORMAL, _COLOR),
    (_COLOR, _NORMAL, _LABEL), (_NORMAL, _COLOR, _LABEL),
)  # fmt: skip
# The order that a format itself prescribes: PTS is x y z, intensity, red green blue.
_ANY_STRENGTH = _Part(("intensity",), _is_number)
_PRESCRIBED: dict[str, tuple[tuple[_Part, ...], ...]] = {".pts": ((_ANY_STRENGTH,), (_ANY_STRENGTH, _COLOR))}


def guess_columns(table: Table, path: Path) -> tuple[list[str], str]:
    """Name the columns of a table by what they hold.

    A reading is possible if every part of it can be what it says: colours are not negative, share one range and vary
    alike, normals have length 1, class codes are few whole numbers. What the format prescribes comes first.

    Args:
        table: (N, columns).
        path: of the file, whose suffix may prescribe an order.

    Returns:
        The names in order, and what was decided, in a sentence ("" of coordinates alone).

    Raises:
        DataError: nothing or more than one thing is possible; the message names the readings and the option.
    """
    some = np.asarray(table[:: max(1, len(table) // _MOST)], dtype=np.float64)
    some = some[np.isfinite(some).all(axis=1)]
    if not len(some):
        return ["x", "y", "z", *[SKIP] * (table.shape[1] - 3)], ""
    prescribed = _possible(_PRESCRIBED.get(path.suffix.lower(), ()), some)
    found = prescribed or _possible(_READINGS, some)
    if len(found) == 1:
        names = found[0]
        how = f"the order of {path.suffix.lower()} files" if prescribed else "by their values"
        said = f"its columns have no names and are taken for '{' '.join(names)}', {how} (--columns says otherwise)"
        return names, said if len(names) > 3 else ""
    if found:
        readings = " or ".join(f"'{' '.join(names)}'" for names in found)
        raise DataError(
            f"{path}: its {table.shape[1]} columns have no names and could be {readings}; say which (--columns)"
        )
    skipped = " ".join(["x y z", *[SKIP] * (table.shape[1] - 4), "label"])
    raise DataError(
        f"{path}: {table.shape[1]} columns without names; name them, for instance --columns '{skipped}' (_ skips one)"
    )


def _possible(readings: Sequence[tuple[_Part, ...]], table: Table) -> list[list[str]]:
    """The names that each reading gives the columns, of those that fit the values."""
    named = [(parts, ["x", "y", "z", *(name for part in parts for name in part.names)]) for parts in readings]
    return [names for parts, names in named if len(names) == table.shape[1] and _fits(parts, table)]


def _fits(parts: Sequence[_Part], table: Table) -> bool:
    start = 3
    for part in parts:
        if not part.fits(table[:, start : start + len(part.names)]):
            return False
        start += len(part.names)
    return True

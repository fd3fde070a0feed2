"""ClassList: classes as a user or a file names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from intarsia.errors import DataError
from intarsia.labels import Color, LabelSpace

_HEX = re.compile(r"(?:#|0x)([0-9a-f]{6})(?:[0-9a-f]{2})?", re.IGNORECASE)
_SHORT_HEX = re.compile(r"#([0-9a-f])([0-9a-f])([0-9a-f])", re.IGNORECASE)
_TRIPLE = re.compile(r"(?:rgba?)?[(\[]?\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,]+\d+)?\s*[)\]]?", re.IGNORECASE)


@dataclass(frozen=True)
class ClassList:
    """Classes as the user named them.

    Args:
        names: in order.
        palette: one colour each, or `()`.
        values: the mask value of each class, or `()` when only the order is known.
        source: where they come from, for messages.
        notes: what had to be decided about the file, in sentences.
        partial: a colour or None each, where only some names have one; `palette` is empty then.
    """

    names: tuple[str, ...]
    palette: tuple[Color, ...] = ()
    values: tuple[int, ...] = ()
    source: str = "classes"
    notes: tuple[str, ...] = ()
    partial: tuple[Color | None, ...] = ()

    @property
    def uncolored(self) -> tuple[str, ...]:
        """The names without a colour, where others have one."""
        return tuple(name for name, color in zip(self.names, self.partial, strict=False) if color is None)

    def in_order_of_values(self) -> LabelSpace:
        """The classes as a label space, sorted by their mask values where they are known."""
        order = list(range(len(self.names)))
        if self.values:
            order.sort(key=self.values.__getitem__)
        palette = tuple(self.palette[index] for index in order) if self.palette else ()
        return LabelSpace(tuple(self.names[index] for index in order), palette)


class Entry(NamedTuple):
    """One class as a line or an object of a file tells it."""

    name: str
    value: int | None = None
    color: Color | None = None


def class_list(entries: Sequence[Entry], source: str, notes: Sequence[str] = ()) -> ClassList:
    """The list of some entries; values count where every entry has one, and classes of negative ones are left out.

    Raises:
        DataError: no entry, repeated names or values, or colours that are none.
    """
    if not entries:
        raise DataError(f"{source}: it names no class; write one class name per line")
    nowhere = [entry for entry in entries if (entry.value or 0) < 0]
    if nowhere:
        shown = ", ".join(f"{entry.name} ({entry.value})" for entry in nowhere)
        left = [entry for entry in entries if entry not in nowhere]
        return class_list(left, source, (*notes, f"No mask holds negative values: {source} names {shown}, left out."))
    names = tuple(entry.name for entry in entries)
    values = tuple(entry.value for entry in entries if entry.value is not None)
    values = values if len(values) == len(names) else ()
    colors = tuple(entry.color for entry in entries)
    palette = tuple(color for color in colors if color is not None)
    partial = colors if 0 < len(palette) < len(names) else ()
    if len(set(values)) < len(values):
        raise DataError(f"{source}: two classes have the same value; give each its own")
    try:
        LabelSpace(names, () if partial else palette)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    return ClassList(names, () if partial else palette, values, source, tuple(notes), partial)


def color_in(value: Any) -> Color | None:
    """A colour written as [r, g, b], "#rrggbb", "r, g, b" or "rgb(r, g, b)", with or without alpha; else None."""
    if isinstance(value, list | tuple):
        whole = len(value) in (3, 4) and all(isinstance(part, int) and not isinstance(part, bool) for part in value)
        return (value[0], value[1], value[2]) if whole else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if found := _HEX.fullmatch(text):
        code = int(found[1], 16)
        return code >> 16, code >> 8 & 255, code & 255
    if found := _SHORT_HEX.fullmatch(text):
        return int(found[1] * 2, 16), int(found[2] * 2, 16), int(found[3] * 2, 16)
    if found := _TRIPLE.fullmatch(text):
        return int(found[1]), int(found[2]), int(found[3])
    return None

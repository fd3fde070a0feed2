"""PLY (Turk 1994), ascii and binary of both byte orders: the vertices are read, all else is passed over."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.files import atomic_path
from intarsia.media.clouds.cloud import PointCloud, from_columns
from intarsia.media.clouds.names import COLORS

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_NAMES = {code: name for name, code in reversed(_TYPES.items())}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST = 1 << 16  # bytes of a line, and lines of the header
_TOGETHER = 64  # rows that are tried at once, at first


@dataclass(frozen=True)
class _Property:
    """A value of an element: a number, or a list of them with its length before it."""

    name: str
    kind: str
    length: str = ""


@dataclass(frozen=True)
class _Element:
    """Rows of a file, one after the other."""

    name: str
    count: int
    properties: tuple[_Property, ...]

    @property
    def has_lists(self) -> bool:
        return any(one.length for one in self.properties)

    def least_bytes(self, order: str) -> int:
        """How many bytes a row takes at least; of a number as text, a digit and what parts it from the next."""
        return sum(np.dtype(one.length or one.kind).itemsize if order else 2 for one in self.properties)


@dataclass(frozen=True)
class _Header:
    order: str
    elements: tuple[_Element, ...]


def read_ply(path: Path, label: str | None = None) -> PointCloud:
    """Read the vertices of a PLY file.

    Raises:
        DataError: not a PLY file, truncated, or without vertices' x, y, z or the field `label`.
    """
    try:
        with path.open("rb") as stream:
            columns = _vertices(stream)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable PLY file, it is truncated or damaged ({error})") from error
    return from_columns(columns, str(path), label)


def write_ply(path: Path, cloud: PointCloud, columns: Mapping[str, NDArray[Any]]) -> list[str]:
    """Write a cloud as little-endian binary PLY: float64 coordinates, and columns as stored.

    Args:
        path: the target.
        cloud: the points.
        columns: its fields and others, each (N,).

    Returns:
        What PLY does not hold, and what became of it, in sentences.
    """
    notes: list[str] = []
    found: dict[str, NDArray[Any]] = {name: cloud.xyz[:, axis] for axis, name in enumerate("xyz")}
    for name, values in columns.items():
        if name in COLORS[:3]:
            values = np.nan_to_num(values / cloud.color_max * 255).clip(0, 255).round().astype(np.uint8)
        found[_free(re.sub(r"[^!-~]", "_", name), found)] = _storable(name, values, notes)
    if cloud.color_max > 255 and all(name in columns for name in COLORS[:3]):
        notes.append("colours of 16 bits become 8: PLY has no finer ones that other programs read")
    vertex = np.empty(len(cloud), dtype=[(name, values.dtype.newbyteorder("<")) for name, values in found.items()])
    for name, values in found.items():
        vertex[name] = values
    properties = [f"property {_NAMES[values.dtype.str[1:]]} {name}" for name, values in found.items()]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(cloud)}", *properties, "end_header", ""]
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write("\n".join(lines).encode("ascii"))
        vertex.tofile(stream)
    return notes


def _free(name: str, taken: Mapping[str, object]) -> str:
    return next(one for one in (name, *(f"{name}_{number}" for number in range(2, 1000))) if one not in taken)


def _storable(name: str, values: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """PLY knows integers up to 32 bits and floats of 32 and 64."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        return values.astype(np.float32) if values.dtype.itemsize < 4 else values
    if values.dtype.itemsize <= 4:
        return values
    for kind in (np.int32, np.uint32):
        if len(values) and np.iinfo(kind).min <= values.min() and values.max() <= np.iinfo(kind).max:
            return values.astype(kind)
    wide = values.astype(np.float64)
    if (wide.astype(values.dtype) != values).any():
        notes.append(f"{name} holds whole numbers above 2^53, which PLY rounds; write .npz to keep them")
    return wide


def _vertices(stream: IO[bytes]) -> dict[str, NDArray[Any]]:
    """Read the numbers of all vertices by name; lists of them are no fields of points.

    Raises:
        ValueError: the file is damaged; says where.
    """
    header = _header(stream)
    left = os.fstat(stream.fileno()).st_size - stream.tell()
    claimed = sum(one.count * one.least_bytes(header.order) for one in header.elements)
    if claimed > left + 1:  # the last line may have no end
        count = sum(one.count for one in header.elements)
        raise ValueError(f"its header claims {count:,} elements, more than its bytes can hold")
    for element in header.elements:
        rows = _text_rows(stream, element) if not header.order else _binary_rows(stream, element, header.order)
        if element.name == "vertex":
            return rows
    raise ValueError("it has no vertices")


def _header(stream: IO[bytes]) -> _Header:
    lines = _header_lines(stream)
    if next(lines, "") != "ply":
        raise ValueError("its first line is not 'ply'")
    order, elements = None, list[_Element]()
    for line in lines:
        match line.split():
            case ["format", kind, _] if kind in _ORDERS and order is None:
                order = _ORDERS[kind]
            case ["comment" | "obj_info", *_] | []:
                continue
            case ["element", name, count] if count.isdecimal():
                elements.append(_Element(name, int(count), ()))
            case ["property", "list", length, kind, name] if elements and {length, kind} <= _TYPES.keys():
                elements.append(_with(elements.pop(), _Property(name, _TYPES[kind], _TYPES[length])))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements.append(_with(elements.pop(), _Property(name, _TYPES[kind])))
            case _:
                raise ValueError(f"a line of its header is {line[:60]!r}")
    if order is None:
        raise ValueError("its header does not say the format")
    return _Header(order, tuple(elements))


def _with(element: _Element, added: _Property) -> _Element:
    if any(one.name == added.name for one in element.properties):
        raise ValueError(f"two properties of {element.name} are named {added.name}")
    return _Element(element.name, element.count, (*element.properties, added))


def _header_lines(stream: IO[bytes]) -> Iterator[str]:
    for _ in range(_LONGEST):
        line = stream.readline(_LONGEST)
        if not line.endswith(b"\n"):
            raise ValueError("its header does not end")
        text = line.decode("utf-8", "replace").strip()
        if text == "end_header":
            return
        yield text
    raise ValueError("its header does not end")


def _binary_rows(stream: IO[bytes], element: _Element, order: str) -> dict[str, NDArray[Any]]:
    if element.has_lists:
        return _walked(stream, element, order)
    kind = np.dtype([(one.name, order + one.kind) for one in element.properties])
    rows = np.fromfile(stream, kind, element.count) if kind.itemsize else np.empty(element.count, kind)
    if len(rows) < element.count:
        raise ValueError(f"it ends after {len(rows):,} of {element.count:,} rows of {element.name}")
    return {one.name: rows[one.name].astype(one.kind, copy=False) for one in element.properties}


def _walked(stream: IO[bytes], element: _Element, order: str) -> dict[str, NDArray[Any]]:
    """Read rows whose lists may differ in length: where the next one begins is known only then.

    Rows as long as the one before, as of a mesh of triangles, are read together.
    """
    start, data = stream.tell(), np.frombuffer(stream.read(), np.uint8)
    parts: list[NDArray[Any]] = []
    row, place, ahead = 0, 0, _TOGETHER
    while row < element.count:
        kind = _kind_at(data, place, element, order)
        most = min(ahead, element.count - row, (len(data) - place) // kind.itemsize)
        rows = data[place : place + most * kind.itemsize].view(kind)
        same = np.ones(most, bool)
        for one in element.properties:
            if one.length:
                same &= rows[f"{one.name} length"] == rows[f"{one.name} length"][0]
        taken = most if same.all() else int(same.argmin())
        parts.append(rows[:taken])
        row, place = row + taken, place + taken * kind.itemsize
        ahead = 2 * ahead if taken == most else _TOGETHER
    stream.seek(start + place)
    return {
        one.name: np.concatenate([np.empty(0, one.kind), *(part[one.name] for part in parts)], dtype=one.kind)
        for one in element.properties
        if not one.length
    }


def _kind_at(data: NDArray[np.uint8], place: int, element: _Element, order: str) -> np.dtype[Any]:
    """The form of one row, with the lengths that its lists have."""
    fields: list[Any] = []
    for one in element.properties:
        if one.length:
            here = place + np.dtype(fields).itemsize
            size = np.dtype(one.length).itemsize
            if here + size > len(data):
                raise ValueError(f"it ends within {element.name}")
            length = int(data[here : here + size].view(order + one.length)[0])
            if length < 0 or here + size + length * np.dtype(one.kind).itemsize > len(data):
                raise ValueError(f"a list of {element.name} is longer than the file")
            fields += [(f"{one.name} length", order + one.length), (f"{one.name} list", order + one.kind, (length,))]
        else:
            fields.append((one.name, order + one.kind))
    kind = np.dtype(fields)
    if place + kind.itemsize > len(data):
        raise ValueError(f"it ends within {element.name}")
    return kind


def _text_rows(stream: IO[bytes], element: _Element) -> dict[str, NDArray[Any]]:
    lines = _lines(stream, element)
    scalars = [one for one in element.properties if not one.length]
    if element.has_lists:
        lines = (_without_lists(line, element) for line in lines)
    if not scalars or not element.count:
        deque(lines, maxlen=0)
        return {one.name: np.empty(0, one.kind) for one in scalars}
    values = np.loadtxt(lines, np.float64, comments=None, ndmin=2)
    if values.shape != (element.count, len(scalars)):
        raise ValueError(f"rows of {element.name} have {values.shape[1]} numbers instead of {len(scalars)}")
    return {one.name: _as_kind(values[:, place], one) for place, one in enumerate(scalars)}


def _lines(stream: IO[bytes], element: _Element) -> Iterable[bytes]:
    done = 0
    while done < element.count:
        line = stream.readline(_LONGEST)
        if not line:
            raise ValueError(f"it ends after {done:,} of {element.count:,} rows of {element.name}")
        if line.strip():
            done += 1
            yield line


def _without_lists(line: bytes, element: _Element) -> bytes:
    cells, kept, place = line.split(), list[bytes](), 0
    for one in element.properties:
        if place >= len(cells):
            raise ValueError(f"a row of {element.name} is too short")
        if one.length:
            length = int(cells[place])
            if length < 0:
                raise ValueError(f"a list of {element.name} has {length} numbers")
            place += 1 + length
        else:
            kept.append(cells[place])
            place += 1
    return b" ".join(kept)


def _as_kind(values: NDArray[np.float64], one: _Property) -> NDArray[Any]:
    kind = np.dtype(one.kind)
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    if not ((values >= limits.min) & (values <= limits.max) & (values == np.rint(values))).all():
        raise ValueError(f"values of {one.name} are no whole numbers from {limits.min} to {limits.max}")
    return values.astype(kind)

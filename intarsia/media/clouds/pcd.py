"""PCD 0.7, the Point Cloud Library's format: ascii, binary, and binary_compressed (LZF)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.media.clouds.cloud import PointCloud, from_columns
from intarsia.media.clouds.names import split_columns

_KEYS = frozenset(
    {"VERSION", "FIELDS", "COLUMNS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS", "DATA"}
)
_KINDS = {"F": "f", "I": "i", "U": "u"}
_MAX_HEADER = 65536
_PROBED = 1000  # points that show the order of bytes


def read_pcd(path: Path, label: str | None = None) -> PointCloud:
    """Read a PCD file; packed ``rgb`` becomes red, green and blue.

    Raises:
        DataError: not a PCD file, truncated, or without x, y and z.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        header, start = _header(content)
        dtype = _dtype(header)
        points, kind = _count(header), header["DATA"][0]
        body, notes = content[start:], list[str]()
        if kind != "ascii" and _is_big_endian(body, dtype, points, kind):
            dtype = dtype.newbyteorder(">")
            notes.append("its numbers have their highest byte first (big-endian)")
        records = _records(body, dtype, points, kind)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path}: not a readable PCD file, it is truncated or damaged ({error})") from error
    records = records.astype(dtype.newbyteorder("="), copy=False)
    columns: dict[str, NDArray[Any]] = {}
    for name in dtype.names or ():
        if not name.startswith("_"):
            columns |= split_columns(name, records[name])
    return from_columns(_unpacked(columns), str(path), label, notes)


def _header(content: bytes) -> tuple[dict[str, list[str]], int]:
    found: dict[str, list[str]] = {}
    start = 0
    while "DATA" not in found:
        end = content.find(b"\n", start, _MAX_HEADER)
        if end < 0:
            raise ValueError("its header has no DATA line")
        key, *values = content[start:end].decode("ascii").split() or ["#"]
        if key in _KEYS:
            found[key] = values
        elif not key.startswith("#"):
            raise ValueError(f"unknown header line {key!r}")
        start = end + 1
    return found, start


def _count(header: dict[str, list[str]]) -> int:
    """The number of points, which some writers leave to the sides of the grid."""
    if "POINTS" in header:
        return int(header["POINTS"][0])
    if "WIDTH" not in header:
        raise ValueError("its header has neither POINTS nor WIDTH")
    return int(header["WIDTH"][0]) * int(header.get("HEIGHT", ["1"])[0])


def _dtype(header: dict[str, list[str]]) -> np.dtype[Any]:
    """The record of a point; the oldest files call the fields columns, and have floats of 4 bytes only."""
    names = header.get("FIELDS", header.get("COLUMNS", []))
    if not names:
        raise ValueError("its header names no FIELDS")
    sizes, kinds = header.get("SIZE", ["4"] * len(names)), header.get("TYPE", ["F"] * len(names))
    counts = header.get("COUNT", ["1"] * len(names))
    fields: list[Any] = []
    for place, (name, size, kind, count) in enumerate(zip(names, sizes, kinds, counts, strict=True)):
        unique = f"_{place}" if name == "_" else name
        shape = () if int(count) == 1 else (int(count),)
        fields.append((unique, np.dtype(f"<{_KINDS[kind]}{int(size)}"), shape))
    return np.dtype(fields)


def _records(body: bytes, dtype: np.dtype[Any], points: int, kind: str) -> NDArray[Any]:
    if kind == "binary":
        return np.frombuffer(body, dtype, points)
    if kind == "ascii":
        width = sum(int(np.prod(dtype[name].shape, dtype=int)) for name in dtype.names or ())
        if points * width * 2 > len(body) + 1:
            raise ValueError(f"its header claims {points:,} points, but there is less data")
        table = np.loadtxt(io.BytesIO(body), ndmin=2, max_rows=points) if points else np.empty((0, width))
        if table.shape != (points, width):
            raise ValueError(f"{table.shape[0]} rows of {table.shape[1]} values instead of {points} of {width}")
        return _from_text(table, dtype)
    if kind != "binary_compressed":
        raise ValueError(f"unknown DATA {kind!r}")
    packed, size = (int(value) for value in np.frombuffer(body, np.dtype("u4").newbyteorder(_order(dtype)), 2))
    if size != points * dtype.itemsize:
        raise ValueError(f"{size} bytes cannot be {points:,} points")
    if size > 300 * packed:  # LZF writes 264 bytes with three at most
        raise ValueError(f"{packed} bytes cannot unpack to {size}")
    plain = _unpack_lzf(body[8 : 8 + packed], size)
    records = np.empty(points, dtype)
    start = 0
    for name in dtype.names or ():  # compressed data lie field after field
        length = points * dtype[name].itemsize
        values = np.frombuffer(plain[start : start + length], dtype[name].base)
        records[name] = values.reshape((points, *dtype[name].shape))
        start += length
    return records


def _order(dtype: np.dtype[Any]) -> Literal["<", ">"]:
    """The byte order of a point's record: that of its numbers of several bytes."""
    fields = (dtype[name].base for name in dtype.names or ())
    return ">" if any(field.itemsize > 1 and field.newbyteorder("<") != field for field in fields) else "<"


def _is_big_endian(body: bytes, dtype: np.dtype[Any], points: int, kind: str) -> bool:
    """Tell whether a machine with the other order of bytes wrote the numbers, which no header says.

    Floats with their bytes turned around are hugely large or small: coordinates decide, and lengths of packed data.
    """
    if kind == "binary_compressed":
        return int.from_bytes(body[4:8], "little") != points * dtype.itemsize == int.from_bytes(body[4:8], "big")
    known = [name for name in "xyz" if name in (dtype.names or ()) and dtype[name].kind == "f"]
    if kind != "binary" or not known:
        return False
    first = np.frombuffer(body, dtype, min(points, _PROBED))
    share = [
        np.mean([_is_length(values[name]).mean() for name in known]) if len(values) else 0.0
        for values in (first, first.view(dtype.newbyteorder(">")))
    ]
    return bool(share[0] < 0.5 < share[1])


def _is_length(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each number could be a coordinate in any unit."""
    size = np.abs(values.astype(np.float64))
    return np.asarray(np.isnan(size) | (size == 0) | ((size > 1e-12) & (size < 1e12)))


def _from_text(table: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    records = np.zeros(len(table), dtype)
    column = 0
    for name in dtype.names or ():
        shape = dtype[name].shape
        width = int(np.prod(shape, dtype=int))
        values = table[:, column : column + width]
        records[name] = values.reshape((len(table), *shape)) if shape else values[:, 0].astype(dtype[name])
        column += width
    return records


def _unpacked(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """PCL packs a colour into the bits of one float or integer: 0xAARRGGBB."""
    for name in ("rgb", "rgba"):
        if name in columns and columns[name].dtype.itemsize == 4:
            bits = np.ascontiguousarray(columns.pop(name)).view(np.uint32)
            for shift, color in ((16, "red"), (8, "green"), (0, "blue")):
                columns[color] = ((bits >> shift) & 255).astype(np.uint8)
    return columns


def _unpack_lzf(packed: bytes, size: int) -> bytes:
    """Undo LZF (Lehmann's liblzf): literal runs, and copies of 3 to 264 earlier bytes.

    The loop is over the runs of the stream, which is sequential by nature.
    """
    out = bytearray()
    place, end = 0, len(packed)
    while place < end:
        control = packed[place]
        place += 1
        if control < 32:
            out += packed[place : place + control + 1]
            place += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += packed[place]
            place += 1
        start = len(out) - (((control & 31) << 8) | packed[place]) - 1
        place += 1
        length += 2
        if start < 0:
            raise ValueError("a copy from before its start")
        copied = out[start : start + length]
        out += (copied * (length // max(1, len(copied)) + 1))[:length] if len(copied) < length else copied
        if len(out) > size:
            break
    if len(out) != size:
        raise ValueError(f"it unpacks to {len(out)} bytes instead of {size}")
    return bytes(out)

"""Label maps in MATLAB files (.mat, versions 4 to 7)."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from intarsia.datasets.coding import RawMask
from intarsia.errors import DataError, require

_MOST_BYTES = 1 << 30  # of one variable, unpacked: a label map of 16,000 x 16,000 pixels as 32-bit numbers
_MATRIX, _COMPRESSED = 14, 15
_MOST_KIND, _BYTES_OF_4 = 5000, (8, 4, 4, 2, 2, 1)  # of version 4: its kinds, and bytes of a number of each
_TYPES = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18))  # of numbers and texts (MAT-File Format, table 1-1)
_HOLDERS = (1, 2, 3)  # classes of arrays that hold other arrays: cells, structures, objects
_COMPLEX = 0x0800
_DEEPEST = 32


def read_mat(path: Path, variable: str) -> RawMask:
    """One label map as it is stored.

    Args:
        path: the file.
        variable: its name; a field of a structure after a dot ("GTcls.Segmentation").

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        DataError: missing or damaged, no such variable, too large, or not whole numbers from 0 to 65535.
        UsageError: SciPy, which reads such files, is not installed.
    """
    _check(path)
    value: Any = _load(path, variable.partition(".")[0])
    for field in variable.split(".")[1:]:
        value = value[field][0, 0] if getattr(value.dtype, "names", None) and field in value.dtype.names else None
        if value is None:
            raise DataError(f"{path}: its structure has no field {field!r} ({variable}); download the file again")
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind not in "uifb" or not value.size:
        raise DataError(f"{path}: {variable} is not a label map (a matrix of numbers); download the file again")
    low, high = value.min(), value.max()
    if not (low >= 0 and high <= 65535) or (value.dtype.kind == "f" and (value != np.floor(value)).any()):
        raise DataError(f"{path}: {variable} spans {low}..{high}; class values are whole numbers from 0 to 65535")
    return np.ascontiguousarray(value.astype(np.uint8 if high <= 255 else np.uint16))


def read_names(path: Path, variable: str) -> tuple[str, ...]:
    """The texts of a cell array, for instance a data set's class names.

    Raises:
        DataError: as `read_mat`, or the variable does not hold texts.
    """
    _check(path)
    value = _load(path, variable)
    try:
        return tuple(str(np.asarray(cell).item()) for cell in np.asarray(value).ravel())
    except ValueError:
        raise DataError(f"{path}: {variable} is not a list of texts; download the file again") from None


def _load(path: Path, variable: str) -> Any:
    io = require("scipy.io", "mat")
    try:
        found = io.loadmat(path, variable_names=[variable])
    except NotImplementedError as error:
        raise DataError(f"{path}: a MATLAB 7.3 file; save it with: save(file, '{variable}', '-v7')") from error
    except Exception as error:  # the reader raises almost anything on damaged files
        raise DataError(f"{path}: not a MATLAB file, or damaged ({error}); download it again") from error
    if variable not in found:
        names = ", ".join(name for name, *_ in io.whosmat(path)) or "nothing"
        raise DataError(f"{path}: has no variable {variable!r}, only: {names}")
    return found[variable]


def _check(path: Path) -> None:
    """Refuse what SciPy's reader must not see.

    These are variables that would unpack to more than any label map, by the headers of the file's elements, and
    numbers of data types that do not exist, which end the process.
    """
    try:
        with path.open("rb") as file:
            head = file.read(128)
            order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
            if order is None or 0 in head[:4]:  # by which SciPy tells version 4
                _check_version_4(file, path)
                return
            while order and len(tag := file.read(8)) == 8:
                kind, size = struct.unpack(f"{order}II", tag)
                start = file.tell()
                if kind == _COMPRESSED:
                    inner = zlib.decompressobj().decompress(file.read(min(size, 1024)), 8)
                    size_unpacked = struct.unpack(f"{order}II", inner)[1] if len(inner) == 8 else 0
                else:
                    size_unpacked = size
                if size_unpacked > _MOST_BYTES:
                    raise DataError(f"{path}: refused: a variable would unpack to {size_unpacked:,} bytes")
                file.seek(start)
                body = tag + file.read(size)
                if kind == _COMPRESSED:
                    body = zlib.decompressobj().decompress(body[8:], size_unpacked + 8)
                _check_elements(body, order, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except zlib.error as error:
        raise DataError(f"{path}: damaged ({error}); download it again") from error


def _check_version_4(file: BinaryIO, path: Path) -> None:
    """Compare what the headers of a file of version 4, which has none of its own, tell with what there is."""
    size, place = os.fstat(file.fileno()).st_size, file.seek(0)
    while len(head := file.read(20)) == 20:
        order = "<" if int.from_bytes(head[:4], "little") < _MOST_KIND else ">"
        kind, rows, columns, imaginary, name = struct.unpack(f"{order}5i", head)
        bytes_each = _BYTES_OF_4[kind // 10 % 10] if 0 <= kind // 10 % 10 < len(_BYTES_OF_4) else 8
        place += 20 + name + rows * columns * bytes_each * (2 if imaginary else 1)
        if min(rows, columns, name) < 0 or place > size:
            raise DataError(f"{path}: not a MATLAB file, or damaged: it ends within a variable; download it again")
        file.seek(place)


def _check_elements(body: bytes, order: str, path: Path, nested: bool = True, depth: int = 0) -> int:
    """Look at the tags of elements that lie one after the other and count them; `nested`: they may be arrays."""
    place = count = 0
    while place + 8 <= len(body):
        kind, size = struct.unpack_from(f"{order}II", body, place)
        start, place = place + 8, place + 8 + -(-size // 8) * 8
        if kind >> 16:  # a small element: size and type share four bytes, and the data follow in the other four
            kind, start, place = kind & 0xFFFF, start - 4, start
        if kind not in _TYPES and not (kind == _MATRIX and nested and depth < _DEEPEST):
            raise DataError(f"{path}: damaged: no data type has the number {kind}; download it again")
        if kind == _MATRIX and size:
            flags = struct.unpack_from(f"{order}I", body, start + 8)[0] if start + 12 <= len(body) else 0
            holds = flags & 0xFF in _HOLDERS
            inside = _check_elements(body[start : start + size], order, path, holds, depth + 1)
            # Flags, dimensions, name and numbers; complex ones are two, and the reader goes on into what follows.
            if not holds and inside < (5 if flags & _COMPLEX else 4):
                raise DataError(f"{path}: damaged: an array lacks its numbers; download it again")
        count += 1
    return count

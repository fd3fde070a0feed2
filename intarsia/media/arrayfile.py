"""Reading NumPy's files, .npy and .npz, whatever their headers say."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

# The header is a Python expression: what reads it raises almost anything on a damaged one.
_DAMAGED = (
    OSError, ValueError, EOFError, KeyError, TypeError, SyntaxError, TokenError, RecursionError, NotImplementedError,
    OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def load_array(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """Read a .npy file; nothing is unpickled.

    Args:
        path: the file.
        mapped: leave the values on disk. Not for files that may shrink meanwhile, which crashes.

    Raises:
        ValueError: missing, damaged, or its header tells of more than the file holds.
    """
    try:
        with path.open("rb") as file:
            _require_bytes(file, os.fstat(file.fileno()).st_size)
        found: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except _DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return found


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read a .npz file; nothing is unpickled.

    Raises:
        ValueError: missing, damaged, or the header of an array tells of more than its entry holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    _require_bytes(file, entry.file_size)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except _DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _require_bytes(file: IO[bytes], size: int) -> None:
    """Refuse an array whose header tells of more bytes than there are, before memory is taken for them."""
    version = npy.read_magic(file)
    if version not in _HEADERS:
        return  # version 3 is of structured arrays with names that are no Latin text
    shape, _, dtype = _HEADERS[version](file)
    told, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if told > there:
        raise ValueError(f"its header tells of {told:,} bytes, and there are {there:,}; it is truncated or forged")

"""Clouds as plain arrays: NPY, NPZ, CSV, TXT and HDF5, told by a column specification where names are missing."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, require
from intarsia.media.clouds.cloud import PointCloud, from_columns
from intarsia.memory import available_memory

SUFFIXES = (".npy", ".npz", ".csv", ".txt", ".xyz", ".pts", ".h5", ".hdf5")
_GUESSES = {3: "x y z", 4: "x y z intensity", 6: "x y z red green blue", 7: "x y z red green blue label"}
# Arrays of several columns, by the names that data sets give them.
_GROUPS = {
    ("x", "y", "z"): ("xyz", "pos", "points", "coord", "coords", "coordinates", "point", "data"),
    ("red", "green", "blue"): ("rgb", "color", "colors", "colour", "colours"),
    ("nx", "ny", "nz"): ("normal", "normals"),
}
_SKIP = "_"


def read_table(path: Path, columns: str | None = None, label: str | None = None) -> PointCloud:
    """Read one cloud of arrays.

    Args:
        path: the file.
        columns: names in order ("x y z _ label", "_" skips one) for arrays with one row a point; for NPZ and HDF5
            ``name=array`` pairs where their names are not the usual ones ("xyz=val_xyz label=val_label").
        label: the column of the class codes, when its name is not a usual one.

    Raises:
        DataError: the file is damaged or does not fit the columns; names the line of a broken text file.
        UsageError: the specification itself is wrong, or h5py is missing.
    """
    suffix = path.suffix.lower()
    if suffix in (".npz", ".h5", ".hdf5"):
        arrays = _npz(path) if suffix == ".npz" else read_hdf5(path)
        if len(arrays) == 1 and columns is not None and "=" not in columns:
            return _rows(next(iter(arrays.values())), path, columns, label)
        return from_columns(_named_columns(arrays, path, columns), str(path), label)
    if suffix == ".npy":
        return _rows(_npy(path), path, columns, label)
    header, table = _text(path)
    if header is not None and columns is None and len(header) == table.shape[1]:
        return from_columns(dict(zip(header, table.T, strict=True)), str(path), label)
    return _rows(table, path, columns, label)


def _rows(table: NDArray[Any], path: Path, columns: str | None, label: str | None) -> PointCloud:
    """A cloud from an array with one row a point, or a structured one."""
    if table.dtype.names:
        return from_columns({name: table[name].reshape(-1) for name in table.dtype.names}, str(path), label)
    if table.ndim != 2:
        raise DataError(f"{path}: an array (points, columns) is needed, this one is {table.shape}")
    names = _names(columns if columns is not None else _GUESSES.get(table.shape[1], ""))
    if not names:
        raise DataError(
            f"{path}: {table.shape[1]} columns without names; name them, for instance --columns "
            f"'{' '.join(['x y z', *['_'] * (table.shape[1] - 4), 'label'])}' (_ skips one)"
        )
    if len(names) != table.shape[1]:
        raise DataError(f"{path}: {len(names)} column names ({' '.join(names)}) for {table.shape[1]} columns")
    kept = {name: table[:, place] for place, name in enumerate(names) if name != _SKIP}
    return from_columns(kept, str(path), label)


def _names(columns: str) -> list[str]:
    names = [name for name in re.split(r"[\s,;]+", columns.strip()) if name]
    repeated = sorted({name for name in names if name != _SKIP and names.count(name) > 1})
    if repeated:
        raise UsageError(f"columns: {', '.join(repeated)} is named twice; use _ for columns to skip")
    return names


def _named_columns(arrays: dict[str, NDArray[Any]], path: Path, columns: str | None) -> dict[str, NDArray[Any]]:
    """One array a column from named arrays, of which some hold several columns."""
    wanted: dict[str, str] = {}
    for pair in (columns or "").replace(",", " ").split():
        name, separator, array = pair.partition("=")
        if not separator:
            raise UsageError(f"columns: {pair!r} is not of the form name=array, for instance xyz=points label=classes")
        if array not in arrays:
            raise DataError(f"{path}: it holds no array {array!r}, but: {', '.join(arrays)}")
        wanted[name] = array
    taken = {name: arrays[array] for name, array in wanted.items()}
    taken |= {name: values for name, values in arrays.items() if name not in wanted.values() and name not in taken}
    found: dict[str, NDArray[Any]] = {}
    for name, values in taken.items():
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        group = next((members for members, names in _GROUPS.items() if name.lower() in names), None)
        if group is not None and values.ndim == 2 and values.shape[1] >= 3:
            found |= {member: values[:, place] for place, member in enumerate(group)}
        elif values.ndim == 1:
            found[name] = values
    points = len(found["x"]) if "x" in found else 0
    return {name: values for name, values in found.items() if len(values) == points}


def _npy(path: Path) -> NDArray[Any]:
    try:
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable NPY file ({error})") from error
    return values


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            with zipfile.ZipFile(path) as entries:
                total = sum(entry.file_size for entry in entries.infolist())
            _check_memory(path, total)
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path}: not a readable NPZ file ({error})") from error


def read_hdf5(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of numbers in an HDF5 file by name.

    Raises:
        DataError: the file is damaged, or larger than memory.
        UsageError: h5py is missing.
    """
    h5py = require("h5py", "clouds")
    try:
        with h5py.File(path, "r") as file:
            found: dict[str, NDArray[Any]] = {}

            def visit(name: str, item: Any) -> None:
                if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iufb":
                    return
                # A data set may lie in other files; only what lies in this one is read.
                if not item.external and not item.is_virtual:
                    _check_memory(path, item.size * item.dtype.itemsize)
                    found[name] = item[()]

            file.visititems(visit)
            return found
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a readable HDF5 file ({error})") from error


def _check_memory(path: Path, size: int) -> None:
    if size > available_memory():
        raise DataError(f"{path}: it unpacks to {size / 1e9:.1f} GB, more than there is memory; split it")


def _text(path: Path) -> tuple[list[str] | None, NDArray[np.float64]]:
    """Names of a header line, if any, and the numbers (N, columns)."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            lines = [stream.readline() for _ in range(2)]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    delimiter = next((mark for mark in (";", ",", "\t") if mark in lines[1] or mark in lines[0]), None)
    first = [part.strip().strip('"') for part in lines[0].strip().removeprefix("#").strip().split(delimiter)]
    header = None if any(map(_is_number, first)) else first  # a broken line of numbers is none
    # A .pts file starts with the number of its points alone.
    counted = header is None and len(first) == 1 and len(lines[1].split(delimiter)) > 1
    skip = 1 if header is not None or counted else 0
    try:
        table = np.loadtxt(path, delimiter=delimiter, skiprows=skip, ndmin=2, encoding="utf-8-sig")
    except ValueError as error:
        raise DataError(f"{path}: not a table of numbers: {error}") from error
    return header, table.reshape(0, len(header or ["x", "y", "z"])) if table.size == 0 else table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

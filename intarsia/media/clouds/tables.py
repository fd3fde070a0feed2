"""Clouds as plain arrays: NPY, NPZ, CSV, TXT and HDF5, told by a column specification where names are missing."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, require
from intarsia.media.arrayfile import load_array, load_arrays
from intarsia.media.clouds.cloud import PointCloud, from_columns
from intarsia.media.clouds.columns import SKIP, guess_columns
from intarsia.media.clouds.names import COORDINATES, canonical, split_columns
from intarsia.media.clouds.text import TextTable, read_text
from intarsia.memory import available_memory

_SMALL, _MOST_PER_BYTE = 1 << 24, 1100  # bytes; deflate packs at most about 1030 bytes into one
_MOST_COLUMNS = 64  # of an array with one row a point
SUFFIXES = (".npy", ".npz", ".csv", ".txt", ".xyz", ".pts", ".h5", ".hdf5")


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
    return _from_text(read_text(path), path, columns, label)


def with_labels_beside(cloud: PointCloud, path: Path) -> PointCloud:
    """A cloud with the codes of a file of the same name that ends in .labels, one a line, as Semantic3D has them.

    Raises:
        DataError: the file holds something else, or another number of them than there are points.
    """
    beside = path.with_suffix(".labels")
    if cloud.label is not None or not beside.is_file():
        return cloud
    try:
        codes = np.loadtxt(beside, dtype=np.int64, ndmin=1)
    except (ValueError, OSError) as error:
        raise DataError(f"{beside}: not the class codes of {path.name}, one whole number a line ({error})") from error
    if codes.shape != (len(cloud),):
        raise DataError(f"{beside}: {codes.size:,} class codes for the {len(cloud):,} points of {path.name}")
    return replace(cloud, label=codes, notes=(*cloud.notes, f"its class codes are those in {beside.name}"))


def _from_text(text: TextTable, path: Path, columns: str | None, label: str | None) -> PointCloud:
    """A cloud from a table in text, whose first lines may name the columns."""
    header = text.header
    if columns is not None:
        header = _checked_names(columns, len(text.columns), path)
    if header is None:
        if any(values.dtype.kind not in "iuf" for values in text.columns):
            raise DataError(
                f"{path}: a column holds words ({text.word}), and no line names the columns; name them, and skip what "
                f"is none of a point (--columns 'x y z {SKIP}')"
            )
        return _rows(np.stack(text.columns, axis=1), path, None, label, text.notes)
    named = {name: values for name, values in zip(header, text.columns, strict=True) if name != SKIP}
    return from_columns(named, str(path), label, text.notes)


def _rows(
    table: NDArray[Any], path: Path, columns: str | None, label: str | None, notes: tuple[str, ...] = ()
) -> PointCloud:
    """A cloud from an array with one row a point, or a structured one."""
    if table.dtype.names:
        return from_columns(_flattened({name: table[name] for name in table.dtype.names}), str(path), label)
    if table.ndim == 2 and table.shape[0] <= _MOST_COLUMNS < table.shape[1]:
        raise DataError(
            f"{path}: its array is {table.shape}, so that each point seems to be a column; save it with one row a "
            f"point (array.T)"
        )
    if table.ndim != 2 or table.shape[1] < 3:
        raise DataError(f"{path}: an array (points, columns) with x, y and z is needed, this one is {table.shape}")
    if columns is not None:
        names, said = _checked_names(columns, table.shape[1], path), ""
    else:
        names, said = guess_columns(table, path)
    kept = {name: table[:, place] for place, name in enumerate(names) if name != SKIP}
    return from_columns(kept, str(path), label, (*notes, said) if said else notes)


def _checked_names(columns: str, count: int, path: Path) -> list[str]:
    names = _names(columns)
    if len(names) != count:
        raise DataError(f"{path}: {len(names)} column names ({' '.join(names)}) for {count} columns")
    return names


def _flattened(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """One array a column; those of one row alone are no columns.

    An array that bears the name of an axis beside one of all three is something else: y the class codes, as PyTorch
    Geometric calls them.
    """
    spread = {name: split_columns(name, array) for name, array in arrays.items() if array.ndim}
    placed = any(set(COORDINATES) <= columns.keys() for columns in spread.values())
    known = {canonical(name) for name in arrays}
    for axis in COORDINATES:
        if placed and list(spread.get(axis, ())) == [axis]:
            other = "label" if axis == "y" and "label" not in known else f"{axis}_own"
            spread[axis] = {other: spread[axis][axis]}
    return {column: values for columns in spread.values() for column, values in columns.items()}


def _names(columns: str) -> list[str]:
    names = [name for name in re.split(r"[\s,;]+", columns.strip()) if name]
    repeated = sorted({name for name in names if name != SKIP and names.count(name) > 1})
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
    found = _flattened(taken)
    points = len(found["x"]) if "x" in found else 0
    return {name: values for name, values in found.items() if len(values) == points}


def _npy(path: Path) -> NDArray[Any]:
    try:
        return load_array(path, mapped=True)
    except ValueError as error:
        raise DataError(f"{path}: not a readable NPY file ({error})") from error


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as entries:
            total = sum(entry.file_size for entry in entries.infolist())
        _check_memory(path, total)
        return load_arrays(path)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
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
                    size = item.size * item.dtype.itemsize
                    if size > max(_SMALL, _MOST_PER_BYTE * item.id.get_storage_size()):
                        raise DataError(f"{path}: refused: {name} would unpack to {size:,} bytes, of next to none")
                    _check_memory(path, size)
                    found[name] = item[()]

            file.visititems(visit)
            return found
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a readable HDF5 file ({error})") from error


def _check_memory(path: Path, size: int) -> None:
    if size > available_memory():
        raise DataError(f"{path}: it unpacks to {size / 1e9:.1f} GB, more than there is memory; split it")

"""PLY (Turk 1994), ascii and binary, through plyfile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, require
from intarsia.files import atomic_path
from intarsia.media.clouds.cloud import COLORS, PointCloud, from_columns

_LEAST_BYTES = 2  # an ascii value and its separator; a binary vertex with x, y and z takes more


def read_ply(path: Path, label: str | None = None) -> PointCloud:
    """Read the vertices of a PLY file.

    Raises:
        DataError: not a PLY file, truncated, or without vertices' x, y, z or the field `label`.
        UsageError: plyfile is missing.
    """
    vertex = _vertices(path)
    columns = {name: vertex[name] for name in vertex.dtype.names or () if vertex.dtype[name].kind in "iuf"}  # no lists
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
    plyfile = require("plyfile", "clouds")
    notes: list[str] = []
    found: dict[str, NDArray[Any]] = {name: cloud.xyz[:, axis] for axis, name in enumerate("xyz")}
    for name, values in columns.items():
        if name in COLORS[:3]:
            values = np.nan_to_num(values / cloud.color_max * 255).clip(0, 255).round().astype(np.uint8)
        found[_free(re.sub(r"[^!-~]", "_", name), found)] = _storable(name, values, notes)
    if cloud.color_max > 255 and all(name in columns for name in COLORS[:3]):
        notes.append("colours of 16 bits become 8: PLY has no finer ones that other programs read")
    vertex = np.empty(len(cloud), dtype=[(name, values.dtype) for name, values in found.items()])
    for name, values in found.items():
        vertex[name] = values
    with atomic_path(path) as temporary:
        plyfile.PlyData([plyfile.PlyElement.describe(vertex, "vertex")], byte_order="<").write(str(temporary))
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


def _vertices(path: Path) -> NDArray[Any]:
    plyfile = require("plyfile", "clouds")
    try:
        with path.open("rb") as stream:
            header = plyfile.PlyData._parse_header(stream)
            claimed = sum(element.count for element in header.elements)
            if claimed * _LEAST_BYTES > path.stat().st_size:
                raise DataError(
                    f"{path}: its header claims {claimed:,} elements, more than its bytes can hold; "
                    "the file is damaged or truncated"
                )
        data = plyfile.PlyData.read(str(path))
        vertices: NDArray[Any] = data["vertex"].data
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except KeyError:
        raise DataError(f"{path}: a PLY file without vertices") from None
    except (plyfile.PlyParseError, OSError, ValueError, UnicodeDecodeError, TypeError) as error:
        raise DataError(f"{path}: not a readable PLY file, it is truncated or damaged ({error})") from error
    return vertices

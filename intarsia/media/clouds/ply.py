"""PLY (Turk 1994), ascii and binary, through plyfile."""

from __future__ import annotations

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
    columns = {name: vertex[name] for name in vertex.dtype.names or () if vertex.dtype[name].kind in "iuf"}
    return from_columns(columns, str(path), label)


def write_ply(path: Path, cloud: PointCloud, extra: dict[str, NDArray[Any]]) -> None:
    """Write a cloud as little-endian binary PLY: float64 coordinates, its fields as stored, and `extra` ones."""
    plyfile = require("plyfile", "clouds")
    columns: dict[str, NDArray[Any]] = {name: cloud.xyz[:, axis] for axis, name in enumerate("xyz")}
    for name, values in cloud.fields.items():
        if name in COLORS[:3]:
            values = np.clip(values / cloud.color_max * 255, 0, 255).round().astype(np.uint8)
        columns[name.replace(" ", "_")] = _storable(values)
    columns |= extra
    vertex = np.empty(len(cloud), dtype=[(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        vertex[name] = values
    with atomic_path(path) as temporary:
        plyfile.PlyData([plyfile.PlyElement.describe(vertex, "vertex")], byte_order="<").write(str(temporary))


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """PLY knows integers up to 32 bits and floats."""
    if values.dtype.kind in "iu" and values.dtype.itemsize > 4:
        return values.astype(np.float64)
    return values.astype(np.uint8) if values.dtype.kind == "b" else values


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

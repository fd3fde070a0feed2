"""Scans of the automotive data sets: SemanticKITTI and nuScenes binaries, labels in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.media.clouds.cloud import PointCloud

NUSCENES = ".pcd.bin"
NUSCENES_LABELS = "_lidarseg.bin"
_KITTI_LABELS = ".label"
_SEMANTIC_BITS = 0xFFFF  # the upper 16 bits count instances


def read_scan(path: Path, columns: str | None = None) -> PointCloud:
    """Read one binary scan of float32 values, with its labels if they lie where the data sets put them.

    SemanticKITTI (Behley et al. 2019): ``velodyne/NAME.bin`` of x, y, z, intensity, ``labels/NAME.label`` of uint32.
    nuScenes (Caesar et al. 2020): ``NAME.pcd.bin`` of x, y, z, intensity, ring, and a uint8 ``NAME_lidarseg.bin``
    beside it.

    Args:
        path: the scan.
        columns: names of other columns, for instance "x y z red green blue".

    Raises:
        DataError: the size is no multiple of a point's, or labels and points differ in number.
    """
    nuscenes = path.name.endswith(NUSCENES)
    names = (
        columns.replace(",", " ").split() if columns else ["x", "y", "z", "intensity", *(["ring"] if nuscenes else [])]
    )
    if names[:3] != ["x", "y", "z"]:
        raise DataError(f"{path}: columns of a binary scan start with x y z, not {' '.join(names)}")
    values = _read(path, np.dtype("<f4"))
    if len(values) % len(names):
        raise DataError(
            f"{path}: {len(values)} numbers are no points of {len(names)} ({' '.join(names)}); the file is truncated, "
            "or has other columns (--columns)"
        )
    table = values.reshape(-1, len(names))
    fields = {name: table[:, place].copy() for place, name in enumerate(names) if place > 2 and name != "_"}
    label = _labels(path, nuscenes)
    if label is not None and len(label) != len(table):
        raise DataError(f"{path}: {len(table)} points, but its label file holds {len(label)} labels")
    return PointCloud(table[:, :3].astype(np.float64), fields, label, 255.0, str(path))


def _labels(path: Path, nuscenes: bool) -> NDArray[np.int64] | None:
    if nuscenes:
        beside = path.with_name(path.name.removesuffix(NUSCENES) + NUSCENES_LABELS)
        return _read(beside, np.dtype(np.uint8)).astype(np.int64) if beside.is_file() else None
    name = path.with_suffix(_KITTI_LABELS).name
    for place in (path.parent.parent / "labels" / name, path.with_name(name)):
        if place.is_file():
            codes: NDArray[np.int64] = (_read(place, np.dtype("<u4")) & _SEMANTIC_BITS).astype(np.int64)
            return codes
    return None


def _read(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        if path.stat().st_size % dtype.itemsize:
            raise DataError(f"{path}: {path.stat().st_size} bytes are no whole numbers of {dtype}; it is truncated")
        return np.fromfile(path, dtype)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error

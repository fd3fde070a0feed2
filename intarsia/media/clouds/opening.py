"""Opening any cloud: from a name to a reader, and the files of a folder."""

from __future__ import annotations

import os
from pathlib import Path

from intarsia.errors import DataError, UsageError, suggest
from intarsia.media.clouds import foreign, las, tables
from intarsia.media.clouds.cloud import CloudReader, LoadedReader, PointCloud
from intarsia.media.clouds.e57 import read_e57
from intarsia.media.clouds.pcd import read_pcd
from intarsia.media.clouds.ply import read_ply
from intarsia.media.clouds.rooms import ANNOTATIONS, read_room
from intarsia.media.clouds.scans import NUSCENES_LABELS, read_scan

_SURE = (*las.SUFFIXES, ".ply", ".pcd", ".e57", ".bin", ".pts", ".xyz")
UNNAMED = (".bin", *tables.SUFFIXES)
"""Those of files that do not name their columns by themselves."""
CLOUD_SUFFIXES = tuple(dict.fromkeys((*_SURE, *tables.SUFFIXES)))
"""Suffixes that `open_cloud` reads; the plain arrays among them may hold anything else, too."""
_TOLD = (".bin", ".e57")  # whose fields the format itself names
CloudLike = str | os.PathLike[str] | PointCloud | CloudReader


def is_cloud(path: str | os.PathLike[str]) -> bool:
    """Tell whether a name can only mean a point cloud (plain arrays and tables can, too, but may be something else)."""
    name = os.fspath(path).lower()
    return (name.endswith(_SURE) and not name.endswith(NUSCENES_LABELS)) or os.path.isdir(
        os.path.join(path, ANNOTATIONS)
    )


def open_cloud(source: CloudLike, *, columns: str | None = None, label: str | None = None) -> CloudReader:
    """Open a cloud; LAS and LAZ are decoded on demand, chunk by chunk.

    Args:
        source: a file (LAS, LAZ, COPC, PLY, PCD, E57, NPY, NPZ, CSV, TXT, HDF5, SemanticKITTI or nuScenes binary), the
            folder of an S3DIS room, a cloud in memory, or an opened one.
        columns: for arrays and tables, the names of the columns in order ("x y z _ label"), or ``name=array`` pairs
            for NPZ and HDF5.
        label: the field of the class codes, where its name is not a usual one.

    Raises:
        DataError: the file is missing, damaged or has no coordinates; names the file and what to do.
        UsageError: a suffix that is not known, or the library for it is missing.
    """
    if isinstance(source, CloudReader):
        return source
    if isinstance(source, PointCloud):
        return LoadedReader(source)
    path = Path(source)
    if label is not None and (path.is_dir() or path.suffix.lower() in _TOLD):
        raise UsageError(f"{path}: its class codes lie where the format puts them; leave the field {label!r} out")
    if path.is_dir():
        return LoadedReader(read_room(path)[0])
    if not path.is_file():
        near = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file.{suggest(path.name, near) if near else ''}")
    suffix = path.suffix.lower()
    if suffix in las.SUFFIXES:
        return las.LasReader(path, label)
    if suffix == ".ply":
        return LoadedReader(read_ply(path, label))
    if suffix == ".pcd":
        return LoadedReader(read_pcd(path, label))
    if suffix == ".bin":
        return LoadedReader(read_scan(path, columns))
    if suffix == ".e57":
        return LoadedReader(read_e57(path))
    if suffix in tables.SUFFIXES:
        cloud = tables.read_table(path, columns, label)
        return LoadedReader(cloud if label is not None else tables.with_labels_beside(cloud, path))
    if told := foreign.advice(path):
        raise DataError(f"cannot use {path}: it is {told}")
    raise UsageError(
        f"{path}: {suffix or 'a name without suffix'} is no cloud format.{suggest(suffix, CLOUD_SUFFIXES)}"
    )


def read_cloud(source: CloudLike, *, columns: str | None = None, label: str | None = None) -> PointCloud:
    """All points of a cloud; arguments and errors as `open_cloud`."""
    return open_cloud(source, columns=columns, label=label).read()

"""Writing labels back, into a copy of the file they belong to or into a plain format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, suggest
from intarsia.files import atomic_path
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds.cloud import CloudReader, PointCloud
from intarsia.media.clouds.las import LasReader, check_codes, codes_of, write_las, write_new_las
from intarsia.media.clouds.ply import write_ply

TARGETS = (".las", ".laz", ".ply", ".npz", ".csv", ".txt", ".label")
"""Suffixes that `write_labels` writes."""


def kept_suffix(source: Path) -> str:
    """Choose the suffix of a cloud's labels: its own format where it can be written, else PLY."""
    suffix = source.suffix.lower()
    return suffix if suffix in (".las", ".laz", ".ply", ".npz", ".csv", ".txt") and not source.is_dir() else ".ply"


def write_labels(
    source: CloudReader,
    path: Path,
    labels: LabelArray,
    space: LabelSpace,
    confidence: NDArray[np.float16] | None = None,
) -> None:
    """Write a cloud with its predicted classes, whole or not at all.

    LAS and LAZ of a LAS or LAZ source keep header, scale, offset, CRS and every dimension; ``classification`` gets
    the ASPRS code of a class with a standard name, 64, 65, ... of another one and 0 where nothing is known, and
    ``confidence`` (0 to 1) is an extra dimension. PLY, NPZ, CSV and TXT get the coordinates, ``label`` (the class
    index) and ``confidence``; .label is SemanticKITTI's uint32 file.

    Args:
        source: the cloud.
        path: the target; its suffix says the format.
        labels: (N,) class indices in the cloud's order.
        space: the classes.
        confidence: (N,) the winning class's probability.

    Raises:
        UsageError: a format that cannot be written.
        DataError: another number of labels than points, codes that the format cannot hold, or a full disk.
    """
    check_target(source, path, space)
    suffix = path.suffix.lower()
    if len(labels) != source.count:
        raise DataError(f"{len(labels)} labels for the {source.count} points of {source.name}")
    extra: dict[str, NDArray[Any]] = {}
    if confidence is not None:
        extra["confidence"] = confidence.astype(np.float32)
    if suffix in (".las", ".laz"):
        codes = _codes(space)
        if isinstance(source, LasReader):
            write_las(source, path, labels, codes, extra)
        else:
            write_new_las(path, source.read(), codes[labels], extra)
    elif suffix == ".label":
        with atomic_path(path) as temporary:
            labels.astype("<u4").tofile(temporary)
    elif suffix == ".ply":
        write_ply(path, source.read(), {"label": labels, **extra})
    else:
        _write_table(path, source.read(), {"label": labels, **extra})


def check_target(source: CloudReader, path: Path, space: LabelSpace) -> None:
    """Raise what `write_labels` would raise on the target's format, before anything is computed."""
    suffix = path.suffix.lower()
    if suffix not in TARGETS:
        raise UsageError(f"cannot write {path}: the suffix says the format.{suggest(suffix, TARGETS)}")
    if suffix in (".las", ".laz") and isinstance(source, LasReader):
        check_codes(source, _codes(space))


def _codes(space: LabelSpace) -> NDArray[np.uint8]:
    """The classification code of each label; 0, never classified, for what is no class."""
    codes = np.zeros(space.ignore_index + 1, dtype=np.uint8)
    codes[: len(space)] = codes_of(space.names)
    return codes


def _write_table(path: Path, cloud: PointCloud, extra: dict[str, NDArray[Any]]) -> None:
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".npz":
            arrays: dict[str, Any] = {"xyz": cloud.xyz, **cloud.fields, **extra}
            np.savez_compressed(temporary, **arrays)
            return
        separator = "," if path.suffix.lower() == ".csv" else " "
        names = ["x", "y", "z", *extra]
        formats = ["%.6f"] * 3 + ["%d" if values.dtype.kind in "iu" else "%.4f" for values in extra.values()]
        table = np.column_stack([cloud.xyz, *extra.values()])
        np.savetxt(temporary, table, fmt=separator.join(formats), header=separator.join(names), comments="")

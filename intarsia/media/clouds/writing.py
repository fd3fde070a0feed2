"""Writing labels back, into a copy of the file they belong to or into a plain format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, suggest
from intarsia.files import atomic_path
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds.cloud import CloudReader, PointCloud
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.clouds.las import LasReader, codes_of
from intarsia.media.clouds.laswriting import decimals, write_las, write_new_las
from intarsia.media.clouds.ply import write_ply

_DECIMALS = 6
_DIGITS = {2: 4, 4: 9, 8: 15}  # of floats by their bytes
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
    codes: Mapping[str, int] | None = None,
) -> tuple[str, ...]:
    """Write a cloud with its predicted classes, whole or not at all.

    LAS and LAZ of a LAS or LAZ source keep header, scale, offset, CRS and every dimension; ``classification`` gets
    the ASPRS code of a class with a standard name, 64, 65, ... of another one and 0 where nothing is known, and
    ``confidence`` (0 to 1) is an extra dimension. PLY, NPZ, CSV and TXT get the coordinates, the cloud's fields,
    ``label`` (the class index) and ``confidence``; .label is SemanticKITTI's uint32 file.

    Args:
        source: the cloud.
        path: the target; its suffix says the format.
        labels: (N,) class indices in the cloud's order.
        space: the classes.
        confidence: (N,) the winning class's probability.
        codes: of LAS and LAZ, the code of some classes by name, in place of the usual one.

    Returns:
        What the format does not hold, and what became of it, in sentences.

    Raises:
        UsageError: a format that cannot be written; or codes for one that has none.
        DataError: another number of labels than points, codes that the format cannot hold, or a full disk.
    """
    check_target(path, space, codes)
    suffix = path.suffix.lower()
    if len(labels) != source.count:
        raise DataError(f"{len(labels)} labels for the {source.count} points of {source.name}")
    extra: dict[str, NDArray[Any]] = {}
    if confidence is not None:
        extra["confidence"] = confidence.astype(np.float32)
    if suffix in LAS:
        table = _codes(space, codes)
        if isinstance(source, LasReader):
            return write_las(source, path, labels, table, extra)
        return write_new_las(path, source.read(), table[labels], extra)
    if suffix == ".label":
        with atomic_path(path) as temporary:
            labels.astype("<u4").tofile(temporary)
        return ()
    cloud = source.read()
    notes = [f"the coordinate reference system stays behind: {suffix} has no place for it"] if source.has_crs else []
    columns = _columns(cloud, {"label": labels, **extra}, notes)
    if suffix == ".ply":
        notes += write_ply(path, cloud, columns)
    else:
        _write_table(path, cloud, columns)
    return tuple(notes)


def check_target(path: Path, space: LabelSpace, codes: Mapping[str, int] | None = None) -> None:
    """Raise what `write_labels` would raise on the target's format, before anything is computed."""
    suffix = path.suffix.lower()
    if suffix not in TARGETS:
        raise UsageError(f"cannot write {path}: the suffix says the format.{suggest(suffix, TARGETS)}")
    if suffix in LAS:
        codes_of(space.names, codes)
    elif codes:
        raise UsageError(f"codes are those of LAS and LAZ, and {path} holds class indices; leave them out")


def _codes(space: LabelSpace, chosen: Mapping[str, int] | None) -> NDArray[np.uint8]:
    """The classification code of each label; 0, never classified, for what is no class."""
    codes = np.zeros(space.ignore_index + 1, dtype=np.uint8)
    codes[: len(space)] = codes_of(space.names, chosen)
    return codes


def _columns(cloud: PointCloud, extra: dict[str, NDArray[Any]], notes: list[str]) -> dict[str, NDArray[Any]]:
    """The cloud's fields and what is new, each under a name of its own.

    A field that bears the name of something new makes room for it, but for an earlier confidence, which is replaced.
    """
    found: dict[str, NDArray[Any]] = {}
    for name, values in cloud.fields.items():
        if name == "confidence" and name in extra and values.dtype.kind == "f":
            continue
        if name in extra:
            notes.append(f"the cloud has a field {name} of its own: it is called {name}_before")
        found[f"{name}_before" if name in extra else name] = values
    return found | extra


def _write_table(path: Path, cloud: PointCloud, columns: dict[str, NDArray[Any]]) -> None:
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".npz":
            arrays: dict[str, Any] = {"xyz": cloud.xyz, **columns}
            np.savez_compressed(temporary, **arrays)
            return
        separator = "," if path.suffix.lower() == ".csv" else " "
        finite = cloud.xyz[np.isfinite(cloud.xyz).all(axis=1)]
        extent = float(np.ptp(finite, axis=0).max()) if len(finite) else 0.0
        axes = {name: cloud.xyz[:, axis] for axis, name in enumerate("xyz")}
        formats = [f"%.{max(_DECIMALS, decimals(finite[:, axis], extent))}f" for axis in range(3)]
        formats += [_format(values.dtype) for values in columns.values()]
        named = {_spelled(name): values for name, values in (axes | columns).items()}
        table = np.empty(len(cloud), dtype=[(name, values.dtype) for name, values in named.items()])
        for name, values in named.items():
            table[name] = values
        np.savetxt(temporary, table, fmt=separator.join(formats), header=separator.join(named), comments="")


def _spelled(name: str) -> str:
    """A column's name without what would divide it."""
    return re.sub(r"[\s,;\"#]", "_", name)


def _format(kind: np.dtype[Any]) -> str:
    return f"%.{_DIGITS[kind.itemsize]}g" if kind.kind == "f" else "%d"

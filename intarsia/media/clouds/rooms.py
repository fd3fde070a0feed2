"""S3DIS as it is released (Armeni et al. 2016): a folder a room, a text file an object, the class in its name."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.media.clouds.cloud import PointCloud

S3DIS_CLASSES = (
    "ceiling", "floor", "wall", "beam", "column", "window", "door", "table", "chair", "sofa", "bookcase", "board",
    "clutter",
)  # fmt: skip
"""The 13 classes in PointNet's order. Other libraries swap table and chair, sofa and bookcase: match by name."""
ANNOTATIONS = "Annotations"
_NUMBER = re.compile(r"_\d+$")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_VALUES = 6


def read_room(folder: Path) -> tuple[PointCloud, list[str]]:
    """Read a room: the objects of its ``Annotations`` folder, or the room's own text file without labels.

    The released files have a few corrupt lines, where a control byte stands in a number; they are repaired, or left
    out when they cannot be.

    Returns:
        The cloud, its labels in the order of `S3DIS_CLASSES` (unknown objects, such as stairs, are clutter), and one
        sentence for each repaired line.

    Raises:
        DataError: the folder holds no room.
    """
    objects = sorted((folder / ANNOTATIONS).glob("*.txt"))
    whole = folder / f"{folder.name}.txt"
    if not objects and not whole.is_file():
        raise DataError(f"{folder}: no S3DIS room; it needs {ANNOTATIONS}/CLASS_1.txt or {whole.name}")
    tables, labels, notes = [], [], []
    for file in objects or [whole]:
        table, repaired = _read_object(file)
        tables.append(table)
        labels.append(np.full(len(table), class_of(file.stem), dtype=np.int64))
        notes += repaired
    points = np.concatenate(tables)
    fields = {name: points[:, 3 + place].astype(np.uint8) for place, name in enumerate(("red", "green", "blue"))}
    return PointCloud(points[:, :3], fields, np.concatenate(labels) if objects else None, 255.0, str(folder)), notes


def class_of(thing: str) -> int:
    """The class index of a thing by its file's name: "chair_1" -> chair; other names, such as stairs, are clutter."""
    name = _NUMBER.sub("", thing)
    return S3DIS_CLASSES.index(name if name in S3DIS_CLASSES else "clutter")


def _read_object(file: Path) -> tuple[NDArray[np.float64], list[str]]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        table = np.loadtxt(io.BytesIO(content), ndmin=2)
        if table.shape[1] == _VALUES or not table.size:
            return table.reshape(-1, _VALUES), []
    except ValueError:
        pass
    return _repair(file, content)


def _repair(file: Path, content: bytes) -> tuple[NDArray[np.float64], list[str]]:
    """The slow way, line by line, for files with a broken one."""
    notes, kept = [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        values = _numbers(line)
        if values is None:
            # "185\x00187" has lost the space between two colours, "-9.1\x160" a digit of one number.
            values = _numbers(_CONTROL.sub(b" ", line)) or _numbers(_CONTROL.sub(b"", line))
            how = "left out" if values is None else "repaired"
            notes.append(f"{file}, line {number}: corrupt, {how}: {line.strip()!r}")
        if values is not None:
            kept.append(values)
    if not kept:
        raise DataError(f"{file}: no line of it reads x y z r g b; it is no S3DIS object")
    return np.array(kept), notes


def _numbers(line: bytes) -> list[float] | None:
    try:
        values = [float(part) for part in line.split()]
    except ValueError:
        return None
    return values if len(values) == _VALUES else None

"""Every reader with a small file of its format: what is damaged, and what tells whether the same was read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Target:
    """One form of file, and what reads it.

    Attributes:
        name: of the form, by which a damage is told ("png-palette").
        make: writes its files into an empty folder; returns what is opened.
        read: reads all that is opened; returns a text that differs where what was read differs.
        sealed: checksums cover all of its content, so that whatever was damaged must not read as something else.
        whole: it says how much it holds, so that what was cut off must not read as something shorter.
        only: the name of the file that is damaged; "" for all that the target consists of.
        heavy: its reader loads a large library.
        greed: bytes that reading takes honestly, beyond the usual.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], str]
    sealed: bool = False
    whole: bool = True
    only: str = ""
    heavy: bool = False
    greed: int = 0


def digest(*parts: Any) -> str:
    """A checksum of arrays and whatever else has a `repr`."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape}".encode())
            found.update(part.tobytes() if part.dtype != object else repr(part.tolist()).encode())
        else:
            found.update(repr(part).encode())
    return found.hexdigest()[:16]


def written(name: str, write: Callable[[Path], Any]) -> Callable[[Path], Path]:
    """What makes a file of one name in a folder."""

    def make(folder: Path) -> Path:
        write(folder / name)
        return folder / name

    return make


def all_targets() -> dict[str, Target]:
    """Every target by name; those whose library is not installed are left out."""
    from ordeals import annotations, clouds, grids, models, pictures, records

    rooms: Iterable[Iterable[Target]] = (
        pictures.targets(), grids.targets(), clouds.targets(), annotations.targets(), models.targets(),
        records.targets(),
    )  # fmt: skip
    return {target.name: target for room in rooms for target in room}

"""The file of a part: an archive of NumPy's arrays, written as they come and read one by one."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from intarsia.files import atomic_path
from intarsia.jobs.cutting.contract import Packed


def write_part(path: Path, items: Iterable[Packed]) -> None:
    """Write items as they come, whole or not at all.

    Raises:
        DataError: the disk is full, or an item cannot be computed.
    """
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, arrays in items:
            for kind, values in arrays.items():
                with archive.open(f"{name}/{kind}", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, values, allow_pickle=False)


def is_whole(path: Path) -> bool:
    """Whether a part is there, and sound."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False


class PartFile:
    """An opened part; to be entered.

    Args:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        self._kinds: dict[str, list[str]] = {}
        for entry in self._archive.namelist():
            name, _, kind = entry.rpartition("/")
            self._kinds.setdefault(name, []).append(kind)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    @property
    def names(self) -> list[str]:
        """The names of the items, in the order in which they were written."""
        return list(self._kinds)

    def take(self, name: str) -> dict[str, Any]:
        """Read the arrays of one item."""
        return {kind: self._array(f"{name}/{kind}") for kind in self._kinds[name]}

    def _array(self, entry: str) -> Any:
        with self._archive.open(entry) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

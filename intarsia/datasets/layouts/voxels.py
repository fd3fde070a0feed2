"""Decoded volumes between the file and the slices that are asked for: a few in memory, or all of them on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.labels import LabelArray
from intarsia.media.grids import Axis
from intarsia.media.volumes import Voxels, Window, open_volume
from intarsia.memory import available_memory

_SHARE = 0.1  # of the free memory, for decoded volumes
_LEAST = 256 * 2**20


class _Store:
    """Arrays by key, the least recently used ones dropped; after `spill`, new ones live in files that are mapped."""

    def __init__(self) -> None:
        self._arrays: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._lock = threading.RLock()
        self._room = 0.0
        self._folder: Path | None = None

    def get(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The array of a key, made when it is not there."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
            array = make()
            if self._folder is not None:
                array = self._on_disk(array, self._folder)
            self._arrays[key] = array
            self._shrink()
            return array

    def spill(self, needed: int) -> None:
        """Keep all further arrays in files of a temporary folder that disappears with the process.

        Raises:
            DataError: the disk has not so many bytes left.
        """
        with self._lock:
            if self._folder is None:
                place = Path(tempfile.gettempdir())
                free = shutil.disk_usage(place).free
                if needed > 0.9 * free:
                    raise DataError(
                        f"the decoded volumes take {needed / 2**30:.1f} GB, {place} has {free / 2**30:.1f} GB left; "
                        "name a folder with more room in the environment variable TMPDIR"
                    )
                self._folder = Path(tempfile.mkdtemp(prefix="intarsia-volumes-"))
                weakref.finalize(self, _remove, self._folder, os.getpid())

    def _on_disk(self, array: NDArray[Any], folder: Path) -> NDArray[Any]:
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".npy", delete=False) as file:
            np.save(file, array)
        mapped: NDArray[Any] = np.load(file.name, mmap_mode="r")
        return mapped

    def _shrink(self) -> None:
        """Drop old arrays until the rest fits; mapped ones cost nothing, and the newest always stays."""
        if not self._room:
            self._room = max(_LEAST, _SHARE * available_memory())
        held = {key: array.nbytes for key, array in self._arrays.items() if not isinstance(array, np.memmap)}
        total = sum(held.values())
        for key in list(held)[:-1]:
            if total <= self._room:
                return
            total -= held[key]
            del self._arrays[key]


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # loading processes inherit the store, but not the duty
        shutil.rmtree(folder, ignore_errors=True)


_STORE = _Store()


def slices(volume: Path, window: Window | None, axis: Axis) -> Voxels:
    """A volume's slices (D, H, W) of 8-bit values; see `VolumeReader.read`."""
    return _STORE.get((_version(volume), window, axis), lambda: open_volume(volume).read(window, axis))


def labels(volume: Path, mask: Path, axis: Axis) -> LabelArray:
    """The stored class values (D, H, W) of a label volume, in the slices of its image.

    Raises:
        DataError: damaged, no class values, or the two do not lie on the same grid.
    """

    def make() -> LabelArray:
        image, drawn = open_volume(volume), open_volume(mask)
        grid = drawn.grid
        if drawn.notes and drawn.grid.shape == image.grid.shape:
            grid = image.grid  # a mask that does not say where it lies lies where its image does
        problem = image.grid.differs(grid)
        if problem:
            raise DataError(f"{mask}: it does not fit its image {volume.name}: {problem}")
        return np.ascontiguousarray(grid.view(drawn.labels(), axis))

    return _STORE.get((_version(volume), _version(mask), axis), make)


def presence(volume: Path, mask: Path, axis: Axis) -> NDArray[np.bool_]:
    """(D, 65536) or (D, 256): which stored values occur in which slice of a label volume."""

    def make() -> NDArray[np.bool_]:
        values = labels(volume, mask, axis)
        found = np.zeros((len(values), np.iinfo(values.dtype).max + 1), dtype=np.bool_)
        for index, plane in enumerate(values):
            found[index, np.unique(plane)] = True
        return found

    return _STORE.get(("presence", _version(volume), _version(mask), axis), make)


def keep_decoded(voxels: int) -> None:
    """Make random access cheap for so many voxels and their labels: decode each volume once, to disk if need be."""
    if 2 * voxels > _SHARE * available_memory():
        _STORE.spill(2 * voxels)


def _version(path: Path) -> tuple[str, int, int]:
    """What changes when a file does."""
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns

"""Files of probabilities: those of all classes, as float32, in whatever order the parts come."""

from __future__ import annotations

import io
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, require
from intarsia.files import atomic_path
from intarsia.media.grids import Grid
from intarsia.memory import said_bytes

Probabilities = NDArray[np.float32]
KIND = np.dtype("<f4")

_CHUNK = bytes(1 << 22)


def require_free(path: Path, classes: int, sides: Sequence[int]) -> None:
    """Refuse probabilities that the disk has no room for, before any work.

    Args:
        path: of the file.
        classes: how many there are.
        sides: of the picture or volume.

    Raises:
        DataError: less is free than they take as plain numbers.
    """
    size = KIND.itemsize * classes * math.prod(sides)
    free = shutil.disk_usage(next(place for place in path.absolute().parents if place.is_dir())).free
    if size > free:
        raise DataError(
            f"cannot write {path}: the probabilities of {classes} classes take {said_bytes(size)}, and there are "
            f"{said_bytes(free)} free; choose another folder, or write confidence, which is the winner's alone"
        )


@contextmanager
def array_file(path: Path, classes: int, height: int, width: int) -> Iterator[Probabilities]:
    """Make a .npy file and give its values (C, H, W), which are the file; whole or not at all.

    Raises:
        DataError: the disk has no room for it, or it cannot be written.
    """
    shape = (classes, height, width)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": KIND.str, "fortran_order": False, "shape": shape})
    require_free(path, classes, (height, width))
    with _mapped(path, header.getvalue(), shape, "C") as values:
        yield values


@contextmanager
def volume_file(path: Path, classes: int, grid: Grid) -> Iterator[Probabilities]:
    """Make a NIfTI file (.nii) of four axes and give its values (X, Y, Z, C); see `array_file`."""
    header = require("nibabel", "volumes").Nifti1Image(np.empty(0, KIND), grid.affine).header
    shape = (*grid.shape, classes)
    header.set_data_shape(shape)
    header.set_xyzt_units("mm")
    header["cal_min"], header["cal_max"] = 0, 1
    header["descrip"] = b"probabilities by Intarsia"
    header["vox_offset"] = header.sizeof_hdr + 4  # four zeros say that no extension follows
    require_free(path, classes, grid.shape)
    with _mapped(path, header.binaryblock + bytes(4), shape, "F") as values:
        yield values


@contextmanager
def _mapped(path: Path, header: bytes, shape: tuple[int, ...], order: Literal["C", "F"]) -> Iterator[Probabilities]:
    with atomic_path(path) as temporary:
        with temporary.open("r+b") as file:
            file.write(header)
            file.flush()
            _reserve(file, len(header), KIND.itemsize * math.prod(shape))
        values: np.memmap[Any, Any] = np.memmap(temporary, KIND, "r+", len(header), shape, order)
        yield values
        values.flush()


def _reserve(file: io.BufferedRandom, start: int, size: int) -> None:
    """Take the disk's room now: later, a full disk would end the process instead of raising an error."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), start, size)
        return
    for done in range(0, size, len(_CHUNK)):
        file.write(_CHUNK[: size - done])

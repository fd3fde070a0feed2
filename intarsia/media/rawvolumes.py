"""Volumes whose header says in plain words where the voxels lie and how they are packed: NRRD and MetaImage."""

from __future__ import annotations

import bz2
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.media.grids import MAX_VOXELS, Affine, Grid

_MOST_PER_BYTE = 1100  # deflate packs at most about 1030 bytes into one
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Block:
    """Where and how voxels are stored, the first axis fastest.

    Attributes:
        path: the file that holds them.
        offset: bytes before them; -1 where they end the file.
        dtype: of one voxel.
        packing: "raw", "zlib", "gzip", "bzip2" or "text".
    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    packing: str = "raw"

    def read(self, shape: tuple[int, int, int]) -> NDArray[Any]:
        """All voxels, mapped where they are not packed.

        Raises:
            EOFError: there are too few.
        """
        count = math.prod(shape)
        needed = count * self.dtype.itemsize
        size = self.path.stat().st_size
        offset = size - needed if self.offset < 0 else self.offset
        if self.packing == "raw":
            if offset < 0 or size - offset < needed:
                raise EOFError(f"{needed - size + max(0, offset):,} bytes of voxels are missing")
            return np.memmap(self.path, self.dtype, "r", offset, shape, order="F")
        packed = self.path.read_bytes()[offset:]
        if self.packing == "text":
            return np.array(packed.split(), dtype=self.dtype).reshape(shape, order="F")
        if self.packing == "bzip2":
            plain = bz2.BZ2Decompressor().decompress(packed, needed)
        else:
            plain = zlib.decompressobj(zlib.MAX_WBITS | (16 if self.packing == "gzip" else 0)).decompress(
                packed, needed
            )
        if len(plain) < needed:
            raise EOFError(f"{needed - len(plain):,} bytes of voxels are missing")
        return np.frombuffer(plain, self.dtype, count).reshape(shape, order="F")

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse a header that announces more than its file can hold.

        Raises:
            DataError: it does.
        """
        size = self.path.stat().st_size
        needed = math.prod(shape) * self.dtype.itemsize
        room = size * (1 if self.packing in ("raw", "text") else _MOST_PER_BYTE)
        if math.prod(shape) <= MAX_VOXELS and needed > room and self.packing != "text":
            raise DataError(
                f"its header announces {needed:,} bytes of voxels, which a file of {size:,} bytes cannot hold; it is "
                "truncated or forged, copy or export it again"
            )


@dataclass(frozen=True)
class RawVolume:
    """A volume by its header; see `intarsia.media.volumes.VolumeReader`.

    Attributes:
        grid: where the voxels lie.
        block: where they are stored.
        notes: what was decided about the file.
        names: of the values of a label volume, where the header says them.
    """

    grid: Grid
    block: Block
    notes: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def whole_bytes(self) -> int:
        """Bytes of stored values that are held while it is read."""
        return 0 if self.block.packing == "raw" else self.block.dtype.itemsize * math.prod(self.grid.shape)

    def slabs(self, count: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The values, some slices at a time."""
        stored = self.block.read(self.grid.shape)
        for start in range(0, self.grid.shape[2], count):
            place = slice(start, min(start + count, self.grid.shape[2]))
            yield place, stored[..., place].astype(np.float32)

    def header(self) -> None:
        """There is none that NIfTI could take over."""

    def class_names(self) -> dict[int, str]:
        """Names of the values of a label volume."""
        return dict(self.names)


def beside(header: Path, name: str) -> Path:
    """The file that a header names for its voxels; it has to lie beside the header.

    Raises:
        DataError: it lies elsewhere, or there are several.
    """
    if name.split()[0].upper() == "LIST" or "%" in name:
        raise DataError("its voxels are in several files; save the volume as one file")
    if Path(name).name != name:
        raise DataError(f"its voxels are in {name}, which does not lie beside it; copy both into one folder")
    path = header.with_name(name)
    if not path.is_file():
        raise DataError(f"its voxels are in {name}, which is missing; copy both files")
    return path


def affine_of(directions: NDArray[np.float64], origin: NDArray[np.float64], turn: Affine) -> Affine:
    """From the axes' steps (3, 3), one a row, and the first voxel's place to an affine in RAS."""
    affine = np.eye(4)
    affine[:3, :3] = directions.T
    affine[:3, 3] = origin
    return turn @ affine

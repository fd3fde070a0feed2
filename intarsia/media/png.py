"""Index masks as PNG files, band by band."""

from __future__ import annotations

import io
import os
import struct
import zlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.files import atomic_path
from intarsia.labels import LabelArray, LabelSpace, check_labels, check_values

# Rows are compressed in bands of this many, so that temporary arrays stay small next to the picture.
_BAND_ROWS = 64


class MaskWriter:
    """Write an index mask as PNG, band by band, in constant memory, whole or not at all.

    Args:
        path: target ending in .png.
        width: columns of the whole mask.
        height: rows of the whole mask.
        space: gives the value range and the palette.

    Raises:
        UsageError: `path` does not end in .png.
        DataError: rows of another width or type, labels outside the label space, too few or too many rows, or the
            file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], width: int, height: int, space: LabelSpace) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".png":
            raise UsageError(f"cannot write the mask {self.path}: index masks are PNG files; end the name in .png")
        if width < 1 or height < 1:
            raise DataError(f"cannot write the mask {self.path}: {width}x{height} has no pixels")
        self.width, self.height, self.space = width, height, space
        self._stack = ExitStack()
        self._mask: _Mask

    def __enter__(self) -> MaskWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            file = stack.enter_context(temporary.open("wb"))
            self._mask = _Mask(file, str(self.path), self.width, self.height, self.space)
            self._stack = stack.pop_all()
        return self

    def write(self, rows: LabelArray) -> None:
        """Append (h, width) labels of `space.dtype` below the rows written so far."""
        self._mask.write(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)  # removes the half-written file, explains a full disk
            return
        with self._stack:
            self._mask.end()


def encode_mask(labels: LabelArray, space: LabelSpace) -> bytes:
    """Encode a whole index mask (H, W) as the bytes of the file that `MaskWriter` writes.

    Raises:
        DataError: labels of another type, or outside the label space.
    """
    file = io.BytesIO()
    mask = _Mask(file, "in memory", labels.shape[1], labels.shape[0], space)
    mask.write(labels)
    mask.end()
    return file.getvalue()


class _Mask:
    """An index mask on its way into a PNG file.

    It is a palette PNG (mode "P" in Pillow) whose pixel values are the class indices, shown in the label space's
    colours; with more than 256 values it is a 16-bit gray PNG (PNG specification, third edition, W3C 2025).
    """

    def __init__(self, file: BinaryIO, name: str, width: int, height: int, space: LabelSpace) -> None:
        self._file, self._name, self._width, self._height, self._space = file, name, width, height, space
        self._rows = 0
        self._above: NDArray[np.uint8] | int = 0  # the last row written, as bytes; zeros above the first
        # Masks hold long runs of one value: filter Up with run-length matches is both the fastest and the smallest.
        self._deflate = zlib.compressobj(1, strategy=zlib.Z_RLE)
        wide = space.dtype == np.uint16
        file.write(b"\x89PNG\r\n\x1a\n")
        depth, color_type = (16, 0) if wide else (8, 3)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0))
        if not wide:
            self._chunk(b"PLTE", space.colors().tobytes())

    def write(self, rows: LabelArray) -> None:
        check_labels(rows, self._space)
        if rows.shape[1] != self._width:
            raise DataError(f"the mask {self._name} is {self._width} wide, these rows are {rows.shape[1]}")
        if self._rows + len(rows) > self._height:
            raise DataError(f"too many rows for the mask {self._name} of height {self._height}")
        for top in range(0, len(rows), _BAND_ROWS):
            band = rows[top : top + _BAND_ROWS]
            check_values(band, self._space, self._name)
            samples = band.astype(band.dtype.newbyteorder(">"), order="C").view(np.uint8).reshape(len(band), -1)
            lines = np.empty((len(band), 1 + samples.shape[1]), dtype=np.uint8)
            lines[:, 0] = 2  # filter type Up: each byte minus the one above it
            lines[0, 1:] = samples[0] - self._above
            lines[1:, 1:] = samples[1:] - samples[:-1]
            self._above = samples[-1]
            self._data(self._deflate.compress(lines.data))
        self._rows += len(rows)

    def end(self) -> None:
        if self._rows != self._height:
            raise DataError(f"too few rows for the mask {self._name}: {self._rows} of {self._height}")
        self._data(self._deflate.flush())
        self._chunk(b"IEND", b"")

    def _data(self, compressed: bytes) -> None:
        if compressed:
            self._chunk(b"IDAT", compressed)

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        )

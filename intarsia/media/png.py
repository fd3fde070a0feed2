"""Index masks as PNG files, band by band."""

from __future__ import annotations

import io
import itertools
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
from intarsia.threads import side_by_side

Samples = NDArray[np.uint8]

# Rows are compressed in parts of about so many bytes, each by itself, so that several threads may do it: large enough
# that a beginning costs nothing, small next to the picture. The width alone decides where they end, so that a mask has
# the same bytes however its rows come.
_PART_BYTES = 1 << 18
_FEW = 4  # parts; threads would take longer to start than these take
_FAST = 1  # of zlib's levels
_ZLIB_HEADER = b"\x78\x01"  # a window of 32 KiB, compressed fast (RFC 1950)
_ADLER_BASE = 65_521


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
        line = width * space.dtype.itemsize
        self._above: Samples = np.zeros(line, np.uint8)  # the last row compressed
        self._waiting: Samples = np.empty((0, line), np.uint8)  # rows below it, less than a part
        self._part = max(1, _PART_BYTES // (line + 1))
        self._checksum = zlib.adler32(b"")
        wide = space.dtype == np.uint16
        file.write(b"\x89PNG\r\n\x1a\n")
        depth, color_type = (16, 0) if wide else (8, 3)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0))
        if not wide:
            self._chunk(b"PLTE", space.colors().tobytes())
        self._chunk(b"IDAT", _ZLIB_HEADER)

    def write(self, rows: LabelArray) -> None:
        check_labels(rows, self._space)
        if rows.shape[1] != self._width:
            raise DataError(f"the mask {self._name} is {self._width} wide, these rows are {rows.shape[1]}")
        if self._rows + len(rows) > self._height:
            raise DataError(f"too many rows for the mask {self._name} of height {self._height}")
        check_values(rows, self._space, self._name)
        samples = rows.astype(rows.dtype.newbyteorder(">"), order="C", copy=False).view(np.uint8)
        samples = samples.reshape(len(rows), len(self._above))
        if len(self._waiting):
            samples = np.concatenate([self._waiting, samples])
        self._rows += len(rows)
        ends = list(range(self._part, len(samples) + 1, self._part))
        if self._rows == self._height and len(samples) % self._part:
            ends.append(len(samples))
        self._compress(samples, list(itertools.pairwise([0, *ends])))
        done = ends[-1] if ends else 0
        self._above = samples[done - 1].copy() if done else self._above
        self._waiting = samples[done:].copy()  # the rows may be overwritten by whoever gave them

    def _compress(self, samples: Samples, parts: list[tuple[int, int]]) -> None:
        """Write some rows, part by part."""

        def part(span: tuple[int, int]) -> tuple[bytes, int, int]:
            top, bottom = span
            above = samples[top - 1] if top else self._above
            last = self._rows == self._height and bottom == len(samples)
            return _deflated(samples[top:bottom], above, last=last)

        for data, checksum, length in side_by_side(part, parts, None if len(parts) > _FEW else 1):
            self._chunk(b"IDAT", data)
            self._checksum = _joined(self._checksum, checksum, length)

    def end(self) -> None:
        if self._rows != self._height:
            raise DataError(f"too few rows for the mask {self._name}: {self._rows} of {self._height}")
        self._chunk(b"IDAT", struct.pack(">I", self._checksum))
        self._chunk(b"IEND", b"")

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        )


def _deflated(samples: Samples, above: Samples, *, last: bool) -> tuple[bytes, int, int]:
    """Filter and compress rows of samples below another, so that what follows may be compressed by itself.

    Args:
        samples: (h, bytes of a row).
        above: (bytes of a row,).
        last: nothing follows.

    Returns:
        Raw deflate, ending at a byte, and checksum and number of the bytes that it stands for.
    """
    lines = np.empty((len(samples), 1 + samples.shape[1]), dtype=np.uint8)
    lines[:, 0] = 2  # filter type Up: each byte minus the one above it
    np.subtract(samples[0], above, out=lines[0, 1:])
    np.subtract(samples[1:], samples[:-1], out=lines[1:, 1:])
    # Masks hold long runs of one value: filter Up with run-length matches is both the fastest and the smallest.
    deflate = zlib.compressobj(_FAST, wbits=-zlib.MAX_WBITS, strategy=zlib.Z_RLE)
    data = deflate.compress(lines.data) + deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
    return data, zlib.adler32(lines.data), lines.size


def _joined(first: int, second: int, length: int) -> int:
    """The Adler-32 checksum (RFC 1950) of two strings, from that of each and the length of the second."""
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return high % _ADLER_BASE << 16 | low % _ADLER_BASE

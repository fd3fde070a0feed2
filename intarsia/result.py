"""Segmentation: what every prediction returns, and how label maps are drawn and stored."""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.files import atomic_path
from intarsia.labels import LabelArray, LabelSpace

if TYPE_CHECKING:
    from PIL import Image

# Rows are handled in bands of this many, so that temporary arrays stay small next to the picture.
_BAND_ROWS = 64


@dataclass(eq=False)
class Segmentation:
    """One picture's labels, at the picture's own size.

    Args:
        labels: (H, W) class indices of `space.dtype`; `space.ignore_index` where nothing is known.
        space: the classes that the labels refer to.
        scores: (H, W) float16, the winning class's softmax probability (0..1), if asked for.
        source: path or display name of what was segmented.
        image: (H, W, 3) uint8 RGB, the picture itself, for `overlay`.

    Raises:
        DataError: the arrays do not fit together.
    """

    labels: LabelArray
    space: LabelSpace
    scores: NDArray[np.float16] | None = None
    source: str = ""
    image: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        _check_labels(self.labels, self.space)
        if self.scores is not None and self.scores.shape != self.labels.shape:
            raise DataError(f"scores {self.scores.shape} and labels {self.labels.shape} differ in size")
        if self.image is not None:
            _check_photo(self.image, self.labels)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.labels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.labels.shape[1])

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        """Mask (H, W) of one class by its name; `UsageError` with a suggestion when there is no such class."""
        return np.equal(self.labels, self.space.index(name))

    def areas(self) -> dict[str, float]:
        """Share of all pixels (0..1) of each class that occurs, largest first."""
        counts = np.zeros(65536, dtype=np.int64)
        for top in range(0, self.height, _BAND_ROWS):
            found = np.bincount(self.labels[top : top + _BAND_ROWS].ravel())
            counts[: len(found)] += found
        shares = {name: int(counts[i]) / self.labels.size for i, name in enumerate(self.space.names) if counts[i]}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def colors(self) -> Image.Image:
        """The labels in their palette's colours, as an RGB picture; unlabelled pixels are black."""
        from PIL import Image

        _check_values(self.labels, self.space, "the labels")
        return Image.fromarray(self.space.colors()[self.labels])

    def overlay(self, opacity: float = 0.5, image: NDArray[np.uint8] | Image.Image | None = None) -> Image.Image:
        """The photo with the labels' colours blended over it; unlabelled pixels stay as they are.

        Args:
            opacity: 0 shows the photo alone, 1 the colours alone.
            image: the photo (H, W, 3) uint8 RGB or a PIL picture, when this result does not hold it.

        Raises:
            UsageError: there is no photo, or `opacity` is out of range.
            DataError: the photo has another size than the labels.
        """
        from PIL import Image

        if image is None:
            image = self.image
        if image is None:
            raise UsageError("this result does not hold its photo; pass it: overlay(image=photo)")
        photo = np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else image
        return Image.fromarray(blend(photo, self.labels, self.space, opacity))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels as an index mask: palette PNG, or 16-bit gray PNG above 256 values. See `MaskWriter`."""
        with MaskWriter(path, self.width, self.height, self.space) as writer:
            writer.write(self.labels)


def blend(image: NDArray[np.uint8], labels: LabelArray, space: LabelSpace, opacity: float = 0.5) -> NDArray[np.uint8]:
    """Blend the labels' colours over a photo, band by band.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) of `space.dtype`.
        space: gives the colours; pixels that are no class keep the photo's colour.
        opacity: 0 (photo) to 1 (colour).

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: `opacity` is out of range.
        DataError: photo and labels do not fit together.
    """
    if not 0 <= opacity <= 1:
        raise UsageError(f"opacity is between 0 (photo only) and 1 (colours only), not {opacity}")
    _check_labels(labels, space)
    _check_photo(image, labels)
    color_weight = round(opacity * 256)
    table = space.colors().astype(np.uint16) * np.uint16(color_weight) + np.uint16(128)
    result = np.empty_like(image)
    for top in range(0, len(labels), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        _check_values(labels[rows], space, "the overlay")
        mixed = image[rows] * np.uint16(256 - color_weight)
        mixed += table[labels[rows]]
        mixed >>= 8
        result[rows] = mixed
        unknown = labels[rows] >= len(space)
        if unknown.any():
            result[rows][unknown] = image[rows][unknown]
    return result


class MaskWriter:
    """Write an index mask as PNG, band by band, in constant memory, whole or not at all.

    The file is a palette PNG (mode "P" in Pillow) whose pixel values are the class indices, shown in the label space's
    colours; with more than 256 values it is a 16-bit gray PNG (PNG specification, third edition, W3C 2025).

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
        self._rows = 0
        self._stack = ExitStack()
        self._above: NDArray[np.uint8] | int = 0  # the last row written, as bytes; zeros above the first
        # Masks hold long runs of one value: filter Up with run-length matches is both the fastest and the smallest.
        self._deflate = zlib.compressobj(6, strategy=zlib.Z_RLE)
        self._file: BinaryIO

    def __enter__(self) -> MaskWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._file = stack.enter_context(temporary.open("wb"))
            wide = self.space.dtype == np.uint16
            self._file.write(b"\x89PNG\r\n\x1a\n")
            depth, color_type = (16, 0) if wide else (8, 3)
            self._chunk(b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, depth, color_type, 0, 0, 0))
            if not wide:
                self._chunk(b"PLTE", self.space.colors().tobytes())
            self._stack = stack.pop_all()
        return self

    def write(self, rows: LabelArray) -> None:
        """Append (h, width) labels of `space.dtype` below the rows written so far."""
        _check_labels(rows, self.space)
        if rows.shape[1] != self.width:
            raise DataError(f"the mask {self.path} is {self.width} wide, these rows are {rows.shape[1]}")
        if self._rows + len(rows) > self.height:
            raise DataError(f"too many rows for the mask {self.path} of height {self.height}")
        for top in range(0, len(rows), _BAND_ROWS):
            band = rows[top : top + _BAND_ROWS]
            _check_values(band, self.space, str(self.path))
            samples = band.astype(band.dtype.newbyteorder(">"), order="C").view(np.uint8).reshape(len(band), -1)
            lines = np.empty((len(band), 1 + samples.shape[1]), dtype=np.uint8)
            lines[:, 0] = 2  # filter type Up: each byte minus the one above it
            lines[0, 1:] = samples[0] - self._above
            lines[1:, 1:] = samples[1:] - samples[:-1]
            self._above = samples[-1]
            self._data(self._deflate.compress(lines.data))
        self._rows += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)  # removes the half-written file, explains a full disk
            return
        with self._stack:
            if self._rows != self.height:
                raise DataError(f"too few rows for the mask {self.path}: {self._rows} of {self.height}")
            self._data(self._deflate.flush())
            self._chunk(b"IEND", b"")

    def _data(self, compressed: bytes) -> None:
        if compressed:
            self._chunk(b"IDAT", compressed)

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        )


def _check_labels(labels: NDArray[Any], space: LabelSpace) -> None:
    if labels.ndim != 2 or labels.dtype != space.dtype:
        raise DataError(
            f"labels must be (H, W) of {space.dtype} for this label space, these are {labels.shape} of {labels.dtype}"
        )


def _check_values(labels: NDArray[Any], space: LabelSpace, target: str) -> None:
    if int(labels.max(initial=0)) < len(space):
        return
    wrong = labels[(labels >= len(space)) & (labels != space.ignore_index)]
    if wrong.size:
        raise DataError(
            f"cannot draw {target}: label {int(wrong[0])} is outside the label space, whose classes are "
            f"0..{len(space) - 1} and {space.ignore_index} for unlabelled"
        )


def _check_photo(image: NDArray[Any], labels: NDArray[Any]) -> None:
    if image.dtype != np.uint8 or image.shape != (*labels.shape, 3):
        raise DataError(
            f"the photo must be {(*labels.shape, 3)} uint8 like its labels, this one is {image.shape} {image.dtype}"
        )

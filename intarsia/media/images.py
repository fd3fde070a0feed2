"""Reading and writing still images: any source that a user has, to upright 8-bit RGB and back."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.arrays import as_array
from intarsia.errors import DataError, UsageError, suggest
from intarsia.files import atomic_path
from intarsia.media import worldfile
from intarsia.media.decoding import decode_smaller, decoded
from intarsia.media.depth import Windows, bits_of, deep_samples, highest_colour, is_deep
from intarsia.media.header import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from intarsia.media.header import check_frames, check_size, file_size, opened, orientation
from intarsia.media.maskfile import Stored, read_mask_file
from intarsia.media.pixels import RGB, array_to_rgb, upright
from intarsia.media.profiles import Change, beyond_ordinary, change_of
from intarsia.media.source import Pixels
from intarsia.media.streaming import can_stream, filled_bits, stream_rows

ImageLike: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[Any]

MAX_PIXELS = 400_000_000
_HELD_PIXELS = 30_000_000
_BOXES = 1 << 13  # bytes in which an AVIF or PNG file describes its picture

_WRITERS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP",
}  # fmt: skip


class ImageReader:
    """One opened picture: its size is known, its pixels are decoded on demand. Made by `open_image`.

    Attributes:
        name: path of the file, or a placeholder such as "<bytes>", for messages and results.
        width: columns, EXIF orientation applied.
        height: rows, EXIF orientation applied.
        is_deep: whether its samples have 16 bits.
        medium: "picture".
    """

    medium: Pixels = "picture"

    def __init__(
        self, source: ImageLike, max_pixels: int, name: str | None = None, windows: Windows | None = None
    ) -> None:
        self._picture: Path | bytes | Image.Image | RGB
        self._orientation = 1
        self._page, self._told = 0, ""
        self._windows = windows
        self._held: RGB | None = None
        self._change: Change | None = None
        self._streamed = self.is_deep = False
        known_as, self._picture = _name_and_picture(source)
        self.name = name or known_as
        if isinstance(self._picture, np.ndarray):
            self.height, self.width = self._picture.shape[:2]
            return
        with opened(self._picture, self.name) as image:
            check_size(image, self.name, _source_bytes(self._picture), max_pixels)
            if not isinstance(self._picture, Image.Image):
                check_frames(image, self.name)  # of an already opened picture, the current frame is meant
                self._page = image.tell()
            self.is_deep = is_deep(image)
            self._told = "" if windows is not None else str(image.info.get("note", ""))
            self._change = self._change_of(image)
            if image.format in ("AVIF", "PNG"):
                self._told = beyond_ordinary(_head(self._picture)) or self._told
            stored = orientation(image)
            self.width, self.height = image.size
            self._streamed = stored == 1 and not isinstance(self._picture, Image.Image) and can_stream(image)
            # Pillow turns TIFF pictures upright by itself, and gives their upright size.
            if image.format != "TIFF":
                self._orientation = stored
            if self._orientation >= 5:
                self.width, self.height = self.height, self.width

    @property
    def is_streamed(self) -> bool:
        """Whether rows are decoded as they are asked for, so that the whole picture never is in memory."""
        return self._streamed

    def hold(self) -> bool:
        """Decode the picture now, if it is small enough to wait in memory; what is read later is taken from there.

        Returns:
            Whether it is held.

        Raises:
            DataError: as `read`.
        """
        if self.height * self.width <= _HELD_PIXELS:
            self._held = self._read(fast=True)
        return self._held is not None

    def read(self) -> RGB:
        """Decode the whole picture.

        Returns:
            (height, width, 3) uint8 RGB.

        Raises:
            DataError: the file is truncated, corrupt, or of a kind that has no meaning as a photo.
        """
        return self._read()

    def _read(self, *, fast: bool = False) -> RGB:
        """The whole picture; `fast`: by OpenCV, never where a process may be forked meanwhile (its locks go along)."""
        if self._held is not None:
            return self._held
        if isinstance(self._picture, np.ndarray):
            return self._picture
        if self._streamed:
            pixels = np.empty((self.height, self.width, 3), dtype=np.uint8)
            end = 0
            for chunk in self._chunks():
                pixels[end : end + len(chunk)] = chunk
                end += len(chunk)
            return pixels
        with self._opened(self._picture) as image:
            return upright(decoded(image, self.name, self._windows, self._change, fast=fast), self._orientation)

    def bands(self, edges: Iterable[tuple[int, int]]) -> Iterator[RGB]:
        """Decode windows of rows, each source row once; large pictures are never whole in memory.

        Args:
            edges: (top, bottom) of each window; both never decrease, windows may overlap or leave gaps.

        Yields:
            (bottom - top, width, 3) uint8 RGB; not to be modified, because overlapping windows share rows.

        Raises:
            DataError: as `read`.
            ValueError: windows that go upwards or lie outside the picture.
        """
        chunks = self._chunks()
        window = np.empty((0, self.width, 3), dtype=np.uint8)
        start = end = last_bottom = 0  # the rows that `window` holds
        for top, bottom in edges:
            if not (start <= top <= bottom <= self.height and last_bottom <= bottom):
                raise ValueError(f"rows {top}..{bottom} of {self.height} go upwards or lie outside the picture")
            parts = [window[top - start :]]
            while end < bottom:
                chunk = next(chunks)
                end += len(chunk)
                parts.append(chunk[max(0, len(chunk) - (end - top)) :] if end > top else chunk[:0])
            parts = [part for part in parts if len(part)]
            window = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else window[:0]
            start, last_bottom = top, bottom
            yield window[: bottom - top]

    def thumbnail(self, width: int, height: int) -> RGB:
        """The whole picture at another size, area-averaged; JPEG and large files are not decoded in full.

        Args:
            width: columns of the result.
            height: rows of the result.

        Returns:
            (height, width, 3) uint8 RGB.
        """
        if self._streamed:
            # Across first, a few rows at a time, then down: the same average as of the whole picture.
            narrow = np.empty((self.height, width, 3), dtype=np.uint8)
            end = 0
            for rows in self._chunks():
                narrow[end : end + len(rows)] = _resize(rows, width, len(rows))
                end += len(rows)
            return _resize(narrow, width, height)
        if isinstance(self._picture, np.ndarray):
            return _resize(self._picture, width, height)
        stored_width, stored_height = (height, width) if self._orientation >= 5 else (width, height)
        with self._opened(self._picture) as image:
            if not isinstance(self._picture, Image.Image):
                decode_smaller(image, stored_width, stored_height)
            small = _resize(decoded(image, self.name, self._windows, self._change), stored_width, stored_height)
        return upright(small, self._orientation)

    def picture(self, samples: RGB) -> RGB:
        """Some of its pixels as a picture to look at: as they are."""
        return samples

    def holes(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_] | None:
        """Pictures are known everywhere."""
        return None

    @cached_property
    def bits(self) -> int:
        """The bits that its samples fill, by their largest value: 8, 10, 12, 14 or 16; decodes the whole picture.

        Raises:
            DataError: as `read`.
        """
        if not self.is_deep or isinstance(self._picture, np.ndarray):
            return 8
        if self._streamed and isinstance(self._picture, Path | bytes):
            return filled_bits(self._picture, self.name, page=self._page)
        with self._opened(self._picture) as image:
            samples = deep_samples(image)
            return 16 if samples is None else bits_of(highest_colour(samples))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about its values, in sentences."""
        told = tuple(note for note in (self._told, self._change.note if self._change else "") if note)
        told += worldfile.told(self._picture)
        if not self.is_deep or self._windows is not None or self.bits == 16:
            return told
        return (
            *told,
            f"its 16-bit values end below {1 << self.bits}, so they are taken as {self.bits}-bit ones; "
            f"--window 0,{(1 << self.bits) - 1} or another range says it for all pictures (recipe: input.window).",
        )

    def _change_of(self, image: Image.Image) -> Change | None:
        """What turns the colours of the opened file into sRGB's; values in windows of the user's are no colours."""
        return None if self.is_deep and self._windows is not None else change_of(image)

    @contextmanager
    def _opened(self, picture: Path | bytes | Image.Image) -> Iterator[Image.Image]:
        """The file at its page."""
        with opened(picture, self.name) as image:
            if self._page and not isinstance(picture, Image.Image):
                image.seek(self._page)
            yield image

    def _chunks(self) -> Iterator[RGB]:
        if self._held is not None or not self._streamed or not isinstance(self._picture, Path | bytes):
            return iter([self.read()])
        bits = self.bits if self._windows is None else 16
        rows = stream_rows(self._picture, self.name, page=self._page, bits=bits, windows=self._windows)
        return rows if self._change is None else map(self._change.of_pixels, rows)


def open_image(
    source: ImageLike, *, max_pixels: int = MAX_PIXELS, name: str | None = None, windows: Windows | None = None
) -> ImageReader:
    """Open a picture by its header, without decoding it.

    Args:
        source: path, encoded bytes, PIL image, or array: (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA, all uint8.
        max_pixels: larger pictures are refused.
        name: what to call a source without a path in messages.
        windows: (low, high) stored values of 16-bit and float pictures that become 0 and 255, once or for each channel;
            None takes the depth that they fill (see `intarsia.media.pixels.to_rgb`).

    Raises:
        DataError: missing, empty, damaged, not an image, animated, too large, or a decompression bomb.
    """
    return ImageReader(source, max_pixels, name, windows)


def read_image(source: ImageLike, *, windows: Windows | None = None) -> RGB:
    """Read a picture as (H, W, 3) uint8 RGB, upright; see `open_image` for sources, windows and errors."""
    if not isinstance(source, str | os.PathLike):
        return open_image(source, windows=windows).read()
    # As `open_image(source).read()`, but the file is opened and its header parsed only once.
    file, name = Path(source), os.fspath(source)
    with opened(file, name) as image:
        check_size(image, name, file_size(file), MAX_PIXELS)
        check_frames(image, name)
        stored = orientation(image)
        if stored > 1 or not can_stream(image):
            change = None if windows is not None and is_deep(image) else change_of(image)
            return upright(decoded(image, name, windows, change), 1 if image.format == "TIFF" else stored)
    return open_image(source, windows=windows).read()


def read_mask(path: str | os.PathLike[str], *, colors: bool = False) -> Stored:
    """Read the values that a mask file stores, upright like its photo; see `maskfile.read_mask_file`.

    Args:
        path: a picture, or a NumPy array (.npy).
        colors: read palette files by their colours instead of their indices.

    Returns:
        (H, W) uint8 or uint16 for gray, palette (indices) and 1-bit (0 and 1) files; (H, W, 3) uint8 RGB for
        colour-coded ones. JPEG masks are decoded like the rest, though their values are blurred.

    Raises:
        DataError: as `open_image`; or the values have no meaning as classes (fractions, transparent pixels, ...).
    """
    return read_mask_file(Path(path), os.fspath(path), MAX_PIXELS).shown(colors=colors)


def write_image(
    path: str | os.PathLike[str],
    picture: RGB | Image.Image,
    quality: int = 92,
    encoding: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write a picture, whole or not at all, in the format that the suffix names.

    Args:
        path: target ending in .jpg, .png, .webp, .tif or .bmp.
        picture: (H, W, 3) uint8 RGB, (H, W) uint8 gray, or a PIL image.
        quality: 1..100, of JPEG and WebP.
        encoding: further options of Pillow's writer: exif, icc_profile, qtables, ...

    Raises:
        UsageError: the suffix names no known format.
        DataError: the disk is full, the folder cannot be written, or the format cannot hold the picture.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise UsageError(
            f"cannot write {os.fspath(path)}: no format is known for {suffix!r}.{suggest(suffix, _WRITERS)}"
        )
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    kind = _WRITERS[suffix]
    options = {"quality": quality} if kind in ("JPEG", "WEBP") and "qtables" not in encoding else {}
    # Encoded in memory, because Pillow reports a full disk without the system's reason.
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options, **encoding)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot write {os.fspath(path)} as {kind}: {error}") from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def held(source: Any) -> Any:
    """What a user holds in memory in a form that is read: tensors as arrays, buffers and open files as bytes.

    Anything else, names as well, stays what it is.

    Raises:
        UsageError: a file that is opened as text, or an empty name.
    """
    if isinstance(source, str) and not source:
        raise UsageError("an empty name stands for no picture; write . for the folder that you are in")
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if hasattr(source, "detach") and hasattr(source, "cpu"):
        return as_array(source, "pixels")
    if callable(getattr(source, "read", None)) and callable(getattr(source, "readable", None)):  # no reader of ours
        content = source.read()
        if not isinstance(content, bytes):
            raise UsageError(f"{getattr(source, 'name', source)!r} is opened as text; open it with mode 'rb'")
        return content
    return source


def _name_and_picture(source: ImageLike) -> tuple[str, Path | bytes | Image.Image | RGB]:
    source = held(source)
    if isinstance(source, np.ndarray):
        return "<array>", array_to_rgb(source)
    if isinstance(source, bytes):
        return "<bytes>", source
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or "<image>"), source
    if isinstance(source, str | os.PathLike):
        return os.fspath(source), Path(source)
    raise UsageError(
        f"cannot read an image from {type(source).__name__}; pass a path, bytes, a PIL image or a uint8 array"
    )


def _source_bytes(picture: Path | bytes | Image.Image) -> int | None:
    if isinstance(picture, bytes):
        return len(picture)
    return file_size(picture) if isinstance(picture, Path) else None


def _head(picture: Path | bytes | Image.Image) -> bytes:
    """The first kilobytes of an encoded picture."""
    if isinstance(picture, Path):
        with picture.open("rb") as file:
            return file.read(_BOXES)
    return picture[:_BOXES] if isinstance(picture, bytes) else b""


def _resize(pixels: RGB, width: int, height: int) -> RGB:
    """Resize by exact area average where the picture shrinks, linearly where it grows."""
    shrinks = width * height < pixels.shape[0] * pixels.shape[1]
    import cv2

    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)

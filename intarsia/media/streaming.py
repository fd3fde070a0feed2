"""Decoding large pictures a few rows at a time through libvips (the extra "large")."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from intarsia.errors import DataError
from intarsia.media.depth import Windows, bits_of, has_plain_alpha, highest_colour, is_inverted, narrowed, windowed
from intarsia.media.pixels import RGB, channels_to_rgb

# Pictures up to this size are decoded whole: faster, and small enough in memory (3 bytes a pixel).
STREAM_PIXELS = 30_000_000

_CHUNK_ROWS = 64

_FORMATS = ("PNG", "JPEG", "MPO", "TIFF", "WEBP")


def can_stream(image: Image.Image) -> bool:
    """Tell whether a picture is large, of a kind that libvips decodes exactly as Pillow does, and libvips is there."""
    width, height = image.size
    gray = image.mode in ("L", "I;16", "I;16B") and not is_inverted(image)
    plain = gray or image.mode == "RGB" or (image.mode == "RGBA" and image.format == "PNG")
    return (
        width * height > STREAM_PIXELS
        and image.format in _FORMATS
        and plain
        and "transparency" not in image.info
        and has_plain_alpha(image)
        and _has_vips()
    )


def _has_vips() -> bool:
    try:
        import pyvips  # noqa: F401
    except (ImportError, OSError):  # OSError: the Python package is there, the C library is not
        return False
    return True


def stream_rows(
    source: Path | bytes, name: str, *, page: int = 0, bits: int = 16, windows: Windows | None = None
) -> Iterator[RGB]:
    """Yield a picture's rows from top to bottom as (h, W, 3) 8-bit RGB chunks; memory does not grow with its height.

    Args:
        source: the file.
        name: for messages.
        page: of a TIFF.
        bits: that 16-bit samples fill; see `filled_bits`.
        windows: see `intarsia.media.pixels.to_rgb`.

    Raises:
        DataError: the file is truncated or corrupt.
    """
    for samples in _chunks(source, name, page):
        if samples.dtype == np.uint8:
            yield channels_to_rgb(samples)
        else:
            yield channels_to_rgb(narrowed(samples, bits) if windows is None else windowed(samples, windows))


def filled_bits(source: Path | bytes, name: str, *, page: int = 0) -> int:
    """The bits that a picture's 16-bit samples fill, its transparency left out; see `intarsia.media.depth.bits_of`."""
    return bits_of(max((highest_colour(samples) for samples in _chunks(source, name, page)), default=0))


def _chunks(source: Path | bytes, name: str, page: int) -> Iterator[Any]:
    """Stored samples (h, W, C) of some rows, uint8 or uint16."""
    import pyvips

    try:
        options: dict[str, Any] = {"access": "sequential", "fail_on": "error"} | ({"page": page} if page else {})
        if isinstance(source, bytes):
            image = pyvips.Image.new_from_buffer(source, "", **options)
        else:
            image = pyvips.Image.new_from_file(str(source), **options)
        region = pyvips.Region.new(image)
        dtype: Any = {"uchar": np.uint8, "ushort": np.uint16}[image.format]
        for top in range(0, image.height, _CHUNK_ROWS):
            rows = min(_CHUNK_ROWS, image.height - top)
            samples = np.frombuffer(region.fetch(0, top, image.width, rows), dtype=dtype)
            yield samples.reshape(rows, image.width, image.bands)
    except pyvips.Error as error:
        reason = " ".join(error.detail.split()) or error.message
        raise DataError(
            f"cannot read {name}: the file is truncated or corrupt ({reason}); copy or export it again"
        ) from error

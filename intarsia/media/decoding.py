"""From the bytes of one picture to its pixels: whole, or smaller already while they are decoded."""

from __future__ import annotations

import warnings
from typing import IO

from PIL import Image

from intarsia.errors import DataError
from intarsia.media.depth import Windows, is_deep
from intarsia.media.header import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from intarsia.media.header import check_sums
from intarsia.media.jpeg import decode_jpeg
from intarsia.media.pixels import RGB, to_rgb
from intarsia.media.profiles import Change


def decoded(
    image: Image.Image, name: str, windows: Windows | None, change: Change | None, *, fast: bool = False
) -> RGB:
    """The pixels of an opened picture; 16-bit colours are decoded from its file, before Pillow makes 8 bits of them.

    Args:
        image: not yet decoded.
        name: for messages.
        windows: see `open_image`.
        change: of its colours to sRGB's; None where they are.
        fast: by OpenCV where it gives the same; it is wanted at its own size.
    """
    pixels = _jpeg(image) if fast and image.format == "JPEG" and image.mode == "RGB" else None
    if pixels is None:
        check_sums(image)
        if not is_deep(image) or image.mode.startswith("I;16"):
            load(image, name)
        if change is not None and change.kind == "CMYK":
            return to_rgb(change.of_image(image), name, windows)
        pixels = to_rgb(image, name, windows)
    return pixels if change is None else change.of_pixels(pixels)


def _jpeg(image: Image.Image) -> RGB | None:
    """The pixels of a colour JPEG file, as Pillow decodes them, but several times as fast; see `decode_jpeg`."""
    file: IO[bytes] | None = getattr(image, "fp", None)
    if file is None:
        return None
    file.seek(0)
    return decode_jpeg(file.read(), image.width, image.height)


def load(image: Image.Image, name: str) -> None:
    """Decode, without the TIFF reader's own size check: `check_size` has been passed already."""
    if image.format != "TIFF":
        image.load()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image.load()
        except Image.DecompressionBombError:
            raise DataError(
                f"cannot read {name}: a TIFF this large is read through libvips; pip install 'intarsia[large]'"
            ) from None


def decode_smaller(image: Image.Image, width: int, height: int) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 of its size, if that still has twice the wanted pixels.

    Only where the size divides evenly: the last block would otherwise stand for a part of a block, and the picture
    would be stretched a little.
    """
    full_width, full_height = image.size
    for scale in (8, 4, 2):
        part = full_width // scale, full_height // scale
        if full_width % scale == full_height % scale == 0 and part[0] >= 2 * width and part[1] >= 2 * height:
            image.draft(image.mode, part)
            return

"""Mask files that hold one object each, or one colour an object."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.annotations.geometry import Mask
from intarsia.errors import DataError
from intarsia.files import atomic_path
from intarsia.labels import Color
from intarsia.media.header import check_size, opened
from intarsia.media.images import MAX_PIXELS


def read_bitmap(
    source: Path | bytes, name: str, *, size: tuple[int, int] | None, color: Color | None = None
) -> tuple[Mask, tuple[int, int]]:
    """Read the mask of one object.

    Args:
        source: the file, or its content.
        name: what to call it in messages.
        size: (H, W) of the photo, which the mask must have; None where that is not known.
        color: the object's colour where several share the file; else the object is what is neither transparent
            nor, in files without transparency, black.

    Returns:
        The object's own part of the picture (0 x 0 pixels if it is empty), and (H, W) of the whole.

    Raises:
        DataError: missing, damaged, of another size, or a JPEG, whose colours are not exact.
    """
    with opened(source, name) as image:
        check_size(image, name, len(source) if isinstance(source, bytes) else source.stat().st_size, MAX_PIXELS)
        if image.format == "JPEG":
            raise DataError(f"{name}: a JPEG blurs the edges of a mask; export it as PNG")
        if size is not None and size != (image.height, image.width):
            raise DataError(
                f"{name}: the mask has {image.width}x{image.height} pixels, its photo {size[1]}x{size[0]}; take the "
                "mask that belongs to it"
            )
        return Mask(_inside(image, color)).cropped(), (image.height, image.width)


def _inside(image: Image.Image, color: Color | None) -> NDArray[np.bool_]:
    if color is not None:
        found = np.asarray(image.convert("RGB")) == np.array(color, np.uint8)
        return np.asarray(found.all(axis=2))
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"))
        opaque = pixels[..., 3] > 0
        # Where nothing is transparent, the transparency says nothing.
        return np.asarray(opaque if not opaque.all() else pixels[..., :3].any(axis=2))
    if image.mode in ("1", "L", "P") or image.mode.startswith("I"):
        return np.asarray(image) > 0
    return np.asarray(np.asarray(image.convert("RGB")).any(axis=2))


def png_of(mask: Mask, size: tuple[int, int]) -> bytes:
    """A mask as the bytes of a PNG of the photo's (H, W): 0 outside and 255 inside the object."""
    height, width = size
    canvas = np.zeros(size, np.uint8)
    top, left = max(mask.top, 0), max(mask.left, 0)
    inner = mask.bitmap[top - mask.top : height - mask.top, left - mask.left : width - mask.left]
    canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner * np.uint8(255)
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "PNG")
    return file.getvalue()


def write_png(path: Path, mask: Mask, size: tuple[int, int]) -> None:
    """Write `png_of` a mask, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(png_of(mask, size))


def leaves(mask: Mask, size: tuple[int, int]) -> bool:
    """Tell whether a part of a mask lies outside an image of (H, W)."""
    height, width = mask.bitmap.shape
    return mask.left < 0 or mask.top < 0 or mask.top + height > size[0] or mask.left + width > size[1]

"""From a decoder's pixels to what the rest of the package works on: upright 8-bit RGB, or raw mask values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.arrays import as_array
from intarsia.errors import DataError
from intarsia.media.depth import (
    Windows,
    bits_of,
    deep_samples,
    highest_colour,
    is_deep,
    is_inverted,
    narrowed,
    windowed,
)

RGB = NDArray[np.uint8]

_BAND_ROWS = 256
_PADDED = ("BMP", "DIB", "TGA")  # whose fourth byte many programs leave 0: transparent throughout is not meant
_AT_A_TIME = 4  # channels that OpenCV resizes

_ADVICE = "name the range that becomes black and white (--window 0,1; recipe: input.window)"


def to_rgb(image: Image.Image, name: str, windows: Windows | None = None) -> RGB:
    """Decode a picture to (H, W, 3) 8-bit RGB; its EXIF orientation is not applied.

    Transparency is composited on white. Samples of 16 bits are taken as those of the smallest usual depth that holds
    all of them (8, 10, 12, 14 or 16 bits), as cameras and scanners write them; of it the upper eight bits are kept.

    Args:
        image: opened, not yet decoded.
        name: for messages.
        windows: stored values that become 0 and 255, once or for each channel; 8-bit pictures are taken as they are.

    Raises:
        DataError: values without a fixed range (32-bit integers, floats) and no windows, or a colour space without a
            conversion.
    """
    mode = image.mode
    if is_deep(image):
        try:
            samples = deep_samples(image)
        except DataError as error:
            raise DataError(f"cannot use {name}: {error}") from None
        if samples is not None:
            return deep_to_rgb(samples, windows, inverted=is_inverted(image))
    own: tuple[float, float] | None = image.info.get("window")  # of DICOM images
    if mode in ("I", "F") and image.format != "PPM" and (windows or own):
        seen = windowed(np.asarray(image), windows or (own or (0.0, 1.0),))
        return channels_to_rgb(255 - seen if image.info.get("inverted") else seen)
    if mode in ("PA", "La", "RGBa") or ("transparency" in image.info and mode in ("1", "L", "P", "RGB")):
        image = image.convert("RGBA")
    elif mode in ("1", "P", "CMYK", "YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    elif mode == "I" and image.format == "PPM":
        return channels_to_rgb(narrowed(np.asarray(image).astype(np.uint16), 16))  # scaled to 0..65535 by Pillow
    elif mode in ("I", "F"):
        kind = "32-bit integers" if mode == "I" else "floating-point numbers"
        raise DataError(f"cannot use {name} as a photo: its pixels are {kind} without a fixed range; {_ADVICE}")
    elif mode not in ("L", "LA", "RGB", "RGBA") and not mode.startswith("I;16"):
        raise DataError(f"cannot use {name}: its colour mode {mode} has no conversion here; save it as RGB")
    if mode == "RGBA" and image.format in _PADDED and not np.asarray(image)[..., 3].any():
        image = image.convert("RGB")
    return channels_to_rgb(np.asarray(image))


def deep_to_rgb(samples: NDArray[np.uint16], windows: Windows | None, *, inverted: bool = False) -> RGB:
    """Turn gray, gray+alpha, RGB or RGBA samples (H, W[, C]) of 16 bits into RGB on white; see `to_rgb`."""
    bits = bits_of(highest_colour(samples))
    narrow = narrowed(samples, bits) if windows is None else windowed(samples, windows)
    return channels_to_rgb(255 - narrow if inverted else narrow)


def channels_to_rgb(pixels: NDArray[np.uint8]) -> RGB:
    """Turn gray, gray+alpha, RGB or RGBA samples (H, W[, C]) of 8 bits into RGB on white."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    color, alpha = (pixels, None) if pixels.shape[2] in (1, 3) else (pixels[..., :-1], pixels[..., -1:])
    if color.shape[2] == 3 and alpha is None:
        return np.require(color, requirements=["C", "W"])  # Pillow's own buffer is read-only
    result = np.empty((*pixels.shape[:2], 3), dtype=np.uint8)
    if alpha is None:
        result[...] = color
        return result
    for top in range(0, len(result), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        weight = alpha[rows].astype(np.uint16)
        result[rows] = (color[rows] * weight + 255 * (255 - weight) + 127) // 255
    return result


def array_to_rgb(array: NDArray[Any]) -> RGB:
    """Check an array that a user passed as an image, and give it three channels.

    Raises:
        DataError: the shape or type is none of the documented ones, or a mask hides pixels.
    """
    array = as_array(array, "pixels")
    if array.dtype != np.uint8:
        advice = {
            "f": "; if its values are in 0..1, pass (255 * image).round().astype('uint8')",
            "b": "; pass 255 * mask.astype('uint8')",
            "u": "; of 16-bit values that fill 12 bits, pass (image >> 4).astype('uint8')"
            if array.dtype.itemsize == 2
            else "",
        }.get(array.dtype.kind, "")
        raise DataError(f"an image array must hold uint8 values from 0 to 255, this one holds {array.dtype}{advice}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; channels come last, so pass image.transpose(1, 2, 0)"
        elif array.ndim == 4:
            hint = "; pass the images of a batch one by one, as a list"
        raise DataError(
            f"an image array must have shape (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, this one has {array.shape}{hint}"
        )
    if array.size == 0:
        raise DataError(f"an image array needs pixels, this one has shape {array.shape}")
    return channels_to_rgb(array)


def resized(pixels: NDArray[Any], height: int, width: int, interpolation: int) -> NDArray[Any]:
    """Resize (H, W) or (H, W, C) pixels of any number of channels; the result keeps its axes.

    Args:
        pixels: what to resize.
        height: rows of the result.
        width: columns of the result.
        interpolation: OpenCV's constant.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.ndim == 2 or pixels.shape[2] <= _AT_A_TIME:
        import cv2

        small = cv2.resize(pixels, (width, height), interpolation=interpolation)
        return np.asarray(small).reshape(height, width, *pixels.shape[2:])
    parts = [pixels[..., first : first + _AT_A_TIME] for first in range(0, pixels.shape[2], _AT_A_TIME)]
    return np.concatenate([resized(part, height, width, interpolation) for part in parts], axis=2)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation (1..8) to stored pixels (H, W[, C]); the result is contiguous."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)

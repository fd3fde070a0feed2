"""OKLab: a colour space in which equal distances look about equally large.

Source: Björn Ottosson, A perceptual color space for image processing, 2020, https://bottosson.github.io/posts/oklab.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError

Floats = NDArray[np.float32]

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_FROM_LAB = np.linalg.inv(_TO_LAB.astype(np.float64)).astype(np.float32)
_FROM_CONES = np.linalg.inv(_TO_CONES.astype(np.float64)).astype(np.float32)
_STORED = np.arange(256) / 255
_LINEAR = np.where(_STORED <= 0.04045, _STORED / 12.92, ((_STORED + 0.055) / 1.055) ** 2.4).astype(np.float32)
# From the root of a linear value to what is stored: so fine that a stored value comes back as itself.
_ROOTS = np.linspace(0, 1, 4096)
_ENCODED = np.where(_ROOTS**2 <= 0.0031308, _ROOTS**2 * 12.92, 1.055 * _ROOTS ** (2 / 2.4) - 0.055)
_CODES = np.rint(_ENCODED * 255).astype(np.uint8)


def to_oklab(pixels: NDArray[np.uint8]) -> Floats:
    """Turn sRGB (..., 3) uint8 into OKLab (..., 3) float32: lightness 0..1, then green to red, and blue to yellow."""
    return _times(np.cbrt(_times(_LINEAR[pixels], _TO_CONES)), _TO_LAB)


def from_oklab(lab: Floats) -> NDArray[np.uint8]:
    """Turn OKLab (..., 3) float32 into sRGB (..., 3) uint8; what no screen shows is cut off, channel by channel."""
    linear = _times(_times(lab, _FROM_LAB) ** 3, _FROM_CONES)
    return _CODES[np.rint(np.sqrt(np.clip(linear, 0, 1)) * (len(_CODES) - 1)).astype(np.uint16)]


def _times(values: Floats, matrix: Floats) -> Floats:
    """A matrix applied to the last axis, of length 3."""
    rows = np.ascontiguousarray(values, dtype=np.float32).reshape(-1, 1, 3)
    return np.asarray(cv2.transform(rows, matrix), dtype=np.float32).reshape(values.shape)


def read_colour(text: str) -> tuple[int, int, int]:
    """Read a colour as people write it: a CSS name, "#aa0000", "rgb(170, 0, 0)".

    Raises:
        UsageError: it is none.
    """
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text.strip())[:3]
    except ValueError:
        raise UsageError(f"{text!r} is no colour; write a name such as red or navy, or #rrggbb") from None
    return red, green, blue

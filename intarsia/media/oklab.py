"""Colours as people see them: OKLab, in which lightness and colour can be changed apart.

Ottosson, A perceptual color space for image processing, 2020 (https://bottosson.github.io/posts/oklab/); sRGB is
that of IEC 61966-2-1.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from intarsia.errors import UsageError, suggest

Floats = NDArray[np.float32]

# Linear sRGB to the responses of the cones, and their cube roots to lightness, green-red and blue-yellow.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_TO_CONES, _TO_LAB = (matrix.T.astype(np.float32) for matrix in (_CONES, _LAB))
_FROM_LAB, _FROM_CONES = (np.linalg.inv(matrix).T.astype(np.float32) for matrix in (_LAB, _CONES))

_CODES = np.arange(256) / 255
LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""The linear light, 0 to 1, of each value that sRGB stores (IEC 61966-2-1)."""
_HALVINGS = 10  # of what a colour's chroma may be off, when it is brought back into the gamut
_SLACK = 1e-4


def to_oklab(rgb: NDArray[np.uint8]) -> Floats:
    """Turn sRGB (..., 3) uint8 into OKLab (..., 3): lightness 0 to 1, and two axes of colour of about -0.4 to 0.4."""
    lab: Floats = _power(LINEAR[rgb.reshape(-1, 3)] @ _TO_CONES, 1 / 3) @ _TO_LAB
    return lab.reshape(rgb.shape)


def from_oklab(lab: Floats) -> NDArray[np.uint8]:
    """Turn OKLab (..., 3) into sRGB (..., 3) uint8.

    What sRGB cannot show keeps its hue and, within 0 to 1, its lightness; its chroma becomes the largest that it can.
    """
    flat = lab.reshape(-1, 3)
    linear = _to_linear(flat)
    off = np.abs(linear - np.float32(0.5))
    outside = np.flatnonzero(np.maximum(np.maximum(off[:, 0], off[:, 1]), off[:, 2]) > 0.5 + _SLACK)
    if len(outside):
        linear[outside] = _to_linear(_in_gamut(flat[outside]))
    return np.rint(stored(linear)).astype(np.uint8).reshape(lab.shape)


def stored(linear: Floats) -> Floats:
    """Find what sRGB stores for linear light, 0 to 255 and not rounded; what is below 0 or above 1 is cut."""
    light = np.clip(linear, 0, 1)
    codes: Floats = np.where(light <= 0.0031308, light * 12.92, 1.055 * _power(light, 1 / 2.4) - 0.055)
    return codes * np.float32(255)


def colour(said: str) -> tuple[int, int, int]:
    """Read a colour that somebody names: red, "#b0123b", "rgb(176, 18, 59)", "hsl(345, 81%, 38%)".

    Raises:
        UsageError: it is none; the message suggests the closest name.
    """
    try:
        red, green, blue = ImageColor.getrgb(said)[:3]
        if max(red, green, blue) > 255:
            raise ValueError(said)
        return red, green, blue
    except ValueError:
        raise UsageError(
            f"{said!r} is no colour: write it as '#b0123b' or by its name.{suggest(said.lower(), ImageColor.colormap)}"
        ) from None


def _power(values: Floats, exponent: float) -> Floats:
    """Powers of numbers that are not negative; several times as fast as NumPy's."""
    return np.asarray(cv2.pow(values, exponent), dtype=np.float32).reshape(values.shape) if values.size else values


def _to_linear(lab: Floats) -> Floats:
    roots: Floats = lab @ _FROM_LAB
    return np.asarray(roots * roots * roots @ _FROM_CONES, dtype=np.float32)


def _in_gamut(lab: Floats) -> Floats:
    """Colours (N, 3) with as much of their chroma as sRGB holds at their hue and lightness."""
    grey: Any = np.clip(lab[:, :1], 0, 1)
    low: Any = np.zeros_like(grey)
    high: Any = np.ones_like(grey)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        linear = _to_linear(np.concatenate([grey, middle * lab[:, 1:]], axis=1))
        fits = ((linear >= -_SLACK) & (linear <= 1 + _SLACK)).all(axis=1, keepdims=True)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.concatenate([grey, low * lab[:, 1:]], axis=1)

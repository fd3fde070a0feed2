"""Paint on pixels: another colour or a smoother surface where a mask says so, and not a bit elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.media.oklab import Floats, from_oklab, to_oklab

Pixels = NDArray[np.uint8]

_AT_ONCE = 1 << 18  # pixels that are held as numbers
_SAMPLES = 1 << 16  # pixels that tell a region's lightness
_CORE = 0.9  # of the highest mask: what is softer may not belong to the region
_EXTREMES = 0.5  # per cent of them that may be clipped, at either end
_ROOM = 0.1  # of lightness, that texture gets below and above the mean at least: in black and white there is none
_DARKEST = 0.067  # the lightness of sRGB's first grey above black; between the two there are no shades
_COLOUR_TEXTURE = 0.5  # share of the colour's
_NOISE = np.array([0.03, 0.012, 0.012], dtype=np.float32)  # of skin: lightness and colours vary this little in it
_POLISH = 0.65  # share of what varies so little that is taken away
_WHOLE = 0.9999
_WORKED = 120  # pixels between the eyes where a skin is looked at


def recolour(image: Pixels, mask: Floats, target: tuple[int, int, int], strength: float = 1.0) -> None:
    """Give a region a colour, in place: its mean becomes the target, its lightness keeps its texture.

    Lightness is moved as a whole, and calmed down where it would not fit between black and white.

    Args:
        image: (H, W, 3) uint8 sRGB; changed only where the mask is above 0.
        mask: (H, W) float32, 0 to 1.
        target: red, green and blue, 0 to 255.
        strength: 0 (as it was) to 1 (the target).
    """
    mean, low, high = _described(image, mask)
    wanted = to_oklab(np.array(target, dtype=np.uint8))
    below, above = max(wanted[0] - _DARKEST, _ROOM), max(1 - wanted[0], _ROOM)
    calm = min(1.0, below / max(low, 1e-6), above / max(high, 1e-6))
    texture = np.array([calm, _COLOUR_TEXTURE, _COLOUR_TEXTURE], dtype=np.float32)
    wanted[0] = min(max(wanted[0], _DARKEST + calm * low), 1 - calm * high)

    _change(image, mask * np.float32(strength), lambda lab, band: wanted + texture * (lab - mean))


def smooth(image: Pixels, mask: Floats, eyes: float, strength: float = 1.0) -> None:
    """Even out a skin, in place: what varies little becomes a third of it, edges stay.

    The fast guided filter (He and Sun 2015, arXiv:1505.00996), each channel guided by itself.

    Args:
        image: (H, W, 3) uint8 sRGB; changed only where the mask is above 0.
        mask: (H, W) float32, 0 to 1.
        eyes: pixels between the eyes, which tell how large things are.
        strength: 0 (as it was) to 1.
    """
    height, width = mask.shape
    scale = min(1.0, _WORKED / eyes)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = to_oklab(cv2.resize(image, size, interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
    radius = max(1, round(0.08 * eyes * scale))

    def around(values: Floats) -> Floats:
        return np.asarray(cv2.blur(values, (2 * radius + 1, 2 * radius + 1)), dtype=np.float32)

    mean = around(small)
    variance = np.maximum(around(small * small) - mean * mean, 0)
    slope = variance / (variance + _NOISE * _NOISE)
    offset = around(mean - slope * mean)
    slope = around(slope)

    def smoothed(lab: Floats, band: _Band) -> Floats:
        a, b = (band.read(coefficients, (height, width)) for coefficients in (slope, offset))
        return lab + np.float32(_POLISH) * (a * lab + b - lab)

    _change(image, mask * np.float32(strength), smoothed)


def feathered(mask: Floats, radius: float) -> Floats:
    """Soften the edge of a mask (H, W), which grows by `radius` pixels (rounded, at least 1) and no farther."""
    side = 2 * max(1, round(radius)) + 1
    soft = np.asarray(cv2.GaussianBlur(mask, (side, side), side / 5), dtype=np.float32)
    soft[soft > _WHOLE] = 1  # sums of floats
    return soft


@dataclass(frozen=True)
class _Band:
    """Some rows of a picture, and which of their pixels are painted."""

    top: int
    inside: NDArray[np.bool_]

    def read(self, small: Floats, size: tuple[int, int]) -> Floats:
        """Values (N, C) at the painted pixels of the reduced map of a picture of this size."""
        y = ((np.arange(len(self.inside)) + self.top + 0.5) * (small.shape[0] / size[0]) - 0.5).astype(np.float32)
        x = ((np.arange(size[1]) + 0.5) * (small.shape[1] / size[1]) - 0.5).astype(np.float32)
        places = np.broadcast_to(x, self.inside.shape).copy(), np.broadcast_to(y[:, None], self.inside.shape).copy()
        read = cv2.remap(small, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(read, dtype=np.float32)[self.inside]


def _change(image: Pixels, weight: Floats, paint: Callable[[Floats, _Band], Floats]) -> None:
    """Mix what is painted in, by weight: no pixel without any is touched."""
    height = max(1, _AT_ONCE // weight.shape[1])
    for top in range(0, len(weight), height):
        rows = slice(top, top + height)
        band = _Band(top, weight[rows] > 0)
        if band.inside.any():
            lab = to_oklab(image[rows][band.inside])
            share = weight[rows][band.inside, None]
            image[rows][band.inside] = from_oklab(lab + share * (paint(lab, band) - lab))


def _described(image: Pixels, mask: Floats) -> tuple[Floats, float, float]:
    """The mean colour of a region's core, and how far its lightness goes below and above that."""
    step = max(1, int(np.sqrt(np.count_nonzero(mask) / _SAMPLES)))
    seen = mask[::step, ::step]
    most = seen.max(initial=0)
    if most <= 0:
        return np.zeros(3, dtype=np.float32), 0.0, 0.0
    lab = to_oklab(image[::step, ::step][seen >= _CORE * most])
    mean = lab.mean(axis=0)
    low, high = np.percentile(lab[:, 0], (_EXTREMES, 100 - _EXTREMES)) - mean[0]
    return mean, -float(low), float(high)

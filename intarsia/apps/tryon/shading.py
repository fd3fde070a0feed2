"""New cloth in old light: what a garment's folds do to the light is done to other colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.media.oklab import Floats, from_oklab, to_oklab

_DARKEST = 0.35  # lightness of a garment below which its folds are told by differences, as ratios there are noise
_BLACK = 0.2  # of cloth: below, 8 bits have no room for folds
_BRIGHTEST = 0.99
_HIGHEST = 0.99  # share of the garment that gets no brighter than there is room
_LEAST_GAIN = 0.35  # of the folds, on cloth so bright that there is no room above it


def shade(garment: NDArray[np.uint8], cloth: Floats, inner: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Give cloth the shading of the garment in whose place it is.

    The lightness of OKLab goes with the cube root of light, so that light which changes by a factor changes lightness
    and both chroma axes by one and the same factor.

    Args:
        garment: (N, 3) uint8 sRGB, the pixels of the garment.
        cloth: (N, 3) or (3,), OKLab, the colour of the new cloth at each of them, evenly lit. Black becomes the
            darkest that still shows folds.
        inner: (N,), the pixels that tell how light the garment is; at its border there may be others. None: all.

    Returns:
        (N, 3) uint8 sRGB.
    """
    lightness = to_oklab(garment)[:, 0]
    sure = lightness if inner is None else lightness[inner]
    middle = float(np.median(sure))
    wanted = np.broadcast_to(cloth, (len(garment), 3)).copy()
    wanted[:, 0] = np.maximum(wanted[:, 0], _BLACK)
    folds = (lightness - middle) / max(middle, _DARKEST)
    highest = (float(np.quantile(sure, _HIGHEST)) - middle) / max(middle, _DARKEST)
    room = max(_BRIGHTEST / float(np.quantile(wanted[:, 0], 0.9)), 1.0) - 1
    gain = 1.0 if highest <= room else max(_LEAST_GAIN, room / highest)
    exposure = min(1.0, (1 + room) / (1 + gain * max(highest, 0.0)))
    light = (exposure * (1 + gain * folds)).clip(0.05)
    made = wanted * light[:, None]
    # Towards white, colours get paler; they would leave what screens show.
    paler = (1 - made[:, 0]) / np.maximum(1 - wanted[:, 0], 1e-3)
    made[:, 1:] *= np.where(light > 1, (paler / light).clip(0, 1), 1)[:, None]
    made[:, 0] = made[:, 0].clip(0, 1)
    return from_oklab(made)


def likeness(before: NDArray[np.uint8], after: NDArray[np.uint8], cloth: Floats) -> float:
    """Correlate a garment's lightness (N, 3) with that of new cloth, each taken as a share of the cloth's own.

    Returns:
        -1..1; 1 where the garment has no shading that could be lost.
    """
    own = np.maximum(np.broadcast_to(cloth, (len(before), 3))[:, 0], _BLACK)
    old, new = to_oklab(before)[:, 0], to_oklab(after)[:, 0] / own
    if min(old.std(), new.std()) < 1e-3:
        return 1.0
    return float(np.corrcoef(old, new)[0, 1])

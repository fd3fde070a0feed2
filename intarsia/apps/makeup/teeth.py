"""Teeth that the contours of the lips miss: much paler than lips, and joined to the line between these."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.faces.parts import Mask
from intarsia.media.oklab import to_oklab

Pixels = NDArray[np.uint8]

_REACH = 0.045  # eye distances from the line, within which teeth are looked for; beyond it all is lips
_PALER = 2.0  # deviations of the lips' redness
_LEAST = 0.02  # of redness: lips of one colour have hardly any deviation
_CORNER = 0.15  # of the mouth's width at either side, where skin and shadow are pale, and teeth are not seen
_FEWEST = 30  # pixels of lips that tell their colour
_DEVIATION = 1.4826  # of a normal distribution, in median deviations


def find_teeth(image: Pixels, lips: Mask, line: Mask, eyes: float) -> Mask:
    """Find teeth among what is taken for lips.

    The contour between the lips is often drawn narrower than the mouth is open. Gloss is pale, too, but away from it.

    Args:
        image: (H, W, 3) uint8 sRGB.
        lips: (H, W), 0 to 1.
        line: (H, W), 0 to 1: what lies within the inner contour of the lips, be they open or not.
        eyes: pixels between the eyes.

    Returns:
        (H, W), 0 to 1, 1 in teeth; 0 everywhere where the lips are too small to tell.
    """
    found = np.zeros(lips.shape, dtype=np.float32)
    rows, columns = (np.flatnonzero((np.maximum(lips, line) > 0).any(axis=axis)) for axis in (1, 0))
    inside = line > 0
    if not inside.any() or not len(rows):
        return found
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside, lips = inside[box], lips[box]
    away = np.asarray(cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)) / eyes
    sure = (lips > 0.9) & (away > _REACH)
    if np.count_nonzero(sure) < _FEWEST:
        return found
    lightness, redness = np.moveaxis(to_oklab(image[box])[..., :2], 2, 0)
    middle = np.median(redness[sure])
    spread = _DEVIATION * float(np.median(np.abs(redness[sure] - middle)))
    pale = (
        (redness < middle - max(_PALER * spread, _LEAST)) & (lightness > np.median(lightness[sure])) & (away < _REACH)
    )
    corners = round(_CORNER * inside.shape[1])
    pale[:, :corners] = pale[:, inside.shape[1] - corners :] = False
    joined = cv2.morphologyEx((pale | inside).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, pieces = cv2.connectedComponents(((np.asarray(joined) > 0) | inside).astype(np.uint8), connectivity=4)
    teeth = (pale & np.isin(pieces, np.unique(pieces[inside]))).astype(np.float32)
    found[box] = np.maximum(teeth, cv2.blur(teeth, (3, 3)))
    return found

"""Bokeh: a background out of focus, as a lens with a round opening shows it, and nothing of the person in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.matting import weighted_mean
from intarsia.media.oklab import LINEAR, stored

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_WIDEST = 0.04  # of the longer side: radius of the discs at full strength
_NEAREST = 0.4  # of that radius: right behind the person
_DEPTH = 0.35  # of the longer side: so far from the person, the background is as blurred as it gets
_LAYERS = 3
_SEEN = 1e-3  # share of a disc that has to be background, or its mean comes from further away


def out_of_focus(picture: Pixels, alpha: Floats, strength: float) -> Floats:
    """Blur what is behind the person; where the person is, what is behind is guessed from around.

    Discs of light are summed over the background alone, and divided by how much of them is background: no colour of
    the person gets in, and a plain wall stays as bright as it is. Sums are of linear light. Discs grow with the
    distance from the person, as if the ground led away from the camera there.

    Args:
        picture: (h, w, 3) uint8 RGB, a photo at a small size.
        alpha: (h, w) float32, 0 to 1: the person; only where there is nothing of it, colours are taken.
        strength: 0 to 1.

    Returns:
        (h, w, 3) float32 RGB, 0 to 255.
    """
    longest = max(picture.shape[:2])
    apart = cv2.dilate((alpha > 0).view(np.uint8), np.ones((3, 3), np.uint8)) == 0
    weight = (apart if apart.any() else alpha == 0).astype(np.float32)
    light = LINEAR[picture]
    radius = _radii(alpha, longest * _WIDEST * strength)
    steps = np.linspace(_NEAREST, 1, _LAYERS) * (longest * _WIDEST * strength)
    far = weighted_mean(light, weight, max(1, round(steps[-1])))
    weighted = np.dstack([light * weight[..., None], weight])
    found = np.zeros_like(light)
    for step in steps:
        blurred = cv2.filter2D(weighted, -1, _disc(step), borderType=cv2.BORDER_REFLECT)
        total = blurred[..., 3:]
        layer = np.where(total > _SEEN, blurred[..., :3] / np.maximum(total, _SEEN), far)
        found += layer * np.clip(1 - np.abs(radius - step) / (steps[1] - steps[0]), 0, 1)[..., None]
    return stored(found)


def _radii(alpha: Floats, widest: float) -> Floats:
    """The radius of the disc at each pixel: small next to the person, smoothly wider away from it."""
    away = cv2.distanceTransform((alpha < 0.5).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    depth = _DEPTH * max(alpha.shape)
    share = np.minimum(away, depth) / depth
    found: Floats = widest * (_NEAREST + (1 - _NEAREST) * share * share * (3 - 2 * share))
    return found


def _disc(radius: float) -> Floats:
    """A disc with a sum of 1; pixels at its rim count as far as they lie in it."""
    side = np.arange(-int(np.ceil(radius)), int(np.ceil(radius)) + 1)
    disc: Floats = np.clip(radius + 0.5 - np.hypot(side[:, None], side), 0, 1).astype(np.float32)
    disc /= disc.sum()
    return disc

"""Edges of people: how much of each pixel there is the person, by a small network of our own."""

from __future__ import annotations

import cv2
import numpy as np

from intarsia.inference.matting import Floats, Matting, Pixels, snapped, working_size
from intarsia.runtimes.network import Network
from intarsia.zoo import bundled_models

NAME = "edge"
"""Of the bundle."""
SIDE = 512
"""Pixels of the longer side at which the network sees pictures."""

_STRIDE = 16
_NEAR = 8  # pixels on each side of the mask's border where the network is asked
_HAZE = 0.03  # of alpha, and of what is missing to 1, that is none
_HALF = 0.001  # off one half, that stays between the two sides


class EdgeFinder:
    """Finds alpha around people whose mask is known coarsely, as that of the bundle `person` is.

    A network of 50,000 weights sees the picture, the mask and what the guided filter makes of it, and adds to the
    latter; `tools/make_edge.py` trains it. It knows heads and shoulders: what is mostly the person by the filter stays
    so, and what mostly is not, too, so that it makes nobody larger or smaller.

    Args:
        threads: that compute it; None: as many as this process may use.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        self._network = Network(bundled_models()[NAME], threads=threads)

    def alpha(self, picture: Pixels, mask: Floats) -> Floats:
        """Tell how much of each pixel is a person.

        Args:
            picture: (H, W, 3) uint8 RGB.
            mask: (H, W) float32, 0 to 1: how likely each pixel is a person.

        Returns:
            (h, w) float32, 0 to 1, of the picture at `working_size` for `SIDE`; exactly 0 and 1 away from edges.
        """
        size = working_size(mask.shape[0], mask.shape[1], SIDE)
        small, shares = (cv2.resize(one, size[::-1], interpolation=cv2.INTER_AREA) for one in (picture, mask))
        pixels, coarse = np.asarray(small, dtype=np.uint8), np.asarray(shares, dtype=np.float32)
        matte = Matting(pixels, coarse, size).alpha
        seen = np.dstack([pixels.astype(np.float32) / np.float32(255), coarse, matte])
        beyond = [(0, -length % _STRIDE) for length in size]
        padded = np.pad(seen, [*beyond, (0, 0)], mode="symmetric")
        told = self._network.run(padded.transpose(2, 0, 1)[None])["alpha"][0, 0, : size[0], : size[1]]
        clear = np.clip((told - _HAZE) / (1 - 2 * _HAZE), 0, 1)
        alpha = matte + _near_border(coarse) * (clear - matte)
        inside = matte > 0.5
        limited = np.where(inside, np.maximum(alpha, 0.5 + _HALF), np.minimum(alpha, 0.5 - _HALF))
        return snapped(limited.astype(np.float32))


def _near_border(mask: Floats) -> Floats:
    """1 at the border of a mask, 0 from `_NEAR` pixels on, and between them in the outer half of that way."""
    person = (mask > 0.5).view(np.uint8)
    border = cv2.morphologyEx(person, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    away = cv2.distanceTransform(1 - border, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(np.clip(2 - 2 / _NEAR * away, 0, 1), dtype=np.float32)

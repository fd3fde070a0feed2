"""The colours of a thing, and whether they are those that somebody wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError
from intarsia.media.oklab import colour, from_oklab, to_oklab

COUNT = 3
TOLERANCE = 0.12
"""Distance in OKLab up to which colours are taken for the same: about from red to crimson."""

_SAMPLE = 64  # pixels of the longer side that colours are counted on
_LEAST = 0.2  # share of a thing from which on a colour is one of its colours


def dominant(photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Find the three colours that a thing consists of.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (h, w), of any size, where the thing is.

    Returns:
        (3, 3) sRGB and their shares (3,), the largest first; the same for the same photo. A thing of fewer colours has
        shares of 0.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, _SAMPLE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)) > 0.5
    lab = to_oklab(small[inside] if inside.any() else small.reshape(-1, 3))
    count = min(COUNT, len(lab))
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 20, 1e-3)
    start: Any = None  # half typed
    _, labels, centres = cv2.kmeans(lab, count, start, criteria, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels[:, 0], minlength=count).astype(np.float32) / len(labels)
    order = np.argsort(-shares, kind="stable")
    found, weights = np.zeros((COUNT, 3), np.uint8), np.zeros(COUNT, np.float32)
    found[:count], weights[:count] = from_oklab(np.asarray(centres, np.float32)[order]), shares[order]
    return found, weights


@dataclass(frozen=True)
class Filter:
    """A wanted colour.

    Attributes:
        colour: sRGB.
        tolerance: distance in OKLab up to which a colour is taken for it.
    """

    colour: tuple[int, int, int]
    tolerance: float = TOLERANCE

    @classmethod
    def of(cls, text: str, tolerance: float = TOLERANCE) -> Filter:
        """Read a colour as people write it.

        Raises:
            UsageError: it is none, or the tolerance is not above 0.
        """
        if not tolerance > 0:
            raise UsageError(f"a tolerance of colours is above 0 (and black and white are 1 apart), not {tolerance}")
        return cls(colour(text), tolerance)

    def passes(self, colours: NDArray[np.uint8], shares: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which things (N,) have this colour on a fifth of them at least; as `dominant` tells them, (N, 3, 3)."""
        wanted = to_oklab(np.array(self.colour, np.uint8))
        far = np.linalg.norm(to_oklab(colours) - wanted, axis=-1)
        return np.asarray(((far <= self.tolerance) & (shares >= _LEAST)).any(axis=-1))

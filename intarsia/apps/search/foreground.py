"""What of a photo is the thing: what differs from the border, else clothes by the clothes model, else all of it."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Kind = Literal["clothes", "foreground", "whole"]
Mask = NDArray[np.bool_]
CLOTHES = ("upper", "outer", "dress", "lower", "legs", "shoes", "hat", "bag")
"""Classes of the clothes model that are things to search for."""

_SIDE = 96  # that GrabCut works at
_MARGIN = 0.03  # of the sides, that is background
_ROUNDS = 3
_SHARES = (0.05, 0.92)  # of the photo, between which a foreground is believed
_LEAST_CLOTHES = 0.02


class Segments(Protocol):
    """A model of clothes: `intarsia.load("clothes")`, or what stands for it."""

    def segment(self, source: Any) -> Any:
        """Labels of a photo, by names of classes."""


def find_thing(photo: NDArray[np.uint8], clothes: Segments | None = None) -> tuple[Mask, Kind]:
    """Tell which pixels of a photo are the thing that it shows.

    Args:
        photo: (H, W, 3) uint8 RGB.
        clothes: model of clothes on people; None does without.

    Returns:
        (h, w), at a size of its own, and how it was found: "foreground" by its difference from the border of the
        photo, "clothes" by the model, which knows clothes on people and no others, or "whole" where neither found
        anything to believe.
    """
    mask = cut_out(photo)
    if _SHARES[0] <= mask.mean() <= _SHARES[1]:
        return mask, "foreground"
    if clothes is not None:
        worn = _worn(clothes.segment(photo))
        if worn.mean() >= _LEAST_CLOTHES:
            return worn, "clothes"
    return np.ones_like(mask), "whole"


def cut_out(photo: NDArray[np.uint8]) -> Mask:
    """Part a thing from its ground: GrabCut (Rother et al. 2004), to which the border is background.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        (h, w), with at most 96 pixels on the longer side; the same for the same photo.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    margin = max(1, round(_MARGIN * min(size)))
    inside = (margin, margin, size[0] - 2 * margin, size[1] - 2 * margin)
    if min(inside[2:]) < margin or small.std(axis=(0, 1)).max() < 1:  # nothing is inside, or nothing differs
        return np.ones(size[::-1], bool)
    found = np.zeros(size[::-1], np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(small, found, inside, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_RECT)
    thing = np.isin(found, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(thing, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), dtype=bool)


def _worn(result: Any) -> Mask:
    names = [name for name in CLOTHES if name in result.space.names]
    indices = [result.space.index(name) for name in names]
    return np.isin(result.labels, indices)

"""Ink: what is darker than the paper around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 1 / 24  # of the longer side
_CONTRAST, _LEAST = 0.2, 12.0

_TEXT, _ACROSS = 0.3, 0.6
_CROSSED = 0.6  # of the height where text stands at a rule


def find_ink(page: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell ink from paper by the mean and the deviation of each pixel's neighbourhood (Sauvola & Pietikainen, 2000).

    Args:
        page: (h, w, 3) RGB or (h, w) grey.

    Returns:
        (h, w), True where there is ink; nowhere on an even page.
    """
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY) if page.ndim == 3 else page
    values = grey.astype(np.float32)
    side = max(3, round(max(grey.shape) * _WINDOW)) | 1
    mean = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    square = cv2.sqrBoxFilter(values, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REFLECT)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    limit = np.minimum(mean * (1 + _CONTRAST * (deviation / 128 - 1)), mean - _LEAST)
    return np.asarray(values < limit)


def find_rules(ink: NDArray[np.bool_], length: float, gap: float) -> NDArray[np.bool_]:
    """Find vertical rules, as between the columns of a table: dark runs that are longer than any letter.

    Args:
        ink: (h, w).
        length: of the shortest, in pixels.
        gap: of the longest that is bridged, where letters cross a rule, in pixels.

    Returns:
        (h, w), True on rules and one pixel beside them.
    """
    # Leaning rules are steps of runs; widened, each is one.
    wide = cv2.dilate(ink.astype(np.uint8), np.ones((1, 3), np.uint8))
    runs = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones((max(3, round(length)), 1), np.uint8))
    return np.asarray(cv2.morphologyEx(runs, cv2.MORPH_CLOSE, np.ones((max(1, round(gap)), 1), np.uint8)) > 0)


def dividing(rules: NDArray[np.bool_], text: NDArray[np.float32], reach: float) -> NDArray[np.bool_]:
    """Keep the rules that divide columns; those that most lines are written across are only printed on the paper.

    Args:
        rules: (h, w).
        text: (h, w) probability that a pixel lies in the middle of a line of text.
        reach: how far from a rule text stands at it, in pixels.
    """
    side = 2 * max(1, round(reach)) + 1
    near = cv2.dilate((text > _TEXT).astype(np.uint8), np.ones((1, side), np.uint8)) > 0
    count, labels = cv2.connectedComponents(rules.astype(np.uint8), connectivity=8)
    across, beside = (np.bincount(labels[rules & where], minlength=count) for where in (text > _ACROSS, near))
    printed = across > _CROSSED * np.maximum(beside, 1)
    return rules & ~printed[labels]

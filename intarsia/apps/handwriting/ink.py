"""Ink: what is darker than the paper around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 1 / 24  # of the longer side
_CONTRAST, _LEAST = 0.2, 12.0

_TALL, _GAP = 4.0, 1.5  # heights of a line: rules are longer, and gaps within them shorter
_RULE, _FAINT_RULE = 1 / 24, 1 / 6  # of the longer side, that rules are long at least
_FAINT = 12.0  # levels that a faint rule is darker than the paper beside it
_SHORT = 0.3  # heights over which a column is averaged: less than the white between lines
_WIDE = 0.5  # heights of a line; what is wider is no rule but a column of initials, or a shadow
_TEXT, _ACROSS = 0.3, 0.6
_CROSSED = 0.6  # of the height where text stands at a rule


def find_ink(page: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell ink from paper by the mean and the deviation of each pixel's neighbourhood (Sauvola & Pietikainen, 2000).

    Args:
        page: (h, w) grey.

    Returns:
        (h, w), True where there is ink; nowhere on an even page.
    """
    values = page.astype(np.float32)
    side = max(3, round(max(page.shape) * _WINDOW)) | 1
    mean = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    square = cv2.sqrBoxFilter(values, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REFLECT)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    limit = np.minimum(mean * (1 + _CONTRAST * (deviation / 128 - 1)), mean - _LEAST)
    return np.asarray(values < limit)


def find_rules(page: NDArray[np.uint8], ink: NDArray[np.bool_], height: float) -> NDArray[np.bool_]:
    """Find vertical rules, as between the columns of a table.

    A rule is ink that runs on for longer than any letter; or, be it fainter than ink, a narrow dark band over a good
    part of the page, which letters leave again between one line and the next.

    Args:
        page: (h, w) grey.
        ink: (h, w).
        height: of a line, in pixels.

    Returns:
        (h, w), True on rules and one pixel beside them.
    """
    short, across = max(3, round(_SHORT * height)) | 1, max(5, round(_WIDE * height)) | 1
    columns = cv2.blur(page.astype(np.float32), (1, short), borderType=cv2.BORDER_REFLECT)
    paper = cv2.morphologyEx(columns, cv2.MORPH_CLOSE, np.ones((1, across), np.uint8))  # without what is narrow
    runs = np.zeros(ink.shape, np.bool_)
    for dark, share in ((ink, _RULE), (columns < paper - _FAINT, _FAINT_RULE)):
        least = max(_TALL * height, share * max(ink.shape), 3)
        wide = cv2.dilate(dark.astype(np.uint8), np.ones((1, 3), np.uint8))  # leaning rules are steps of runs
        runs |= cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones((round(least) | 1, 1), np.uint8)) > 0
    gap = max(1, round(_GAP * height))
    return np.asarray(cv2.morphologyEx(runs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((gap, 1), np.uint8)) > 0)


def without_strokes(ink: NDArray[np.bool_], height: float) -> NDArray[np.bool_]:
    """Take level rules, and the strokes that fill lines up, out of ink; they are longer than any letter."""
    least = round(max(_TALL * height, _RULE * max(ink.shape), 3)) | 1  # odd, or what is opened moves
    strokes = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, least), np.uint8))
    return np.asarray(ink & (strokes == 0))


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
    return np.asarray(rules & ~printed[labels])

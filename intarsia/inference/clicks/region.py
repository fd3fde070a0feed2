"""Region: from how likely pixels are of what was clicked to those that move."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.clicks.view import Mask

PURE = 0.75
"""What moves is likely on average by so much: of what is right by more than half, the IoU of its class cannot fall."""
_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
_SURE = 0.8  # as likely is the clicked pixel at least; where the network doubts it, it doubts all around it too much
_CLUELESS = 0.2  # less said of the clicked pixel says nothing of what is around it

Likely = NDArray[np.float32]


def connected(mask: Mask, cell: tuple[int, int]) -> Mask:
    """The connected part of a mask (S, S) that holds a cell (column, row), which the mask has."""
    filled = np.pad(mask.astype(np.uint8), 1)
    column, row = cell
    found = np.zeros((filled.shape[0] + 2, filled.shape[1] + 2), np.uint8)
    cv2.floodFill(filled, found, (column + 1, row + 1), 2, flags=4)
    return np.asarray(filled[1:-1, 1:-1] == 2)


def moving(likely: Likely, free: Mask, cell: tuple[int, int]) -> tuple[Likely, Mask, float]:
    """Find what a click moves.

    The connected part around the click of all that is likelier than not. Where that is not likely enough as a whole,
    the likelier part of it. Where the click itself is thought unlikely, which it cannot be, all is likelier than said.

    Args:
        likely: (S, S), of being what was clicked.
        free: (S, S), what may move.
        cell: (column, row) of the click.

    Returns:
        How likely all is, given the click; (S, S), what moves; and the likelihood at its border.
    """
    column, row = cell
    likely = np.minimum(likely * max(1.0, _SURE / max(float(likely[row, column]), _CLUELESS)), np.float32(1))
    likely[row, column] = 1
    free = free.copy()
    free[row, column] = True
    for least in _THRESHOLDS:
        part = connected((likely >= least) & free, cell)
        if float(likely[part].mean()) >= PURE:
            break
    return likely, part, least


def settled(likely: Likely, part: Mask, same: Mask, least: float) -> tuple[NDArray[np.uint8], int]:
    """Make what moves ready to be interpolated: the border between two cells lies where likelihood crosses the least.

    Args:
        likely: (S, S), of being what was clicked.
        part: (S, S), what moves.
        same: (S, S), where the class is already, up to which all moves.
        least: likelihood of the border.

    Returns:
        (S, S), how likely each cell moves, 0..255, and of it the least.
    """
    near = cv2.dilate(part.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0
    shown = np.where(near & same, np.float32(1), np.where(near, likely, np.float32(0)))
    return np.ceil(255 * shown).astype(np.uint8), int(255 * least)


def ends_inside(part: Mask, inside: Mask) -> bool:
    """Whether a region (S, S) ends within the view, or where the picture ends."""
    edge = np.ones_like(inside)
    edge[1:-1, 1:-1] = False
    return not (part & edge & inside).any()

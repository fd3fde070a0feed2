"""Region: from how likely pixels are of what was clicked to those that move."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.clicks.trust import Traits, Trust
from intarsia.inference.clicks.view import Likely, Mask, View

EVEN = 0.5
"""What is likelier is likelier than not."""
_HIGHER = (0.7, 0.9, 0.97)
_REACHES = (0.25, 0.12, 0.06, 0.03, 0.0)  # of the view's side, around the click

Cell = tuple[int, int]


def connected(mask: Mask, cell: Cell) -> Mask:
    """The connected part of a mask (S, S) that holds a cell (column, row), which counts as in it."""
    filled = np.pad(mask.astype(np.uint8), 1)
    column, row = cell
    filled[row + 1, column + 1] = 1
    found = np.zeros((filled.shape[0] + 2, filled.shape[1] + 2), np.uint8)
    cv2.floodFill(filled, found, (column + 1, row + 1), 2, flags=4)
    return np.asarray(filled[1:-1, 1:-1] == 2)


def candidates(likely: Likely, free: Mask, cell: Cell) -> list[tuple[Mask, float]]:
    """All that a click might move, the largest first, each with the likelihood at its border.

    What is connected to the click and likelier than not; what of it is likelier than that; and what of it is near.

    Args:
        likely: (S, S), of being what was clicked.
        free: (S, S), what may move.
        cell: (column, row) of the click.
    """
    whole = connected((likely >= EVEN) & free, cell)
    found = [(whole, EVEN)]
    found += [(connected((likely >= least) & whole, cell), least) for least in _HIGHER]
    rows, columns = np.ogrid[: len(likely), : len(likely)]
    away = np.hypot(columns - cell[0], rows - cell[1])
    found += [(connected((away <= reach * len(likely)) & whole, cell), EVEN) for reach in _REACHES]
    return sorted(found, key=lambda one: -int(one[0].sum()))


def trusted(
    view: View, likely: Likely, free: Mask, cell: Cell, trust: Trust | None, *, is_new: bool = False
) -> tuple[Mask, float]:
    """Choose what a click moves, and the likelihood at its border.

    The largest candidate that is trusted to be more right than wrong: of what moves and is so, the IoU of its class
    cannot fall. If none is, the clicked cell alone. A class that has nothing yet has nothing to lose: it takes the
    largest, and so does every class without trust.

    Args:
        view: that was looked at.
        likely: (S, S), of being what was clicked.
        free: (S, S), what may move.
        cell: (column, row) of the click.
        trust: in regions.
        is_new: whether nothing in the picture has the class yet.
    """
    found = candidates(likely, free, cell)
    if trust is None or is_new:
        return found[0]
    traits = Traits(view, likely, cell)
    for part, least in found:
        if trust.probability(traits.of(part)) >= trust.least:
            return part, least
    return found[-1]


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
    shown[part] = np.maximum(shown[part], least)
    return np.ceil(255 * shown).astype(np.uint8), int(255 * least)


def ends_inside(part: Mask, inside: Mask) -> bool:
    """Whether a region (S, S) ends within the view, or where the picture ends."""
    edge = np.ones_like(inside)
    edge[1:-1, 1:-1] = False
    return not (part & edge & inside).any()

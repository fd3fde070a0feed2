"""Words of a line: ink between gaps that are wide for its height."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.handwriting.cores import Core

Points = NDArray[np.float64]

GAP = 0.42  # heights between two words, at least
_SLANTS = (-0.3, 0.0, 0.3, 0.6, 0.9, 1.2)  # columns that letters lean to the right, per row upwards
_BODY = 0.5  # of a height above and below the middle, where tails of letters do not close gaps
_LEAST = 0.15  # heights; what is narrower is a dot or a rule, no word


def find_words(core: Core, xs: NDArray[np.int64], ys: NDArray[np.int64], gap: float = GAP) -> list[Points]:
    """Find the words of a line from left to right.

    Letters are set upright first: of some slants the one that leaves most columns free of ink.

    Args:
        core: of the line.
        xs: of its ink.
        ys: likewise.
        gap: between words, in heights of the line.

    Returns:
        The box of each word's ink, (4, 2) corners x, y, clockwise.
    """
    offset = ys - core.at(xs)
    body = np.abs(offset) < _BODY * core.height
    if not body.any():
        return []
    slant = min(_SLANTS, key=lambda slant: len(np.unique(np.rint(xs[body] + slant * offset[body]))))
    upright = xs + slant * offset
    first = float(upright.min())
    columns = np.rint(upright - first).astype(np.int64)
    filled = np.zeros(int(columns.max()) + 1, np.bool_)
    filled[columns[body]] = True
    starts, ends = _runs(filled, gap * core.height)
    keep = ends - starts >= _LEAST * core.height
    starts, ends = starts[keep], ends[keep]
    if not len(starts):
        return []
    # Each pixel to the word whose middle part is nearest, so that tails go with their letters.
    borders = (ends[:-1] + starts[1:]) / 2
    word = np.searchsorted(borders, columns)
    return [_box(xs[word == index], ys[word == index]) for index in range(len(starts))]


def _runs(filled: NDArray[np.bool_], gap: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First columns and those after the last of filled runs that are at least a gap apart."""
    where = np.flatnonzero(filled)
    wide = np.flatnonzero(np.diff(where) - 1 >= gap)
    return where[np.concatenate([[0], wide + 1])], where[np.concatenate([wide, [len(where) - 1]])] + 1


def _box(xs: NDArray[np.int64], ys: NDArray[np.int64]) -> Points:
    left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)

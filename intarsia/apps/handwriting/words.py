"""Words: ink between gaps that are wide for a line's height and for the hand that wrote the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.handwriting.cores import Core

Points = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLANTS = (-0.3, 0.0, 0.3, 0.6, 0.9, 1.2)  # columns that letters lean to the right, per row upwards
_BODY = 0.5  # of a height above and below the middle, where tails of letters do not close gaps
_LEAST = 0.15  # heights; what is narrower is a dot or a rule, no word
_NARROW, _WIDE = 0.07, 0.35  # heights between which the gap lies that divides words
_SHARE, _QUANTILE = 0.6, 0.8  # of the gaps between letters, and between words, on a page
_FEW = 12  # gaps, from which nothing is learnt about a hand


@dataclass(frozen=True, eq=False)
class Upright:
    """The ink of a line with its letters set upright: of some slants, by the one that leaves most columns free.

    Args:
        core: of the line.
        xs: of its ink.
        ys: likewise.
    """

    core: Core
    xs: Ints
    ys: Ints
    columns: Ints
    filled: Ints

    @classmethod
    def of(cls, core: Core, xs: Ints, ys: Ints) -> Upright:
        """Set a line upright; `filled` are its columns with ink near the middle."""
        offset = ys - core.at(xs)
        body = np.abs(offset) < _BODY * core.height

        def columns(slant: float) -> Ints:
            return np.rint(xs + slant * offset).astype(np.int64)

        slant = min(_SLANTS, key=lambda slant: len(np.unique(columns(slant)[body])))
        return cls(core, xs, ys, columns(slant), np.unique(columns(slant)[body]))

    @property
    def gaps(self) -> Points:
        """Widths of what is free between letters, in heights of the line."""
        free = np.diff(self.filled) - 1
        return free[free > 0] / self.core.height

    def words(self, gap: float) -> list[Points]:
        """The box of each word's ink, (4, 2) corners x, y, clockwise, from left to right."""
        if not len(self.filled):
            return []
        wide = np.flatnonzero(np.diff(self.filled) - 1 >= gap * self.core.height)
        starts = self.filled[np.concatenate([[0], wide + 1])]
        ends = self.filled[np.concatenate([wide, [len(self.filled) - 1]])] + 1
        keep = ends - starts >= _LEAST * self.core.height
        starts, ends = starts[keep], ends[keep]
        # Each pixel to the word whose middle part is nearest, so that tails go with their letters.
        word = np.searchsorted((ends[:-1] + starts[1:]) / 2, self.columns)
        return [_box(self.xs[word == index], self.ys[word == index]) for index in range(len(starts))]


def find_words(lines: Sequence[tuple[Core, Ints, Ints]]) -> list[list[Points]]:
    """Find the words of each line of a page.

    Args:
        lines: core of each, and x and y of its ink.

    Returns:
        The boxes of each line's words, see `Upright.words`.
    """
    upright = [Upright.of(core, xs, ys) for core, xs, ys in lines]
    gap = word_gap(np.concatenate([np.zeros(0), *(line.gaps for line in upright)]))
    return [line.words(gap) for line in upright]


def word_gap(gaps: Points) -> float:
    """The gap from which on words are apart, in heights: a share of a wide gap of this hand, which letters stay below.

    Share and quantile are what fits the transcriptions' numbers of words best, on pages of 14 hands.
    """
    if len(gaps) < _FEW:
        return (_NARROW + _WIDE) / 2
    return float(np.clip(_SHARE * np.quantile(gaps, _QUANTILE), _NARROW, _WIDE))


def _box(xs: Ints, ys: Ints) -> Points:
    left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)

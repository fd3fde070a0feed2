"""RankSEG: labels that maximise the expected Dice of a picture's classes, instead of each pixel's likeliest class.

The expected Dice of a class is highest for the k pixels where it is likeliest, for some k (Dai and Li, "RankSEG: a
consistent ranking-based framework for segmentation", JMLR 24, 2023). With A the sum of the probabilities of those k
pixels and S that of all, it is 2 A / (k + S) but for terms that vanish as pixels become many (the reciprocal moment
approximation; Wang and Dai, "RankSEG-RMA", NeurIPS 2025), and so a pixel raises it where its probability is above
t = A / (k + S). The expected IoU leads to the same k: it is A / (k + S - A), which rises with it.

Classes exclude one another, so that pixels which several classes would take, or none, go to the class whose Dice gains
most by them: 2 (p - t) / (k + S). A pixel that one class alone would take stays with it.

All of this follows from histograms of the probabilities, so that no picture is too large: one pass gathers them at the
stride of the logits, another decides. The share of a picture that a class has is the same at both resolutions; only
the bilinear resize at its borders is left out of the histograms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.media.source import PixelSource
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.upsampling import softmax

Decision = Literal["argmax", "rankseg"]
DECISIONS: tuple[Decision, ...] = ("argmax", "rankseg")

_BINS = 1024
# Logits whose probabilities are in memory at a time.
_VALUES = 1 << 20


@dataclass(frozen=True)
class Ranking:
    """What a picture's classes gain by a pixel.

    Attributes:
        thresholds: (C,) float32, the probability from which on a pixel raises a class's Dice; infinite for classes that
            are nowhere the likeliest, which are taken to be absent.
        weights: (C,) float32, how much a pixel counts in it, up to a common factor.
    """

    thresholds: Floats
    weights: Floats

    def gains(self, probabilities: Floats) -> Iterator[Floats]:
        """Compute what each class gains by each pixel, class by class; the largest gain wins.

        Args:
            probabilities: (C, h, w) float32.

        Yields:
            (h, w) float32.
        """
        for plane, threshold, weight in zip(probabilities, self.thresholds, self.weights, strict=True):
            yield (plane - threshold) * weight


class Histograms:
    """Gathers how often each class has which probability.

    Args:
        classes: their number.
    """

    def __init__(self, classes: int) -> None:
        self._counts = np.zeros((classes, _BINS), dtype=np.int64)
        self._sums = np.zeros((classes, _BINS))
        self._wins = np.zeros(classes, dtype=np.int64)

    def add(self, logits: Floats, known: Callable[[int, int], NDArray[np.bool_] | None]) -> None:
        """Count some rows of logits.

        Args:
            logits: (1, C, n, w) float32.
            known: from (top, bottom) among the n rows to where the picture has data there, (bottom - top, w); None for
                everywhere.
        """
        classes, height, width = logits.shape[1:]
        rows = max(1, _VALUES // (classes * width))
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            band, there = logits[0, :, top:bottom].reshape(classes, -1), known(top, bottom)
            if there is not None:
                band = band[:, there.ravel()]
            if band.size:
                self._count(softmax(band))

    def _count(self, probabilities: Floats) -> None:
        classes = len(probabilities)
        self._wins += np.bincount(probabilities.argmax(axis=0), minlength=classes)
        bins = np.minimum((probabilities * _BINS).astype(np.intp), _BINS - 1)
        for index in range(classes):
            self._counts[index] += np.bincount(bins[index], minlength=_BINS)
            self._sums[index] += np.bincount(bins[index], weights=probabilities[index], minlength=_BINS)

    def ranking(self) -> Ranking:
        """Find the thresholds that what was counted leads to."""
        present = self._wins > 0
        if not present.any():  # nothing but holes: any decision will do
            return Ranking(np.zeros(len(present), np.float32), np.ones(len(present), np.float32))
        above, mass = (values[:, ::-1].cumsum(axis=1) for values in (self._counts, self._sums))
        size = np.maximum(above + mass[:, -1:], 1e-9)  # a class may be impossible everywhere
        dice = mass / size
        best = dice.argmax(axis=1)[:, None]
        thresholds, sizes = (np.take_along_axis(values, best, axis=1)[:, 0] for values in (dice, size))
        weights = sizes[present].min() / sizes  # up to 1, whatever the size of the picture
        return Ranking(
            np.where(present, thresholds, np.inf).astype(np.float32), np.where(present, weights, 1).astype(np.float32)
        )


def known_cells(
    reader: PixelSource, cells: tuple[int, int], first: int, top: int, bottom: int
) -> NDArray[np.bool_] | None:
    """Where cells of logits, from the rows `first` + `top` to `first` + `bottom`, lie on data; None: everywhere."""
    down = ((np.arange(first + top, first + bottom) + 0.5) * (reader.height / cells[0])).astype(np.intp)
    holes = reader.holes(int(down[0]), 0, int(down[-1] - down[0]) + 1, reader.width)
    if holes is None:
        return None
    across = ((np.arange(cells[1]) + 0.5) * (reader.width / cells[1])).astype(np.intp)
    known: NDArray[np.bool_] = ~holes[np.ix_(down - down[0], across)]
    return known

"""Rand and information scores of how two maps cut an image into segments (Arganda-Carreras et al. 2015).

Conventions:
    * Segments are what has one number above 0: instances, cells, superpixels. Their classes and numbers do not matter,
      only which elements are together.
    * Elements of the target's background (0) and unknown ones are not counted ("foreground-restricted"). Elements of
      the prediction's background are each a segment of its own: nothing says that they belong together.
    * Scores are those of each image, and the mean of them. An image without a segment in its target has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import DataError
from intarsia.metrics.arrays import label_pair, mean, plain


@dataclass(frozen=True)
class PartitionScores:
    """Means over the images; 1 is best, NaN where no image has a segment.

    With p the shares of elements by predicted and true segment, s and t their sums for each of them, I the mutual
    information and H the entropy:

    Attributes:
        rand: V(Rand), sum p^2 / mean of sum s^2 and sum t^2.
        rand_split: sum p^2 / sum t^2: of two elements of one true segment, how often they are together.
        rand_merge: sum p^2 / sum s^2: of two elements of one predicted segment, how often they belong together.
        info: V(Info), I / mean of H(s) and H(t).
        info_split: I / H(s), which falls where true segments are split.
        info_merge: I / H(t), which falls where they are merged.
        images: number of images with a segment.
    """

    rand: float
    rand_split: float
    rand_merge: float
    info: float
    info_split: float
    info_merge: float
    images: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; what does not exist is null."""
        return {name: plain(value) for name, value in vars(self).items()}


class PartitionAgreement:
    """V(Rand) and V(Info) of segments against true segments, streaming over images.

    Args:
        ignore: number of elements of the target that are unknown; None for none.
    """

    def __init__(self, *, ignore: int | None = None) -> None:
        self.ignore = ignore
        self._images: list[tuple[float, ...]] = []

    def update(self, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add the segments of one image or volume, numbered from 1.

        Args:
            prediction: numbers, of any shape.
            target: numbers, of the same shape.

        Raises:
            DataError: the shapes differ, or the numbers are no integers or negative.
        """
        predicted, truth = label_pair(prediction, target)
        for numbers in (predicted, truth):
            if numbers.size and numbers.min() < 0:
                raise DataError(f"segments are numbered from 1, these go down to {int(numbers.min())}")
        counted = truth > 0
        if self.ignore is not None:
            counted &= truth != self.ignore
        if counted.any():
            self._images.append(_scores(predicted[counted], truth[counted]))

    def merge(self, other: PartitionAgreement) -> None:
        """Add what another one has seen, for instance in another process."""
        self._images += other._images

    def compute(self) -> PartitionScores:
        """Mean scores so far."""
        columns = np.array(self._images, dtype=np.float64).reshape(-1, 6)
        rand, rand_split, rand_merge, info, info_split, info_merge = (mean(column) for column in columns.T)
        return PartitionScores(rand, rand_split, rand_merge, info, info_split, info_merge, len(columns))


def _scores(predicted: NDArray[Any], truth: NDArray[Any]) -> tuple[float, ...]:
    """The six scores of the elements that count."""
    _, columns = np.unique(truth, return_inverse=True)
    _, rows = np.unique(predicted, return_inverse=True)
    alone = predicted == 0
    rows = np.where(alone, rows.max() + 1 + np.arange(len(rows)), rows)
    p, s, t = (_shares(key) for key in (rows * (columns.max() + 1) + columns, rows, columns))
    together, of_s, of_t = (float((one**2).sum()) for one in (p, s, t))
    h_p, h_s, h_t = (-float((one * np.log(one)).sum()) for one in (p, s, t))
    shared = max(h_s + h_t - h_p, 0.0)
    # A single segment has no entropy: it is not split, or holds nothing that could be merged.
    info = [shared / whole if whole > 1e-12 else 1.0 for whole in ((h_s + h_t) / 2, h_s, h_t)]
    return (2 * together / (of_s + of_t), together / of_t, together / of_s, *info)


def _shares(keys: NDArray[Any]) -> NDArray[np.float64]:
    counts = np.unique(keys, return_counts=True)[1]
    return np.asarray(counts / len(keys), dtype=np.float64)

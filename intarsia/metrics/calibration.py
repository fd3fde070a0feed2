"""How far a model's confidence can be believed: expected calibration error and the reliability diagram.

Conventions:
    * An element's confidence is the highest probability of its classes; it is right when that class is its target.
    * Elements whose target is ``ignore_index`` are not counted; bins without an element are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from intarsia.arrays import as_array
from intarsia.errors import DataError, UsageError
from intarsia.metrics.arrays import (
    Floats,
    check_classes,
    check_same,
    check_target,
    label_pair,
    plain,
    probability_planes,
    ratio,
)


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy (Guo et al. 2017, section 2).

    Attributes:
        ece: expected calibration error, the mean of |accuracy - confidence| weighted by the bins' elements; NaN
            without an element.
        mce: the largest |accuracy - confidence| of a bin.
        edges: (bins + 1,) of the confidence, from 0 to 1.
        confidence: (bins,) mean confidence of the elements in each bin; NaN in empty ones.
        accuracy: (bins,) share of them that are right.
        share: (bins,) share of all elements.
    """

    ece: float
    mce: float
    edges: Floats
    confidence: Floats
    accuracy: Floats
    share: Floats

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; empty bins are null."""
        return {name: plain(value) for name, value in vars(self).items()}


class Calibration:
    """Confidence and accuracy, streaming, for any medium.

    Args:
        classes: number of classes C.
        bins: even bins of the confidence.
        ignore_index: target label of elements that are not counted.
    """

    def __init__(self, classes: int, *, bins: int = 15, ignore_index: int = 255) -> None:
        check_classes(classes, ignore_index)
        if bins < 1:
            raise UsageError(f"bins is at least 1, not {bins}")
        self.classes = classes
        self.bins = bins
        self.ignore_index = ignore_index
        # Rows: elements, sum of their confidences, elements that are right.
        self._sums = np.zeros((3, bins))

    def update(self, probabilities: ArrayLike, target: ArrayLike) -> None:
        """Add probabilities (N, C, *S) and their target (N, *S); NumPy arrays or CPU tensors.

        Raises:
            DataError: as `PrecisionRecall.update`.
        """
        scores, truth = probability_planes(probabilities, target, self.classes)
        self.update_winners(scores.max(axis=1), scores.argmax(axis=1), truth)

    def update_winners(self, confidence: ArrayLike, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add labels and the winning class's probability alone, as a `Segmentation` holds them.

        Args:
            confidence: the winner's probability, of any shape.
            prediction: the winning class.
            target: of the same shape.

        Raises:
            DataError: the shapes differ, a confidence is no number from 0 to 1, or the target holds something else
                than classes and `ignore_index`.
        """
        predicted, truth = label_pair(prediction, target)
        certain = as_array(confidence, "confidences")
        if certain.shape != truth.shape:
            raise DataError(f"confidence {certain.shape} and target {truth.shape} differ in shape")
        check_target(truth, self.classes, self.ignore_index)
        known = truth != self.ignore_index
        certain, right = certain[known].astype(np.float64), (predicted == truth)[known]
        if not ((certain >= 0) & (certain <= 1)).all():
            raise DataError("a confidence is a probability from 0 to 1; these hold NaN or leave that range")
        bins = np.minimum((certain * self.bins).astype(np.intp), self.bins - 1)
        self._sums += [np.bincount(bins, weights, minlength=self.bins) for weights in (None, certain, right)]

    def merge(self, other: Calibration) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((one.classes, one.bins, one.ignore_index) for one in (self, other))
        check_same(mine, theirs, "calibrations")
        self._sums += other._sums

    def compute(self) -> Reliability:
        """Calibration so far."""
        count, confidence, right = self._sums
        gaps = np.abs(right - confidence)
        filled = count > 0
        return Reliability(
            ece=float(ratio(gaps.sum(), count.sum())),
            mce=float((gaps[filled] / count[filled]).max()) if filled.any() else float("nan"),
            edges=np.linspace(0, 1, self.bins + 1),
            confidence=ratio(confidence, count),
            accuracy=ratio(right, count),
            share=ratio(count, count.sum()),
        )

"""One streaming confusion matrix, and every score that follows from it.

Conventions:
    * Elements whose *target* is ``ignore_index`` are not counted at all. A prediction of ``ignore_index`` on a valid
      element counts as a miss of the true class.
    * A class absent from both target and prediction has no score (NaN) and is left out of means.
    * A class that is predicted but absent from the target has IoU 0 and counts in means.
    * Leaving a class out of the mean (``leave_out``) is another thing than ignoring elements: its elements still count
      as false positives of other classes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import DataError, UsageError

Floats = NDArray[np.float64]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Scores:
    """Scores of one confusion matrix; per-class arrays have C entries, NaN where a class has no score."""

    pixel_accuracy: float
    mean_accuracy: float
    miou: float
    fwiou: float
    mean_f1: float
    iou: Floats
    accuracy: Floats
    precision: Floats
    f1: Floats
    frequency: Floats

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; a class without a score is null."""
        plain: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, float):
                plain[name] = None if np.isnan(value) else value
            else:
                plain[name] = [None if np.isnan(entry) else float(entry) for entry in value]
        return plain


class ConfusionMatrix:
    """Counts of (target, prediction) pairs, exact in int64.

    Args:
        classes: number of classes C.
        ignore_index: target label of elements that are not counted.

    Attributes:
        counts: (C, C + 1) int64; rows are targets, columns predictions, the last column holds elements whose
            prediction is no class.
    """

    def __init__(self, classes: int, *, ignore_index: int = 255) -> None:
        if classes < 1 or ignore_index < classes:
            raise UsageError(f"ignore_index {ignore_index} must lie above the {classes} class indices")
        self.classes = classes
        self.ignore_index = ignore_index
        self.counts: NDArray[np.int64] = np.zeros((classes, classes + 1), dtype=np.int64)

    def update(self, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add label arrays of equal shape (NumPy arrays or CPU tensors).

        Raises:
            DataError: the shapes differ, or the target holds a label that is neither a class nor ``ignore_index``.
        """
        predicted, truth = np.asarray(prediction), np.asarray(target)
        if predicted.shape != truth.shape:
            raise DataError(f"prediction {predicted.shape} and target {truth.shape} differ in shape")
        predicted, truth = predicted.reshape(-1), truth.reshape(-1)
        # One table look-up a side turns any label into a bin of a small histogram, chunk by chunk to stay in cache.
        bins = self.classes + 2
        histogram = np.zeros(bins * bins, dtype=np.int64)
        for start in range(0, truth.size, _CHUNK):
            rows = self._bins(truth[start : start + _CHUNK])
            columns = self._bins(predicted[start : start + _CHUNK])
            histogram += np.bincount(rows * bins + columns, minlength=bins * bins)
        table = histogram.reshape(bins, bins)
        if table[self.classes + 1].any():
            wrong = np.unique(truth[self._bins(truth) == self.classes + 1])
            raise DataError(
                f"target holds labels that are neither a class (0..{self.classes - 1}) nor ignore_index "
                f"{self.ignore_index}: {', '.join(str(label) for label in wrong[:10])}"
            )
        self.counts[:, : self.classes] += table[: self.classes, : self.classes]
        self.counts[:, self.classes] += table[: self.classes, self.classes :].sum(axis=1)

    def _bins(self, labels: NDArray[Any]) -> NDArray[np.intp]:
        """0..C-1 for classes, C for ignore_index, C + 1 for anything else."""
        if labels.dtype == np.bool_:
            labels = labels.view(np.uint8)
        if labels.dtype.kind not in "iu":
            raise DataError(f"labels are integers, not {labels.dtype}; take the argmax of scores first")
        classes = self.classes
        bins = np.where((labels >= 0) & (labels < classes), labels, classes + 1).astype(np.intp, copy=False)
        bins[labels == self.ignore_index] = classes
        return bins

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of another matrix, for instance from another process."""
        if (other.classes, other.ignore_index) != (self.classes, self.ignore_index):
            raise UsageError("only confusion matrices of the same classes can be merged")
        self.counts += other.counts

    def compute(self, *, leave_out: Collection[int] = ()) -> Scores:
        """All scores so far.

        Args:
            leave_out: classes that take no part in means and in the frequency weighting.
        """
        hits = np.diagonal(self.counts).astype(np.float64)
        truth = self.counts.sum(axis=1).astype(np.float64)
        predicted = self.counts[:, : self.classes].sum(axis=0).astype(np.float64)
        kept = np.ones(self.classes, dtype=bool)
        kept[list(leave_out)] = False
        union = truth + predicted - hits
        iou = _ratio(hits, union)
        f1 = _ratio(2 * hits, truth + predicted)
        accuracy = _ratio(hits, truth)
        weighted = kept & (truth > 0)
        return Scores(
            pixel_accuracy=float(_ratio(hits.sum(), truth.sum())),
            mean_accuracy=_mean(accuracy[kept]),
            miou=_mean(iou[kept]),
            fwiou=float(_ratio((truth[weighted] * iou[weighted]).sum(), truth[weighted].sum())),
            mean_f1=_mean(f1[kept]),
            iou=iou,
            accuracy=accuracy,
            precision=_ratio(hits, predicted),
            f1=f1,
            frequency=_ratio(truth, truth.sum()),
        )


def _ratio(numerator: Any, denominator: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(denominator) > 0, np.asarray(numerator, dtype=np.float64) / denominator, np.nan)


def _mean(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")

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

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import DataError, UsageError
from intarsia.metrics.arrays import (
    Floats,
    Labels,
    check_classes,
    check_same,
    kept_classes,
    label_pair,
    mean,
    plain,
    ratio,
    wrong_labels,
)

Counts = NDArray[np.int64]
# Labels handled at a time, so that they stay in the processor's cache.
_CHUNK = 1 << 16
# OpenCV returns counts as float32, which holds integers exactly up to here.
_EXACT = 1 << 24


@dataclass(frozen=True)
class Scores:
    """Scores of one confusion matrix; per-class arrays have C entries, NaN where a class has no score.

    Attributes:
        pixel_accuracy: share of counted elements that are right.
        mean_accuracy: mean of the classes' accuracies.
        miou: mean of the classes' IoU.
        fwiou: IoU weighted by the classes' frequency in the truth (Long et al. 2015, section 5).
        mean_f1: mean of the classes' F1.
        micro_iou: IoU of all classes' elements together, in which frequent classes count more.
        present_miou: mean IoU of the classes that the truth holds: one that is only predicted is left out.
        iou: hits / (truth + prediction - hits).
        accuracy: hits / truth, also called recall or sensitivity.
        precision: hits / prediction.
        f1: harmonic mean of precision and recall, which is the Dice coefficient.
        frequency: share of the truth.
    """

    pixel_accuracy: float
    mean_accuracy: float
    miou: float
    fwiou: float
    mean_f1: float
    micro_iou: float
    present_miou: float
    iou: Floats
    accuracy: Floats
    precision: Floats
    f1: Floats
    frequency: Floats

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; a class without a score is null."""
        return {name: plain(value) for name, value in vars(self).items()}


class ConfusionMatrix:
    """Counts of (target, prediction) pairs, exact in int64, for labels of any shape.

    Args:
        classes: number of classes C.
        ignore_index: target label of elements that are not counted.

    Attributes:
        counts: (C, C + 1) int64; rows are targets, columns predictions, the last column holds elements whose
            prediction is no class.
    """

    def __init__(self, classes: int, *, ignore_index: int = 255) -> None:
        check_classes(classes, ignore_index)
        self.classes = classes
        self.ignore_index = ignore_index
        self.counts: Counts = np.zeros((classes, classes + 1), dtype=np.int64)

    def update(self, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add label arrays of equal shape (NumPy arrays or CPU tensors); uint8 is the fastest type.

        Raises:
            DataError: the shapes differ, or the target holds a label that is neither a class nor ``ignore_index``.
        """
        predicted, truth = label_pair(prediction, target)
        if self.ignore_index < 256:
            self._add_bytes(predicted, truth)
        else:
            self._add_wide(predicted.reshape(-1), truth.reshape(-1))

    def _add_bytes(self, predicted: Labels, truth: Labels) -> None:
        """Count all pairs of byte values, then keep those of the classes: no look-up and no mask over the elements."""
        rows = _as_bytes(truth, None)
        columns = _as_bytes(predicted, self.ignore_index)
        if rows is None or columns is None:
            raise DataError(
                wrong_labels(np.unique(truth[(truth < 0) | (truth > 255)]), self.classes, self.ignore_index)
            )
        table = _count_pairs(rows, columns)
        valid = table[: self.classes]
        table[self.ignore_index] = 0
        if table[self.classes :].any():
            found = np.flatnonzero(table[self.classes :].any(axis=1)) + self.classes
            raise DataError(wrong_labels(found, self.classes, self.ignore_index))
        self.counts[:, : self.classes] += valid[:, : self.classes]
        self.counts[:, self.classes] += valid[:, self.classes :].sum(axis=1)

    def _add_wide(self, predicted: Labels, truth: Labels) -> None:
        """The same for labels that need more than a byte: every label becomes a bin first, chunk by chunk."""
        bins = self.classes + 2
        histogram = np.zeros(bins * bins, dtype=np.int64)
        for start in range(0, truth.size, _CHUNK):
            rows = self._bins(truth[start : start + _CHUNK])
            columns = self._bins(predicted[start : start + _CHUNK])
            histogram += np.bincount(rows * bins + columns, minlength=bins * bins)
        table = histogram.reshape(bins, bins)
        if table[self.classes + 1].any():
            found = np.unique(truth[self._bins(truth) == self.classes + 1])
            raise DataError(wrong_labels(found, self.classes, self.ignore_index))
        self.counts[:, : self.classes] += table[: self.classes, : self.classes]
        self.counts[:, self.classes] += table[: self.classes, self.classes :].sum(axis=1)

    def _bins(self, labels: Labels) -> NDArray[np.intp]:
        """0..C-1 for classes, C for ignore_index, C + 1 for anything else."""
        classes = self.classes
        bins = np.where((labels >= 0) & (labels < classes), labels, classes + 1).astype(np.intp, copy=False)
        bins[labels == self.ignore_index] = classes
        return bins

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of another matrix, for instance from another process."""
        check_same((other.classes, other.ignore_index), (self.classes, self.ignore_index), "confusion matrices")
        self.counts += other.counts

    def grouped(self, groups: Mapping[str, Collection[int]]) -> ConfusionMatrix:
        """The matrix of coarser classes, as the categories of Cityscapes: confusion within a group counts as right.

        Args:
            groups: name -> classes. Elements of classes in no group are not counted; predictions of them are no class.

        Returns:
            A new matrix with one class per group, in the order of `groups`.

        Raises:
            UsageError: a group holds no class, an unknown one, or one that another group holds too.
        """
        members = [index for group in groups.values() for index in group]
        kept_classes(self.classes, members)
        if len(set(members)) < len(members) or not all(groups.values()):
            raise UsageError("every group needs a class, and no class belongs to two groups")
        found = ConfusionMatrix(len(groups), ignore_index=max(self.ignore_index, len(groups)))
        for row, targets in enumerate(groups.values()):
            counts = self.counts[list(targets)].sum(axis=0)
            for column, predictions in enumerate(groups.values()):
                found.counts[row, column] = counts[list(predictions)].sum()
            found.counts[row, -1] = counts.sum() - found.counts[row, :-1].sum()
        return found

    def compute(self, *, leave_out: Collection[int] = ()) -> Scores:
        """All scores so far.

        Args:
            leave_out: classes that take no part in means and in the frequency weighting.

        Raises:
            UsageError: `leave_out` names no class.
        """
        hits = np.diagonal(self.counts).astype(np.float64)
        truth = self.counts.sum(axis=1).astype(np.float64)
        predicted = self.counts[:, : self.classes].sum(axis=0).astype(np.float64)
        kept = kept_classes(self.classes, leave_out)
        union = truth + predicted - hits
        iou = ratio(hits, union)
        f1 = ratio(2 * hits, truth + predicted)
        accuracy = ratio(hits, truth)
        weighted = kept & (truth > 0)
        return Scores(
            pixel_accuracy=float(ratio(hits.sum(), truth.sum())),
            mean_accuracy=mean(accuracy[kept]),
            miou=mean(iou[kept]),
            fwiou=float(ratio((truth[weighted] * iou[weighted]).sum(), truth[weighted].sum())),
            mean_f1=mean(f1[kept]),
            micro_iou=float(ratio(hits[kept].sum(), union[kept].sum())),
            present_miou=mean(iou[weighted]),
            iou=iou,
            accuracy=accuracy,
            precision=ratio(hits, predicted),
            f1=f1,
            frequency=ratio(truth, truth.sum()),
        )


def _count_pairs(rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> Counts:
    """Count how often each pair of byte values occurs at one place of two flat arrays: (256, 256)."""
    table = np.zeros((256, 256), dtype=np.int64)
    for start in range(0, rows.size, _EXACT):
        pair = (rows[start : start + _EXACT], columns[start : start + _EXACT])
        table += cv2.calcHist(pair, [0, 1], None, [256, 256], [0, 256, 0, 256]).astype(np.int64)
    return table


def _as_bytes(labels: Labels, instead: int | None) -> NDArray[np.uint8] | None:
    """Labels as flat uint8, those that do not fit as `instead`; None when there are such and there is no `instead`."""
    flat = labels.reshape(-1)
    if flat.dtype == np.uint8:
        return flat
    small = np.empty(flat.size, dtype=np.uint8)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        # Negative and large labels alike have a bit set above the lowest eight.
        if int(np.bitwise_or.reduce(part)) & ~255:
            if instead is None:
                return None
            part = np.where((part < 0) | (part > 255), instead, part)
        small[start : start + _CHUNK] = part
    return small

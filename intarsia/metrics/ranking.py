"""Average precision, precision-recall curves and best thresholds, streaming.

Scores are counted in bins that are even in logit space: softmax probabilities crowd near 0 and 1, where even bins in
probability would lump most of them together.

Conventions:
    * Each class is ranked against all others by its own probability; elements whose target is ``ignore_index`` are
      not counted.
    * AP = sum over thresholds of (R_n - R_{n-1}) P_n, no interpolation; equal scores are one threshold.
    * A class absent from the target has no AP (NaN) and is left out of the mean.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import UsageError
from intarsia.metrics.arrays import (
    Floats,
    check_classes,
    check_same,
    check_target,
    kept_classes,
    mean,
    plain,
    probability_planes,
    ratio,
)

# Logits from -20 to 20 (probabilities from 2e-9 to 1 - 2e-9) in steps of 0.0012.
_BINS, _REACH = 1 << 15, 20.0
# Elements handled at a time, so that a class's scores stay in the processor's cache.
_CHUNK = 1 << 17


@dataclass(frozen=True)
class Curve:
    """One class's precision-recall curve, from the highest threshold to the lowest.

    Attributes:
        threshold: an element is taken for the class when its probability reaches it.
        precision: at each threshold.
        recall: at each threshold, rising.
    """

    threshold: Floats
    precision: Floats
    recall: Floats

    @property
    def average_precision(self) -> float:
        """Sum of (R_n - R_{n-1}) P_n; NaN when the class does not occur."""
        if not self.recall.size:
            return float("nan")
        return float((np.diff(self.recall, prepend=0.0) * self.precision).sum())

    def best(self, score: Literal["f1", "iou"] = "f1") -> tuple[float, float]:
        """The threshold with the highest F1 (or IoU, which is the same one), and that score; NaN without a curve."""
        if score not in ("f1", "iou"):
            raise UsageError(f"the best threshold is by 'f1' or 'iou', not {score!r}")
        if not self.recall.size:
            return float("nan"), float("nan")
        f1 = np.nan_to_num(ratio(2 * self.precision * self.recall, self.precision + self.recall))
        index = int(f1.argmax())
        value = float(f1[index])
        return float(self.threshold[index]), value if score == "f1" else value / (2 - value)


@dataclass(frozen=True)
class Ranking:
    """Average precision of every class; NaN where a class does not occur.

    Attributes:
        mean_ap: mean over the classes that occur.
        ap: (C,).
        curves: one a class; without points for classes that do not occur.
    """

    mean_ap: float
    ap: Floats
    curves: tuple[Curve, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form with the best thresholds, without the curves."""
        best = [curve.best() for curve in self.curves]
        return {
            "mean_ap": plain(self.mean_ap),
            "ap": plain(self.ap),
            "best_threshold": [plain(threshold) for threshold, _ in best],
            "best_f1": [plain(value) for _, value in best],
        }


class PrecisionRecall:
    """Precision-recall statistics of every class, for probabilities of any medium.

    By default scores are binned: memory is 512 KiB a class whatever the number of elements, and AP is within 2e-4 of
    the exact one. With `exact`, every score is kept: 4 bytes a class and element.

    Args:
        classes: number of classes C.
        exact: keep all scores.
        ignore_index: target label of elements that are not counted.
    """

    def __init__(self, classes: int, *, exact: bool = False, ignore_index: int = 255) -> None:
        check_classes(classes, ignore_index)
        self.classes = classes
        self.exact = exact
        self.ignore_index = ignore_index
        self._kept: list[tuple[NDArray[np.float32], NDArray[Any]]] = []
        # Elements of all classes, and of the class itself, in each bin of the class's logit.
        bins = 0 if exact else _BINS
        self._all = np.zeros((classes, bins), dtype=np.int64)
        self._own = np.zeros((classes, bins), dtype=np.int64)

    def update(self, probabilities: ArrayLike, target: ArrayLike) -> None:
        """Add probabilities (N, C, *S) and their target (N, *S); NumPy arrays or CPU tensors.

        Raises:
            DataError: the shapes do not fit, the probabilities hold NaN, leave 0..1 or do not sum to 1 over the
                classes, or the target holds something else than classes and `ignore_index`.
        """
        scores, truth = probability_planes(probabilities, target, self.classes)
        check_target(truth, self.classes, self.ignore_index)
        for planes, labels in zip(scores, truth, strict=True):
            if self.exact:
                known = labels != self.ignore_index
                self._kept.append((planes[:, known].astype(np.float32), labels[known]))
                continue
            labels = labels.astype(np.uint8 if self.ignore_index < 256 else np.int32)
            for start in range(0, labels.size, _CHUNK):
                self._count(planes[:, start : start + _CHUNK], labels[start : start + _CHUNK])

    def _count(self, planes: NDArray[Any], labels: NDArray[Any]) -> None:
        unknown = labels == self.ignore_index
        some = bool(unknown.any())
        for index, plane in enumerate(planes):
            bins = _bins(plane)
            self._all[index] += _histogram(bins)
            self._own[index] += _histogram(bins[labels == index])
            if some:  # cheaper than to pick what is known, of which there is more
                self._all[index] -= _histogram(bins[unknown])

    def merge(self, other: PrecisionRecall) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((one.classes, one.exact, one.ignore_index) for one in (self, other))
        check_same(mine, theirs, "precision-recall statistics")
        self._kept += other._kept
        self._all += other._all
        self._own += other._own

    def compute(self, *, leave_out: Collection[int] = ()) -> Ranking:
        """Average precision and curves so far.

        Args:
            leave_out: classes that take no part in the mean.

        Raises:
            UsageError: `leave_out` names no class.
        """
        kept = kept_classes(self.classes, leave_out)
        curves = tuple(self._exact_curves() if self.exact else map(self._binned_curve, range(self.classes)))
        ap = np.array([curve.average_precision for curve in curves])
        return Ranking(mean(ap[kept]), ap, curves)

    def _binned_curve(self, index: int) -> Curve:
        filled = np.flatnonzero(self._all[index])[::-1]
        edges = filled * (2 * _REACH / _BINS) - _REACH
        return _curve(1 / (1 + np.exp(-edges)), self._own[index, filled], self._all[index, filled])

    def _exact_curves(self) -> list[Curve]:
        labels = np.concatenate([np.empty(0, int), *(labels for _, labels in self._kept)])
        curves = []
        for index in range(self.classes):
            scores = np.concatenate([np.empty(0, np.float32), *(planes[index] for planes, _ in self._kept)])
            order = np.argsort(-scores)
            scores = scores[order]
            last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if scores.size else np.empty(0, int)
            own = np.diff(np.cumsum(labels[order] == index)[last], prepend=0)
            curves.append(_curve(scores[last].astype(np.float64), own, np.diff(last, prepend=-1)))
        return curves


def _bins(plane: NDArray[Any]) -> NDArray[np.intp]:
    """The bin of each probability's logit."""
    # 1 - p is exact near 1, where it matters; float32 probabilities end at 1 - 6e-8.
    logits: NDArray[np.float32] = np.subtract(1, plane, dtype=np.float32)
    with np.errstate(divide="ignore"):
        np.divide(plane, logits, out=logits, dtype=np.float32)
        np.log(logits, out=logits)
    logits += np.float32(_REACH)
    logits *= np.float32(_BINS / (2 * _REACH))
    return np.clip(logits, 0, _BINS - 1, out=logits).astype(np.intp)


def _histogram(bins: NDArray[np.intp]) -> NDArray[np.int64]:
    return np.bincount(bins, minlength=_BINS).astype(np.int64, copy=False)


def _curve(threshold: Floats, own: NDArray[Any], every: NDArray[Any]) -> Curve:
    """The curve of counts per threshold, from the highest down."""
    hits = np.cumsum(own)
    if not hits.size or not hits[-1]:
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    return Curve(threshold, hits / np.cumsum(every), hits / hits[-1])

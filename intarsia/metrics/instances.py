"""Average precision of instances from label maps, as COCO defines it (Lin et al. 2014; Hariharan et al. 2014).

Conventions:
    * In the order of their scores, predicted instances take the free true instance of their class with the highest
      IoU, if that reaches the threshold; those that find none are false positives.
    * A false positive is not counted at all when its share of elements that are unknown, or in a crowd of its own
      class, reaches the threshold.
    * AP is the mean of the precision (made falling) at the 101 recalls 0, 0.01, ..., 1; over the thresholds 0.5, 0.55,
      ..., 0.95. The number of instances per image is not limited.
    * A class without a true instance has no AP (NaN) and is left out of means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import DataError
from intarsia.metrics.arrays import Floats, check_classes, check_same, kept_classes, mean, plain
from intarsia.metrics.segments import Overlap, overlap

THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class InstanceScores:
    """Average precision of instances; NaN where no true instance exists.

    Attributes:
        ap: mean over classes and IoU thresholds.
        ap50: mean over classes at IoU 0.5.
        ap75: mean over classes at IoU 0.75.
        per_class: (C,) mean over the thresholds.
        table: (C, 10) by class and threshold.
    """

    ap: float
    ap50: float
    ap75: float
    per_class: Floats
    table: Floats

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; what does not exist is null."""
        return {name: plain(value) for name, value in vars(self).items()}


class InstanceAP:
    """Instance average precision, streaming.

    Args:
        classes: number of classes C.
        things: classes that have instances; None for all.
        ignore_index: target label of unknown elements.
    """

    def __init__(self, classes: int, *, things: Collection[int] | None = None, ignore_index: int = 255) -> None:
        check_classes(classes, ignore_index)
        chosen = range(classes) if things is None else things
        self.classes = classes
        self.things = np.flatnonzero(~kept_classes(classes, chosen)).tolist()
        self.ignore_index = ignore_index
        self._truths = np.zeros(classes, dtype=np.int64)
        # For each class: score, and for every threshold 1 for a hit, 0 for a false positive, -1 for not counted.
        self._found: list[list[NDArray[np.float64]]] = [[] for _ in range(classes)]

    def update(
        self,
        prediction: ArrayLike,
        target: ArrayLike,
        *,
        prediction_instances: ArrayLike,
        target_instances: ArrayLike,
        scores: Mapping[int, float],
    ) -> None:
        """Add the maps of one image.

        Args:
            prediction: class indices, of any shape.
            target: class indices or `ignore_index`, of the same shape.
            prediction_instances: of the same shape; an instance is what has one class and one number above 0.
            target_instances: of the same shape; things with number 0 are a crowd of their class.
            scores: confidence of each predicted instance number.

        Raises:
            DataError: as `PanopticQuality.update`, or an instance has no finite score.
        """
        found = overlap(
            prediction,
            target,
            prediction_instances,
            target_instances,
            classes=self.classes,
            things=self.things,
            ignore_index=self.ignore_index,
        )
        missing = [number for number in found.predicted.instances.tolist() if number and number not in scores]
        if missing:
            raise DataError(f"the predicted instance {missing[0]} has no score; give scores={{number: confidence}}")
        for index in self.things:
            rows = np.flatnonzero(found.predicted.classes == index)
            columns = np.flatnonzero(found.truth.classes == index)
            self._truths[index] += len(columns)
            if len(rows):
                confidence = np.array([scores[int(number)] for number in found.predicted.instances[rows]], dtype=float)
                if not np.isfinite(confidence).all():
                    raise DataError("scores are finite numbers; these hold NaN or infinity")
                order = np.argsort(-confidence, kind="stable")
                matched = _match(found, rows[order], columns)
                self._found[index].append(np.column_stack([confidence[order], matched]))

    def merge(self, other: InstanceAP) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((o.classes, tuple(o.things), o.ignore_index) for o in (self, other))
        check_same(mine, theirs, "instance APs")
        self._truths += other._truths
        for one, more in zip(self._found, other._found, strict=True):
            one += more

    def compute(self) -> InstanceScores:
        """Average precision so far."""
        table = np.array([self._average_precisions(index) for index in range(self.classes)], dtype=np.float64)
        return InstanceScores(
            ap=mean(table), ap50=mean(table[:, 0]), ap75=mean(table[:, 5]), per_class=table.mean(axis=1), table=table
        )

    def _average_precisions(self, index: int) -> Floats:
        if not self._truths[index]:
            return np.full(len(THRESHOLDS), np.nan)
        every = np.concatenate([np.empty((0, 1 + len(THRESHOLDS))), *self._found[index]])
        every = every[np.argsort(-every[:, 0], kind="stable"), 1:]
        return np.array([_average_precision(column, int(self._truths[index])) for column in every.T])


def _match(found: Overlap, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """(predicted, thresholds): 1 for a hit, 0 for a false positive, -1 for one in the unknown."""
    # COCO's crowds and unknown elements alike: the union with known segments is the plain one.
    common = found.common[np.ix_(rows, columns)]
    areas = found.predicted.areas[rows]
    iou = common / (areas[:, None] + found.truth.areas[columns][None] - common)
    unknown = (found.void + found.crowd)[rows] / areas
    matched = np.zeros((len(rows), len(THRESHOLDS)))
    for place, threshold in enumerate(THRESHOLDS):
        free = np.ones(len(columns), dtype=bool)
        for row in range(len(rows)):
            candidates = np.where(free, iou[row], -1)
            best = int(candidates.argmax()) if len(columns) else -1
            if best >= 0 and candidates[best] >= threshold:
                free[best] = False
                matched[row, place] = 1
            elif unknown[row] >= threshold:
                matched[row, place] = -1
    return matched


def _average_precision(matched: NDArray[np.float64], truths: int) -> float:
    counted = matched[matched >= 0]
    hits = np.cumsum(counted)
    recall = hits / truths
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(precision, 0.0)[np.minimum(at, len(precision))].mean())

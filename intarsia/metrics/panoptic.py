"""Panoptic quality from label maps (Kirillov et al. 2019, section 4).

Conventions:
    * A predicted and a true segment of one class match when their IoU is above 0.5; no segment matches twice then.
    * Unknown elements of the target take no part in a union. Those of a crowd do, as in panopticapi.
    * A predicted segment without a match is no false positive when more than half of it is unknown or in a crowd of its
      own class. A crowd of another class excuses nothing.
    * A class without any segment in both maps has no quality (NaN) and is left out of means.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.metrics.arrays import Floats, check_classes, check_same, kept_classes, mean, plain, ratio
from intarsia.metrics.segments import overlap


@dataclass(frozen=True)
class PanopticScores:
    """Panoptic quality of every class; NaN where a class has no segment.

    Attributes:
        pq: mean panoptic quality.
        things: mean over the classes with instances.
        stuff: mean over the others.
        quality: (C,) sum of the matches' IoU / (matches + half the other segments) = segmentation x recognition.
        segmentation: (C,) mean IoU of the matches; NaN without one.
        recognition: (C,) F1 of finding the segments.
        matches: (C,) true positives.
        false_positives: (C,).
        false_negatives: (C,).
    """

    pq: float
    things: float
    stuff: float
    quality: Floats
    segmentation: Floats
    recognition: Floats
    matches: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    false_negatives: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; what does not exist is null."""
        return {name: plain(value) for name, value in vars(self).items()}


class PanopticQuality:
    """Panoptic quality, streaming.

    Args:
        classes: number of classes C.
        things: classes that have instances; of the others all elements of an image are one segment.
        ignore_index: target label of unknown elements.
    """

    def __init__(self, classes: int, *, things: Collection[int], ignore_index: int = 255) -> None:
        check_classes(classes, ignore_index)
        self.classes = classes
        self.things = ~kept_classes(classes, things)
        self.ignore_index = ignore_index
        # Rows: sum of IoU, matches, false positives, false negatives.
        self._sums = np.zeros((4, classes))

    def update(
        self,
        prediction: ArrayLike,
        target: ArrayLike,
        *,
        prediction_instances: ArrayLike,
        target_instances: ArrayLike,
    ) -> None:
        """Add the maps of one image; `metrics.segments.connected_instances` numbers instances that have no numbers.

        Args:
            prediction: class indices, of any shape.
            target: class indices or `ignore_index`, of the same shape.
            prediction_instances: of the same shape; things count where it is above 0.
            target_instances: of the same shape; things with number 0 are a crowd, as the groups of Cityscapes.

        Raises:
            DataError: shapes differ, labels are no integers, an instance number is negative, or the target holds
                something else than classes and `ignore_index`.
        """
        found = overlap(
            prediction,
            target,
            prediction_instances,
            target_instances,
            classes=self.classes,
            things=np.flatnonzero(self.things).tolist(),
            ignore_index=self.ignore_index,
        )
        same = found.predicted.classes[:, None] == found.truth.classes[None]
        iou = np.where(same, found.iou(), 0)
        match = iou > 0.5
        unmatched = ~match.any(axis=1) & (2 * (found.void + found.crowd) <= found.predicted.areas)
        for row, labels, weights in (
            (0, found.truth.classes, np.where(match, iou, 0).sum(axis=0)),
            (1, found.truth.classes, match.any(axis=0)),
            (2, found.predicted.classes, unmatched),
            (3, found.truth.classes, ~match.any(axis=0)),
        ):
            self._sums[row] += np.bincount(labels, weights, minlength=self.classes)

    def merge(self, other: PanopticQuality) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((o.classes, tuple(o.things), o.ignore_index) for o in (self, other))
        check_same(mine, theirs, "panoptic qualities")
        self._sums += other._sums

    def compute(self) -> PanopticScores:
        """Panoptic quality so far."""
        iou, matches, extra, missed = self._sums
        all_segments = matches + (extra + missed) / 2
        quality = ratio(iou, all_segments)
        counts = self._sums[1:].astype(np.int64)
        return PanopticScores(
            pq=mean(quality),
            things=mean(quality[self.things]),
            stuff=mean(quality[~self.things]),
            quality=quality,
            segmentation=ratio(iou, matches),
            recognition=ratio(matches, all_segments),
            matches=counts[0],
            false_positives=counts[1],
            false_negatives=counts[2],
        )

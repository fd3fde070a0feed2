"""Segments of label maps, and how much those of two maps overlap."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import DataError
from intarsia.instances import number_instances
from intarsia.metrics.arrays import Floats, check_target, label_pair

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Segments:
    """The segments of one label map.

    Attributes:
        classes: (n,) class of each segment.
        instances: (n,) instance number, 0 for stuff.
        areas: (n,) elements.
    """

    classes: Ids
    instances: Ids
    areas: Ids

    def __len__(self) -> int:
        return len(self.classes)

    def of(self, chosen: NDArray[np.bool_]) -> Segments:
        """Some of the segments."""
        return Segments(self.classes[chosen], self.instances[chosen], self.areas[chosen])


@dataclass(frozen=True)
class Overlap:
    """The segments of a prediction and of its target, and their common elements.

    Attributes:
        predicted: segments of the prediction.
        truth: segments of the target.
        common: (predicted, truth) elements that both hold.
        void: (predicted,) elements of each predicted segment where the target is unknown.
        crowd: (predicted,) elements of each predicted segment in a crowd of its own class, whose instances nobody told
            apart. Of another class, a crowd is what it is labelled: not this segment.
    """

    predicted: Segments
    truth: Segments
    common: Ids
    void: Ids
    crowd: Ids

    def iou(self) -> Floats:
        """(predicted, truth) IoU; unknown elements take no part in the union (Kirillov et al. 2019, section 4.2)."""
        union = (self.predicted.areas - self.void)[:, None] + self.truth.areas[None] - self.common
        return np.asarray(self.common / np.maximum(union, 1))


def connected_instances(labels: ArrayLike, things: Collection[int]) -> NDArray[np.int32]:
    """Instance numbers of a label map without any: every connected component of a thing class is an instance.

    Args:
        labels: (H, W) class indices.
        things: the classes that have instances.

    Returns:
        (H, W), 0 for other classes; components touch by side or corner.
    """
    return number_instances(labels, things)


def overlap(
    prediction: ArrayLike,
    target: ArrayLike,
    prediction_instances: ArrayLike,
    target_instances: ArrayLike,
    *,
    classes: int,
    things: Collection[int],
    ignore_index: int,
) -> Overlap:
    """Match the segments of two label maps of any shape.

    Elements whose target is `ignore_index` are unknown. Things whose target has instance 0 are a crowd of their class
    (COCO's `iscrowd`, the groups of Cityscapes). Elements whose prediction is no class, or a thing with instance 0,
    belong to no predicted segment.

    Raises:
        DataError: shapes differ, labels are no integers, an instance number is negative, or the target holds something
            else than classes and `ignore_index`.
    """
    predicted, truth = label_pair(prediction, target)
    check_target(truth, classes, ignore_index)
    is_thing = np.zeros(classes + 1, dtype=bool)
    is_thing[list(things)] = True
    maps = []
    for labels, instances in ((predicted, prediction_instances), (truth, target_instances)):
        _, numbers = label_pair(labels, instances)
        if numbers.size and numbers.min() < 0:
            raise DataError(f"instance numbers are 0 (none) or positive, these go down to {int(numbers.min())}")
        known = np.where((labels >= 0) & (labels < classes), labels, classes)
        number = np.where(is_thing[known], numbers, 0)
        maps.append(np.where(known == classes, 0, 1 + known + np.int64(classes) * number).reshape(-1))
    return _overlap(maps[0], maps[1], is_thing[:classes])


def _overlap(one: Ids, other: Ids, is_thing: NDArray[np.bool_]) -> Overlap:
    """Count the common elements of two maps of keys: 0 for nothing, else 1 + class + classes x instance number."""
    # Neighbours mostly belong to the same pair of segments: count runs, of which there are far fewer than elements.
    starts = np.flatnonzero(np.append(True, (one[1:] != one[:-1]) | (other[1:] != other[:-1]))[: one.size])
    lengths = np.diff(starts, append=one.size)
    keys, rows = np.unique(one[starts], return_inverse=True)
    others, columns = np.unique(other[starts], return_inverse=True)
    shape = (len(keys), len(others))
    pairs = np.bincount(rows * shape[1] + columns, lengths, minlength=shape[0] * shape[1])
    table = pairs.astype(np.int64).reshape(shape)
    found, true = (_segments(k, table.sum(axis=axis), len(is_thing)) for k, axis in ((keys, 1), (others, 0)))
    (predicted, _), (truth, crowd) = (_kinds(k, side, is_thing) for k, side in ((keys, found), (others, true)))
    own = found.classes[:, None] == true.classes[None]
    return Overlap(
        predicted=found.of(predicted),
        truth=true.of(truth),
        common=table[predicted][:, truth],
        void=table[predicted][:, others == 0].sum(axis=1),
        crowd=np.where(own, table, 0)[predicted][:, crowd].sum(axis=1),
    )


def _kinds(keys: Ids, segments: Segments, is_thing: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which keys are segments, and which are things without a number."""
    unnumbered = (keys > 0) & is_thing[segments.classes] & (segments.instances == 0)
    return (keys > 0) & ~unnumbered, unnumbered


def _segments(keys: Ids, areas: Ids, classes: int) -> Segments:
    return Segments((keys - 1) % classes, (keys - 1) // classes, areas)

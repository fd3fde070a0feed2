"""IoU in which every instance weighs alike, as Cityscapes defines it (Cordts et al. 2016, section 4.1, "iIoU").

Conventions:
    * Hits and misses of an instance's elements weigh the class's average instance size over the instance's own size.
    * False positives are counted plainly, by a confusion matrix over all elements: nobody knows which instance they
      belong to. Elements of a class without a single instance (groups) are neither hits nor misses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import UsageError
from intarsia.metrics.arrays import Floats, check_classes, check_same, label_pair, ratio
from intarsia.metrics.confusion import ConfusionMatrix


class InstanceIoU:
    """Instance-weighted IoU, streaming.

    Args:
        classes: number of classes C.
        sizes: average size in elements of an instance, by class; classes that are not named have no instances.
        groups: name -> classes: coarser classes, in which a hit is any prediction of the group. Every class of a group
            needs a size.
        ignore_index: target label of elements that are not counted.

    Raises:
        UsageError: a size is not positive, or a group holds a class without one.
    """

    def __init__(
        self,
        classes: int,
        *,
        sizes: Mapping[int, float],
        groups: Mapping[str, Collection[int]] | None = None,
        ignore_index: int = 255,
    ) -> None:
        check_classes(classes, ignore_index)
        self.classes = classes
        self.sizes = dict(sizes)
        self.groups = {name: tuple(members) for name, members in (groups or {}).items()}
        self.ignore_index = ignore_index
        if any(not 0 <= index < classes or not size > 0 for index, size in self.sizes.items()):
            raise UsageError(f"sizes are positive numbers for classes from 0 to {classes - 1}, not {self.sizes}")
        if any(index not in self.sizes for members in self.groups.values() for index in members):
            raise UsageError("every class of a group needs an average size")
        self._matrix = ConfusionMatrix(classes, ignore_index=ignore_index)
        # Weighted hits, weighted elements, by class; then hits in the class's group.
        self._sums = np.zeros((3, classes))

    def update(self, prediction: ArrayLike, target: ArrayLike, instances: ArrayLike) -> None:
        """Add one image.

        Args:
            prediction: class indices, of any shape.
            target: class indices or `ignore_index`, of the same shape.
            instances: of the same shape; an instance is what has one number above 0 and one class.

        Raises:
            DataError: the shapes differ, or the target holds a label that is neither a class nor `ignore_index`.
        """
        predicted, truth = label_pair(prediction, target)
        _, numbers = label_pair(prediction, instances)
        self._matrix.update(predicted, truth)
        known = np.isin(truth, list(self.sizes)) & (numbers > 0)
        if not known.any():
            return
        guess, label = predicted[known].astype(np.int64), truth[known].astype(np.int64)
        keys, places, areas = np.unique(
            numbers[known].astype(np.int64) * self.classes + label, return_inverse=True, return_counts=True
        )
        owner = keys % self.classes
        weight = np.array([self.sizes.get(index, 0.0) for index in range(self.classes)])[owner] / areas
        near = self._group_of(guess) == self._group_of(label)
        for row, hits in enumerate((guess == label, np.ones(len(guess), bool), near)):
            found = np.bincount(places, weights=hits, minlength=len(keys)) * weight
            self._sums[row] += np.bincount(owner, weights=found, minlength=self.classes)

    def _group_of(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The group of each label; what is in no group is one of its own, below 0."""
        table = -1 - np.arange(max(self.classes, int(labels.max(initial=0)) + 1))
        for number, members in enumerate(self.groups.values()):
            table[list(members)] = number
        return table[labels]

    def merge(self, other: InstanceIoU) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((o.classes, o.sizes, o.groups, o.ignore_index) for o in (self, other))
        check_same(mine, theirs, "instance IoUs")
        self._matrix.merge(other._matrix)
        self._sums += other._sums

    def compute(self) -> Floats:
        """(C,) IoU; NaN for classes without instances, and for those that neither truth nor prediction holds."""
        counts = self._matrix.counts
        wrong = counts[:, : self.classes].sum(axis=0) - np.diagonal(counts)
        hits, elements, _ = self._sums
        found: Floats = np.where(
            np.isin(np.arange(self.classes), list(self.sizes)), ratio(hits, elements + wrong), np.nan
        )
        return found

    def compute_groups(self) -> dict[str, float]:
        """IoU of every group."""
        counts = self._matrix.counts
        found = {}
        for name, members in self.groups.items():
            inside = list(members)
            outside = [index for index in range(self.classes) if index not in members]
            wrong = counts[np.ix_(outside, inside)].sum()
            found[name] = float(ratio(self._sums[2][inside].sum(), self._sums[1][inside].sum() + wrong))
        return found

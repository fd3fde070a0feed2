"""Cityscapes' official evaluation: IoU and iIoU of classes and categories, as cityscapesScripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.parts import read_stored
from intarsia.datasets.public.cityscapes.labels import CATEGORIES, CITYSCAPES, CITYSCAPES_7, EVALUATED, instance_numbers
from intarsia.datasets.public.protocol import EvaluationProtocol, Findings, ScoreTable, averages
from intarsia.datasets.splits import Item
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix, InstanceIoU
from intarsia.metrics.arrays import mean


def _iou(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """IoU of the 19 classes and of the 7 categories; of the categories alone where they are the classes."""
    if set(space.names) == set(CATEGORIES):
        found = averages({"IoU categories": "miou"})(space, matrix, groups)
        return Findings(found.values, found.tables)
    found = averages({"IoU classes": "miou"})(space, matrix, groups)
    scores = matrix.grouped(_categories(space)).compute()
    rows = tuple((name, (float(scores.iou[i]),)) for i, name in enumerate(CATEGORIES))
    values = found.values | {"IoU categories": float(scores.miou)}
    return Findings(values, (*found.tables, ScoreTable("categories", ("IoU",), rows)))


def _categories(space: LabelSpace) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {name: [] for name in CATEGORIES}
    for label in EVALUATED:
        members[label.category].append(space.index(label.name))
    return members


SIZES = {
    "person": 3462.4756337644, "rider": 3930.4788056518, "car": 12794.0202738185, "truck": 27855.1264367816,
    "bus": 35732.1511111111, "train": 67583.7075812274, "motorcycle": 6298.7200839748, "bicycle": 4672.3249222261,
}  # fmt: skip
"""Average pixels of an instance in Cityscapes' training set (cityscapesScripts, evalPixelLevelSemanticLabeling)."""


class InstanceScores:
    """Cityscapes' iIoU, of the pictures that have an instance map."""

    def __init__(self, space: LabelSpace, spacing: Sequence[float] | None) -> None:
        self._space = space
        self._metric: InstanceIoU | None = None
        if set(space.names) == set(CITYSCAPES.names):
            groups = {name: members for name, members in _categories(space).items() if name in ("human", "vehicle")}
            sizes = {space.index(name): size for name, size in SIZES.items()}
            self._metric = InstanceIoU(len(space), sizes=sizes, groups=groups, ignore_index=space.ignore_index)
        self._without = 0

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one picture; see `Extra`."""
        if item.instances is None or self._metric is None:
            self._without += 1
            return
        numbers = instance_numbers(read_stored(item.instances))
        if numbers.shape != target.shape:
            raise DataError(f"{item.instances}: it has another size than the labels beside it; download it again")
        self._metric.update(prediction, target, numbers)

    def finish(self) -> Findings:
        if self._metric is None:
            return Findings({})
        if self._without:
            note = f"iIoU is not told: {self._without} pictures have no instance map (..._instanceIds.png)"
            return Findings({}, (), (note,))
        found, groups = self._metric.compute(), self._metric.compute_groups()
        values = {"iIoU classes": mean(found), "iIoU categories": mean(np.array(list(groups.values())))}
        rows = tuple((name, (float(found[self._space.index(name)]),)) for name in SIZES)
        more = tuple((name, (value,)) for name, value in groups.items())
        tables = ScoreTable("instances by class", ("iIoU",), rows), ScoreTable("instances by category", ("iIoU",), more)
        return Findings(values, tables)


PROTOCOL = EvaluationProtocol(
    "cityscapes",
    "IoU and iIoU of 19 classes and 7 categories",
    "cityscapesScripts, evalPixelLevelSemanticLabeling",
    lambda: (CITYSCAPES, CITYSCAPES_7),
    _iou,
    InstanceScores,
)

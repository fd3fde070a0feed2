"""The scores of the official evaluations: from counts to the numbers that papers tell; see `protocols`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets import Item
from intarsia.datasets.layouts.volumes import VolumeItem
from intarsia.datasets.parts import read_stored
from intarsia.datasets.public import cityscapes
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix, InstanceIoU, StructureCases
from intarsia.metrics.arrays import mean
from intarsia.transforms.clouds.categories import CATEGORIES, part_names


@dataclass(frozen=True)
class ScoreTable:
    """Scores by row, for instance by class: a row is a name and a number for each column, NaN where there is none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Findings:
    """A part of a protocol's scores; see `ProtocolScores`."""

    values: dict[str, float]
    tables: tuple[ScoreTable, ...] = ()
    notes: tuple[str, ...] = ()


class Extra(Protocol):
    """What a protocol measures besides the confusion matrix, picture by picture."""

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one picture's labels, both in the data set's classes."""

    def finish(self) -> Findings:
        """The scores."""


def averages(names: Mapping[str, str]) -> Callable[..., Findings]:
    """Headlines taken from the scores of the matrix: name in the paper -> attribute of `Scores`."""

    def summarise(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
        scores = matrix.compute()
        values = {said: float(getattr(scores, attribute)) for said, attribute in names.items()}
        table = ScoreTable(
            "classes",
            ("IoU", "accuracy"),
            tuple((name, (float(scores.iou[i]), float(scores.accuracy[i]))) for i, name in enumerate(space.names)),
        )
        return Findings(values, (table,))

    return summarise


def ade20k(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """SceneParse150: pixel accuracy, mean IoU, and the mean of both."""
    found = averages({"pixel accuracy": "pixel_accuracy", "mean IoU": "miou"})(space, matrix, groups)
    score = (found.values["pixel accuracy"] + found.values["mean IoU"]) / 2
    return Findings(found.values | {"score (their mean)": score}, found.tables)


def cityscapes_iou(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """IoU of the 19 classes and of the 7 categories; of the categories alone where they are the classes."""
    if set(space.names) == set(cityscapes.CATEGORIES):
        found = averages({"IoU categories": "miou"})(space, matrix, groups)
        return Findings(found.values, found.tables)
    found = averages({"IoU classes": "miou"})(space, matrix, groups)
    scores = matrix.grouped(_categories(space)).compute()
    rows = tuple((name, (float(scores.iou[i]),)) for i, name in enumerate(cityscapes.CATEGORIES))
    values = found.values | {"IoU categories": float(scores.miou)}
    return Findings(values, (*found.tables, ScoreTable("categories", ("IoU",), rows)))


def _categories(space: LabelSpace) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {name: [] for name in cityscapes.CATEGORIES}
    for label in cityscapes.LABELS:
        if label.evaluated:
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
        if set(space.names) == set(cityscapes.CITYSCAPES.names):
            groups = {name: members for name, members in _categories(space).items() if name in ("human", "vehicle")}
            sizes = {space.index(name): size for name, size in SIZES.items()}
            self._metric = InstanceIoU(len(space), sizes=sizes, groups=groups, ignore_index=space.ignore_index)
        self._without = 0

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one picture; see `Extra`."""
        if item.instances is None or self._metric is None:
            self._without += 1
            return
        numbers = cityscapes.instance_numbers(read_stored(item.instances))
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


def of_one_class(name: str) -> Callable[..., Findings]:
    """Precision, recall, F1, accuracy and IoU of one class against the rest."""

    def summarise(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
        scores, index = matrix.compute(), space.index(name)
        values = {
            "precision": float(scores.precision[index]),
            "recall": float(scores.accuracy[index]),
            "F1": float(scores.f1[index]),
            "accuracy": float(scores.pixel_accuracy),
            f"{name} IoU": float(scores.iou[index]),
        }
        return Findings(values)

    return summarise


def by_city(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """IoU of buildings and accuracy, pooled and for each folder, which is a city."""
    index = space.index("building")

    def both(one: ConfusionMatrix) -> tuple[float, float]:
        scores = one.compute()
        return float(scores.iou[index]), float(scores.pixel_accuracy)

    iou, accuracy = both(matrix)
    rows = tuple((folder.rpartition("/")[2] or "(no city)", both(one)) for folder, one in groups.items())
    return Findings({"building IoU": iou, "accuracy": accuracy}, (ScoreTable("cities", ("IoU", "accuracy"), rows),))


def membranes(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """Pixel error, and F1 of the membranes."""
    scores = matrix.compute()
    values = {"pixel error": 1 - float(scores.pixel_accuracy), "membrane F1": float(scores.f1[space.index("membrane")])}
    note = "the challenge's V(Rand) and V(Info) need its own border thinning (Fiji), and are not told"
    return Findings(values, (), (note,))


def nothing(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """For protocols whose scores are all measured besides the matrix."""
    return Findings({})


@dataclass
class LiverScores:
    """LiTS: liver (tumour included) and tumour, case by case; pictures of one folder are the slices of one case."""

    space: LabelSpace
    spacing: Sequence[float] | None
    liver: StructureCases = field(default_factory=StructureCases)
    tumour: StructureCases = field(default_factory=StructureCases)
    _in_mm: bool = True
    _case: str = ""
    _slices: list[tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=list)

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        case = item.id.rpartition("/")[0]
        if prediction.ndim == 3 or not case:
            self._add_case(item.id, prediction, target, item.spacing if isinstance(item, VolumeItem) else None)
            return
        if case != self._case:
            self._flush()
        self._case = case
        self._slices.append((prediction, target))

    def _flush(self) -> None:
        if self._slices:
            try:
                prediction, target = (np.stack(side) for side in zip(*self._slices, strict=True))
            except ValueError:
                raise DataError(f"the slices of {self._case} differ in size; a case is one volume") from None
            self._add_case(self._case, prediction, target)
        self._slices = []

    def _add_case(
        self, name: str, prediction: NDArray[Any], target: NDArray[Any], own: Sequence[float] | None = None
    ) -> None:
        spacing = self.spacing or own or (1.0,) * target.ndim
        self._in_mm = self._in_mm and bool(self.spacing or own)
        known = target != self.space.ignore_index
        for cases, names in ((self.liver, ("liver", "tumour")), (self.tumour, ("tumour",))):
            labels = [self.space.index(one) for one in names]
            found, true = (np.isin(labels_of, labels) & known for labels_of in (prediction, target))
            cases.update(found, true, spacing=spacing, name=name)

    def finish(self) -> Findings:
        self._flush()
        values: dict[str, float] = {}
        tables = []
        for name, cases in (("liver", self.liver), ("tumour", self.tumour)):
            scores = cases.compute()
            values |= {
                f"{name} Dice per case": scores.dice,
                f"{name} Dice global": scores.global_dice,
                f"{name} VOE": scores.voe,
                f"{name} RVD": scores.rvd,
                f"{name} ASSD": scores.assd,
                f"{name} MSD": scores.msd,
                f"{name} missed or invented": float(scores.misses),
            }
            rows = tuple((one.name, (one.dice, one.voe, one.rvd, one.assd, one.msd)) for one in scores.cases)
            tables.append(ScoreTable(f"{name} by case", ("Dice", "VOE", "RVD", "ASSD", "MSD"), rows))
        notes = () if self._in_mm else ("distances are in elements: give the spacing (--spacing) for mm",)
        return Findings(values, tuple(tables), notes)


class PartScores:
    """ShapeNet part: the mean IoU of an object's parts, averaged over all objects, and over the categories' means.

    A part that neither an object nor its prediction has counts 1 (charlesq34/pointnet, part_seg/test.py). There, only
    parts of the object's own category can be predicted; `CloudPredictor` sees to that, because the data set says what
    each object is.
    """

    def __init__(self, space: LabelSpace, spacing: Sequence[float] | None) -> None:
        self._space = space
        self._parts = {name: [space.index(part) for part in part_names(name)] for name in CATEGORIES}
        self._ious: dict[str, list[float]] = defaultdict(list)

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one object; see `Extra`."""
        known = target != self._space.ignore_index
        size = self._space.ignore_index + 1
        true, found, both = (
            np.bincount(labels, minlength=size)
            for labels in (target[known], prediction[known], target[known & (prediction == target)])
        )
        categories = [name for name, parts in self._parts.items() if true[parts].any()]
        if len(categories) != 1:
            raise DataError(f"{item.id}: its parts are of {len(categories)} categories; an object has one")
        parts = self._parts[categories[0]]
        union = (true + found - both)[parts]
        self._ious[categories[0]].append(float(np.where(union, both[parts] / np.maximum(union, 1), 1.0).mean()))

    def finish(self) -> Findings:
        found = {name: np.array(self._ious[name]) for name in CATEGORIES if self._ious[name]}
        every = np.concatenate([*found.values(), np.empty(0)])
        rows = tuple((name, (mean(ious),)) for name, ious in found.items())
        values = {"instance mIoU": mean(every), "class mIoU": mean(np.array([iou for _, (iou,) in rows]))}
        return Findings(values, (ScoreTable("categories", ("mIoU",), rows),))

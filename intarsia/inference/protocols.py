"""The official evaluations of public data sets by name: which classes count, what void means, which scores are told.

In all of them one confusion matrix is summed over the whole split, elements whose truth is ignored are not counted, and
a prediction that is none of the data set's classes is a miss of the true class (and a false positive of none).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets import Item
from intarsia.datasets.parts import read_stored
from intarsia.datasets.public import cityscapes, cocostuff, context, inria, people, s3dis
from intarsia.datasets.public.ade20k import ENTRY as ADE20K
from intarsia.datasets.public.camvid import CAMVID, original
from intarsia.datasets.public.isbi import CELLS
from intarsia.datasets.public.lits import LITS
from intarsia.datasets.public.voc import VOC
from intarsia.datasets.volumes import VolumeItem
from intarsia.errors import DataError, UsageError, suggest
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix, InstanceIoU, StructureCases
from intarsia.metrics.arrays import mean, plain


@dataclass(frozen=True)
class ScoreTable:
    """Scores by row, for instance by class: a row is a name and a number for each column, NaN where there is none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class ProtocolScores:
    """What a protocol tells.

    Attributes:
        protocol: its name.
        values: the headline numbers, in the order in which papers tell them.
        tables: the numbers behind them.
        notes: what could not be measured, and why.
    """

    protocol: str
    values: dict[str, float]
    tables: tuple[ScoreTable, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; what does not exist is null."""
        return {
            "protocol": self.protocol,
            "values": {name: plain(value) for name, value in self.values.items()},
            "tables": {
                table.title: {
                    row: dict(zip(table.columns, map(plain, values), strict=True)) for row, values in table.rows
                }
                for table in self.tables
            },
            "notes": list(self.notes),
        }


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


@dataclass(frozen=True)
class EvaluationProtocol:
    """One official evaluation.

    Attributes:
        name: for `--protocol`.
        about: what it tells, in a line.
        source: where it is defined.
        spaces: the label spaces that it is defined for.
        summarise: from the matrix (and those of the folders that the pictures lie in) to the scores.
        extra: what it measures besides, or None.
    """

    name: str
    about: str
    source: str
    spaces: Callable[[], tuple[LabelSpace, ...]]
    summarise: Callable[[LabelSpace, ConfusionMatrix, Mapping[str, ConfusionMatrix]], Findings]
    extra: Callable[[LabelSpace, Sequence[float] | None], Extra] | None = None

    def check(self, space: LabelSpace) -> None:
        """Refuse data in other classes.

        Raises:
            UsageError: the classes are not those of the protocol; says which differ.
        """
        known = self.spaces()
        if any(set(space.names) == set(one.names) for one in known):
            return
        closest = min(known, key=lambda one: len(set(one.names) ^ set(space.names)))
        parts = [
            f"{what}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
            for what, names in (
                ("missing", [name for name in closest.names if name not in space.names]),
                ("not among them", [name for name in space.names if name not in closest.names]),
            )
            if names
        ]
        raise UsageError(
            f"the protocol {self.name} is defined for {' or '.join(str(len(one)) for one in known)} classes; the data "
            f"has others ({'; '.join(parts)}); open the data set in its official layout (intarsia data info)"
        )


class ProtocolScorer:
    """Gathers what a protocol needs beside the confusion matrix.

    Args:
        protocol: its name.
        space: the data set's classes.
        spacing: distance between neighbours along each axis, for protocols that measure distances; None for 1.

    Raises:
        UsageError: no such protocol, or it is not defined for these classes.
    """

    def __init__(self, protocol: str, space: LabelSpace, spacing: Sequence[float] | None = None) -> None:
        if protocol not in PROTOCOLS:
            raise UsageError(f"no evaluation protocol is named {protocol!r}.{suggest(protocol, PROTOCOLS)}")
        self.protocol = PROTOCOLS[protocol]
        self.protocol.check(space)
        self.space = space
        self._extra = self.protocol.extra(space, spacing) if self.protocol.extra else None

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one picture (H, W) or volume (D, H, W): labels in the data set's classes."""
        if self._extra is not None:
            self._extra.add(item, prediction, target)

    def finish(self, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> ProtocolScores:
        """The scores.

        Args:
            matrix: the counts of the whole split.
            groups: the counts by folder.
        """
        found = self.protocol.summarise(self.space, matrix, groups)
        more = self._extra.finish() if self._extra is not None else Findings({})
        return ProtocolScores(
            self.protocol.name, found.values | more.values, (*found.tables, *more.tables), (*found.notes, *more.notes)
        )


def pooled(matrices: Sequence[ConfusionMatrix], space: LabelSpace, protocol: str = "s3dis") -> ProtocolScores:
    """The scores of several folds together: their counts are summed, not their scores averaged.

    Args:
        matrices: one of each fold.
        space: the classes.
        protocol: its name.

    Raises:
        UsageError: no matrices, no such protocol, or it is not defined for these classes.
    """
    if not matrices:
        raise UsageError("pooling needs the counts of at least one fold")
    total = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
    for matrix in matrices:
        total.merge(matrix)
    return ProtocolScorer(protocol, space).finish(total, {})


def _four(names: Mapping[str, str]) -> Callable[..., Findings]:
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


def _ade20k(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    found = _four({"pixel accuracy": "pixel_accuracy", "mean IoU": "miou"})(space, matrix, groups)
    score = (found.values["pixel accuracy"] + found.values["mean IoU"]) / 2
    return Findings(found.values | {"score (their mean)": score}, found.tables)


def _cityscapes(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    if set(space.names) == set(cityscapes.CATEGORIES):
        found = _four({"IoU categories": "miou"})(space, matrix, groups)
        return Findings(found.values, found.tables)
    found = _four({"IoU classes": "miou"})(space, matrix, groups)
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


_SIZES = {
    "person": 3462.4756337644, "rider": 3930.4788056518, "car": 12794.0202738185, "truck": 27855.1264367816,
    "bus": 35732.1511111111, "train": 67583.7075812274, "motorcycle": 6298.7200839748, "bicycle": 4672.3249222261,
}  # fmt: skip
"""Average pixels of an instance in Cityscapes' training set (cityscapesScripts, evalPixelLevelSemanticLabeling)."""


class _InstanceScores:
    """Cityscapes' iIoU, of the pictures that have an instance map."""

    def __init__(self, space: LabelSpace, spacing: Sequence[float] | None) -> None:
        self._space = space
        self._metric: InstanceIoU | None = None
        if set(space.names) == set(cityscapes.CITYSCAPES.names):
            groups = {name: members for name, members in _categories(space).items() if name in ("human", "vehicle")}
            sizes = {space.index(name): size for name, size in _SIZES.items()}
            self._metric = InstanceIoU(len(space), sizes=sizes, groups=groups, ignore_index=space.ignore_index)
        self._without = 0

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
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
        rows = tuple((name, (float(found[self._space.index(name)]),)) for name in _SIZES)
        more = tuple((name, (value,)) for name, value in groups.items())
        tables = ScoreTable("instances by class", ("iIoU",), rows), ScoreTable("instances by category", ("iIoU",), more)
        return Findings(values, tables)


def _of_one_class(name: str) -> Callable[..., Findings]:
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


def _inria(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    index = space.index("building")

    def both(one: ConfusionMatrix) -> tuple[float, float]:
        scores = one.compute()
        return float(scores.iou[index]), float(scores.pixel_accuracy)

    iou, accuracy = both(matrix)
    rows = tuple((folder.rpartition("/")[2] or "(no city)", both(one)) for folder, one in groups.items())
    return Findings({"building IoU": iou, "accuracy": accuracy}, (ScoreTable("cities", ("IoU", "accuracy"), rows),))


def _isbi(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    scores = matrix.compute()
    values = {"pixel error": 1 - float(scores.pixel_accuracy), "membrane F1": float(scores.f1[space.index("membrane")])}
    note = "the challenge's V(Rand) and V(Info) need its own border thinning (Fiji), and are not told"
    return Findings(values, (), (note,))


def _nothing(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    return Findings({})


@dataclass
class _LiverScores:
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


_PLAIN = {"mean IoU": "miou", "pixel accuracy": "pixel_accuracy", "mean accuracy": "mean_accuracy"}
_COCO = {
    "pixel accuracy": "pixel_accuracy",
    "class accuracy": "mean_accuracy",
    "mean IoU": "miou",
    "frequency-weighted IoU": "fwiou",
}
_CAMVID = {"global accuracy": "pixel_accuracy", "class accuracy": "mean_accuracy", "mean IoU": "miou"}
_CLOUDS = {"overall accuracy": "pixel_accuracy", "mean accuracy": "mean_accuracy", "mean IoU": "miou"}

PROTOCOLS: dict[str, EvaluationProtocol] = {
    one.name: one
    for one in (
        EvaluationProtocol(
            "pascal-voc", "mean IoU of 21 classes, background included", "Everingham et al. 2015",
            lambda: (VOC,), _four(_PLAIN),
        ),
        EvaluationProtocol(
            "pascal-context", "mean IoU of 59 classes, or of 60 with the background", "Mottaghi et al. 2014",
            lambda: (context.CONTEXT_59, context.CONTEXT_60), _four(_PLAIN),
        ),
        EvaluationProtocol(
            "coco-stuff", "pixel and class accuracy, mean and frequency-weighted IoU of 171 classes",
            "Caesar et al. 2018, section 5", lambda: (cocostuff.used_labels(), cocostuff.all_labels()), _four(_COCO),
        ),
        EvaluationProtocol(
            "cityscapes", "IoU and iIoU of 19 classes and 7 categories",
            "cityscapesScripts, evalPixelLevelSemanticLabeling",
            lambda: (cityscapes.CITYSCAPES, cityscapes.CITYSCAPES_7), _cityscapes, _InstanceScores,
        ),
        EvaluationProtocol(
            "camvid", "global and class accuracy and mean IoU of 11 classes", "Badrinarayanan et al. 2017, section 4",
            lambda: (CAMVID, original()), _four(_CAMVID),
        ),
        EvaluationProtocol(
            "ade20k", "pixel accuracy, mean IoU of 150 classes, and the mean of both",
            "CSAILVision/sceneparsing, README", lambda: (ADE20K.space(),), _ade20k,
        ),
        EvaluationProtocol(
            "ccp", "mean IoU and accuracy of 59 labels", "Yang, Luo & Lin 2014", lambda: (people.CCP,), _four(_PLAIN)
        ),
        EvaluationProtocol(
            "pratheepan", "precision, recall, F1, accuracy and IoU of skin", "Tan et al. 2012",
            lambda: (people.SKIN,), _of_one_class("skin"),
        ),
        EvaluationProtocol(
            "inria", "IoU of buildings and accuracy, by city and over all", "Maggiori et al. 2017",
            lambda: (inria.BUILDINGS,), _inria,
        ),
        EvaluationProtocol(
            "isbi-em", "pixel error and F1 of membranes", "Arganda-Carreras et al. 2015", lambda: (CELLS,), _isbi
        ),
        EvaluationProtocol(
            "lits", "Dice per case and global, VOE, RVD, ASSD and MSD of liver and tumour", "Bilic et al. 2023",
            lambda: (LITS,), _nothing, _LiverScores,
        ),
        EvaluationProtocol(
            "s3dis", "overall and mean accuracy and mean IoU of 13 classes; six folds are pooled", "Armeni et al. 2016",
            lambda: (s3dis.S3DIS,), _four(_CLOUDS),
        ),
    )
}  # fmt: skip
"""Every protocol by name."""

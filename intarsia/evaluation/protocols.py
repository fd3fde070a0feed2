"""The official evaluations of public data sets by name: which classes count, what void means, which scores are told.

In all of them one confusion matrix is summed over the whole split, elements whose truth is ignored are not counted, and
a prediction that is none of the data set's classes is a miss of the true class (and a false positive of none).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from intarsia.datasets import Item
from intarsia.datasets.public import cityscapes, cocostuff, context, inria, people, s3dis, shapenet_part
from intarsia.datasets.public.ade20k import ENTRY as ADE20K
from intarsia.datasets.public.camvid import CAMVID, original
from intarsia.datasets.public.isbi import CELLS
from intarsia.datasets.public.lits import LITS
from intarsia.datasets.public.voc import VOC
from intarsia.errors import UsageError, suggest
from intarsia.evaluation.official import (
    Extra,
    Findings,
    InstanceScores,
    LiverScores,
    PartScores,
    ScoreTable,
    ade20k,
    averages,
    by_city,
    cityscapes_iou,
    membranes,
    nothing,
    of_one_class,
)
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix
from intarsia.metrics.arrays import plain


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
        closest = max(known, key=lambda one: len(set(one.names) & set(space.names)))
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


PLAIN = {"mean IoU": "miou", "pixel accuracy": "pixel_accuracy", "mean accuracy": "mean_accuracy"}
COCO = {
    "pixel accuracy": "pixel_accuracy",
    "class accuracy": "mean_accuracy",
    "mean IoU": "miou",
    "frequency-weighted IoU": "fwiou",
}
SEGNET = {"global accuracy": "pixel_accuracy", "class accuracy": "mean_accuracy", "mean IoU": "miou"}
CLOUDS = {"overall accuracy": "pixel_accuracy", "mean accuracy": "mean_accuracy", "mean IoU": "miou"}

PROTOCOLS: dict[str, EvaluationProtocol] = {
    one.name: one
    for one in (
        EvaluationProtocol(
            "pascal-voc", "mean IoU of 21 classes, background included", "Everingham et al. 2015",
            lambda: (VOC,), averages(PLAIN),
        ),
        EvaluationProtocol(
            "pascal-context", "mean IoU of 59 classes, or of 60 with the background", "Mottaghi et al. 2014",
            lambda: (context.CONTEXT_59, context.CONTEXT_60), averages(PLAIN),
        ),
        EvaluationProtocol(
            "coco-stuff", "pixel and class accuracy, mean and frequency-weighted IoU of 171 classes",
            "Caesar et al. 2018, section 5", lambda: (cocostuff.used_labels(), cocostuff.all_labels()), averages(COCO),
        ),
        EvaluationProtocol(
            "cityscapes", "IoU and iIoU of 19 classes and 7 categories",
            "cityscapesScripts, evalPixelLevelSemanticLabeling",
            lambda: (cityscapes.CITYSCAPES, cityscapes.CITYSCAPES_7), cityscapes_iou, InstanceScores,
        ),
        EvaluationProtocol(
            "camvid", "global and class accuracy and mean IoU of 11 classes", "Badrinarayanan et al. 2017, section 4",
            lambda: (CAMVID, original()), averages(SEGNET),
        ),
        EvaluationProtocol(
            "ade20k", "pixel accuracy, mean IoU of 150 classes, and the mean of both",
            "CSAILVision/sceneparsing, README", lambda: (ADE20K.space(),), ade20k,
        ),
        EvaluationProtocol(
            "ccp", "mean IoU and accuracy of 59 labels", "Yang, Luo & Lin 2014", lambda: (people.CCP,), averages(PLAIN)
        ),
        EvaluationProtocol(
            "pratheepan", "precision, recall, F1, accuracy and IoU of skin", "Tan et al. 2012",
            lambda: (people.SKIN,), of_one_class("skin"),
        ),
        EvaluationProtocol(
            "inria", "IoU of buildings and accuracy, by city and over all", "Maggiori et al. 2017",
            lambda: (inria.BUILDINGS,), by_city,
        ),
        EvaluationProtocol(
            "isbi-em", "pixel error and F1 of membranes", "Arganda-Carreras et al. 2015", lambda: (CELLS,), membranes
        ),
        EvaluationProtocol(
            "lits", "Dice per case and global, VOE, RVD, ASSD and MSD of liver and tumour", "Bilic et al. 2023",
            lambda: (LITS,), nothing, LiverScores,
        ),
        EvaluationProtocol(
            "s3dis", "overall and mean accuracy and mean IoU of 13 classes; six folds are pooled", "Armeni et al. 2016",
            lambda: (s3dis.S3DIS,), averages(CLOUDS),
        ),
        EvaluationProtocol(
            "shapenet-part", "mean IoU of the parts of an object: over all objects, and over 16 categories",
            "Yi et al. 2016; charlesq34/pointnet, part_seg/test.py", lambda: (shapenet_part.SHAPENET_PART,), nothing,
            PartScores,
        ),
    )
}  # fmt: skip
"""Every protocol by name."""

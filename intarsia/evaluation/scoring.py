"""What is measured of one prediction after the other, whoever made them: an `Evaluation`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, suggest
from intarsia.evaluation.measures.contract import Measure, Measured
from intarsia.evaluation.numbering import numbering_hint
from intarsia.labels import LabelSpace
from intarsia.media.source import Pixels
from intarsia.metrics import ConfusionMatrix, Scores
from intarsia.metrics.arrays import mean

if TYPE_CHECKING:  # it loads all public data sets
    from intarsia.datasets.public.protocol import ProtocolScorer, ProtocolScores


@dataclass(frozen=True)
class ImageScore:
    """One picture's own scores; NaN where it has no labelled pixel.

    Attributes:
        id: the item of the split.
        miou: mean IoU over the classes that occur in its labels or its prediction.
        pixel_accuracy: share of labelled pixels that are right.
        dice: Dice coefficient (F1) of each class; NaN for one that neither its labels nor its prediction hold.
        micro_iou: IoU of all classes' pixels together.
    """

    id: str
    miou: float
    pixel_accuracy: float
    dice: tuple[float, ...] = ()
    micro_iou: float = float("nan")


@dataclass(frozen=True)
class Evaluation:
    """The scores of predictions for one split.

    Attributes:
        model: where the predictions came from.
        split: name of the split.
        space: the classes.
        matrix: counts over all pictures.
        images: one row a picture, the worst first.
        unmatched: classes of the data that the predictions do not know; their pixels are not counted.
        groups: counts by the folder that the pictures lie in, when there is more than one.
        measured: what was measured besides, one for each measure; see `result`.
        protocol: the scores of an official evaluation, if one was asked for.
        medium: what the images are.
    """

    model: str
    split: str
    space: LabelSpace
    matrix: ConfusionMatrix
    images: tuple[ImageScore, ...]
    unmatched: tuple[str, ...]
    groups: dict[str, ConfusionMatrix] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    protocol: ProtocolScores | None = None
    medium: Pixels | Literal["cloud"] = "picture"

    @property
    def scores(self) -> Scores:
        """All scores of the matrix."""
        return self.matrix.compute()

    @property
    def image_miou(self) -> float:
        """Mean of the pictures' own mIoU, which is another number than the mIoU of all of them; NaN without any."""
        return mean(np.array([row.miou for row in self.images]))

    @property
    def image_micro_iou(self) -> float:
        """Mean of the pictures' own IoU of all classes' pixels together; NaN without any."""
        return mean(np.array([row.micro_iou for row in self.images]))

    @property
    def dice_per_case(self) -> tuple[float, ...]:
        """Of each class the mean of the pictures' or volumes' own Dice coefficients, where they have one.

        In medicine, where a case is a volume, this is the usual score; that of all pixels together is `scores.f1`.
        """
        rows = np.array([row.dice for row in self.images], dtype=np.float64).reshape(len(self.images), -1)
        found = [column[~np.isnan(column)] for column in rows.T]
        return tuple(float(values.mean()) if values.size else float("nan") for values in found)

    @property
    def hint(self) -> str:
        """A sentence where either side seems to number the classes in its own way; else ""."""
        return numbering_hint(self.matrix.counts, self.space.names)

    def result(self, name: str) -> Any:
        """Get what a measure computed, by its key in JSON: "boundary", "surface", "ranking", "reliability", ...

        Raises:
            UsageError: it was not measured.
        """
        found = {key: result for one in self.measured for key, result in one.results.items()}
        if name not in found:
            raise UsageError(f"{name!r} was not measured; see Measures.{suggest(name, found)}")
        return found[name]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; scores that do not exist are null, what was not measured is missing."""
        plain: dict[str, Any] = {
            "model": self.model,
            "split": self.split,
            "classes": list(self.space.names),
            "unmatched": list(self.unmatched),
            "scores": self.scores.to_json(),
            "image_miou": _number(self.image_miou),
            "image_micro_iou": _number(self.image_micro_iou),
            "dice_per_case": [_number(value) for value in self.dice_per_case],
            "confusion": self.matrix.counts.tolist(),
            "images": [
                {
                    "id": row.id,
                    "miou": _number(row.miou),
                    "pixel_accuracy": _number(row.pixel_accuracy),
                    "micro_iou": _number(row.micro_iou),
                    "dice": [_number(value) for value in row.dice],
                }
                for row in self.images
            ],
        }
        if self.hint:
            plain["hint"] = self.hint
        if self.groups:
            plain["groups"] = {name: matrix.compute().to_json() for name, matrix in self.groups.items()}
        for one in self.measured:
            plain |= {key: result.to_json() for key, result in one.results.items()}
        if self.protocol is not None:
            plain["protocol"] = self.protocol.to_json()
        return plain


def unmatched_classes(model: LabelSpace, data: LabelSpace) -> tuple[str, ...]:
    """The data's classes that a model does not know; classes are matched by name, never by position.

    Raises:
        DataError: it knows none of them.
    """
    unmatched = tuple(name for name in data.names if name not in model.names)
    if len(unmatched) == len(data):
        raise DataError(
            f"the data and the model share no class: the data has {', '.join(data.names)}; the model has "
            f"{', '.join(model.names)}; name the data's classes in the model's words (--remap, or classes.txt)"
        )
    return unmatched


class Scorer:
    """Gathers scores, one picture at a time.

    Args:
        space: the classes of predictions and targets.
        measures: what to measure besides the confusion matrix.

    Attributes:
        groups: the counts so far, by the folder of the pictures.

    Raises:
        UsageError: the spacing is not positive.
    """

    def __init__(self, space: LabelSpace, measures: Iterable[Measure] = ()) -> None:
        self.space = space
        self.groups: dict[str, ConfusionMatrix] = {}
        self._images: list[ImageScore] = []
        self._gauges = [(measure, measure.start(space)) for measure in measures]

    @property
    def by_part(self) -> bool:
        """Whether `add_part` wants the probabilities of every part."""
        return any(measure.by_part for measure, _ in self._gauges)

    def add(
        self, name: str, prediction: NDArray[Any], target: NDArray[Any], *, spacing: Sequence[float] | None = None
    ) -> None:
        """Add one picture's labels (H, W), a volume's (D, H, W), or a cloud's (N,).

        Args:
            name: its id, in which / separates folders.
            prediction: labels.
            target: labels.
            spacing: of a volume, as its file says it.

        Raises:
            DataError: the sizes differ.
        """
        one = ConfusionMatrix(len(self.space), ignore_index=self.space.ignore_index)
        one.update(prediction, target)
        for measure, gauge in self._gauges:
            if not measure.by_part:
                gauge.add(prediction, target, spacing=spacing)
        group = name.rpartition("/")[0]
        self.groups.setdefault(group, ConfusionMatrix(one.classes, ignore_index=one.ignore_index)).merge(one)
        scores = one.compute()
        self._images.append(
            ImageScore(name, scores.miou, scores.pixel_accuracy, tuple(scores.f1.tolist()), scores.micro_iou)
        )

    def add_part(self, prediction: NDArray[Any], target: NDArray[Any], probabilities: NDArray[np.float32]) -> None:
        """Add some rows (h, W) of a picture or slice with the probabilities (C, h, W) of all classes."""
        for measure, gauge in self._gauges:
            if measure.by_part:
                gauge.add(prediction, target, probabilities=probabilities)

    def finish(
        self,
        model: str,
        split: str,
        unmatched: Sequence[str] = (),
        *,
        medium: Pixels | Literal["cloud"] = "picture",
        protocol: ProtocolScorer | None = None,
    ) -> Evaluation:
        """Compute all scores so far.

        Args:
            model: where the predictions came from.
            split: name of the split.
            unmatched: classes of the data that the predictions do not know.
            medium: what was measured.
            protocol: an official evaluation that has seen the same.
        """
        total = ConfusionMatrix(len(self.space), ignore_index=self.space.ignore_index)
        for matrix in self.groups.values():
            total.merge(matrix)
        return Evaluation(
            model=model,
            split=split,
            space=self.space,
            matrix=total,
            images=tuple(sorted(self._images, key=lambda row: (np.isnan(row.miou), row.miou, row.id))),
            unmatched=tuple(unmatched),
            groups=self.groups if len(self.groups) > 1 else {},
            measured=tuple(gauge.finish() for _, gauge in self._gauges),
            protocol=None if protocol is None else protocol.finish(total, self.groups),
            medium=medium,
        )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value

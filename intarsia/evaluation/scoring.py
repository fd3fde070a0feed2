"""What is measured of one prediction after the other, whoever made them: an `Evaluation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.evaluation.protocols import ProtocolScores
from intarsia.labels import LabelSpace
from intarsia.media.source import Pixels
from intarsia.metrics import (
    BoundaryF1,
    BoundaryIoU,
    BoundaryScores,
    Calibration,
    ConfusionMatrix,
    PrecisionRecall,
    Ranking,
    Reliability,
    Scores,
    SurfaceDistance,
    SurfaceScores,
    TrimapScores,
)


@dataclass(frozen=True)
class Measures:
    """What is measured besides the confusion matrix.

    Attributes:
        boundary: boundary IoU, boundary F1 and the scores near boundaries.
        spacing: distance between neighbouring rows and columns (mm per pixel, say), of volumes between slices, rows and
            columns, for surface distances; "file" takes what each volume's file says; None measures none.
        curves: precision-recall curves and calibration, which need the probabilities of all classes.
    """

    boundary: bool = False
    spacing: Sequence[float] | Literal["file"] | None = None
    curves: bool = False


@dataclass(frozen=True)
class ImageScore:
    """One picture's own scores; NaN where it has no labelled pixel.

    Attributes:
        id: the item of the split.
        miou: mean IoU over the classes that occur in its labels or its prediction.
        pixel_accuracy: share of labelled pixels that are right.
        dice: Dice coefficient (F1) of each class; NaN for one that neither its labels nor its prediction hold.
    """

    id: str
    miou: float
    pixel_accuracy: float
    dice: tuple[float, ...] = ()


@dataclass(frozen=True)
class BoundaryReport:
    """Three looks at the boundaries.

    Attributes:
        iou: boundary IoU (Cheng et al. 2021).
        f1: boundary F1 in the semantic convention (Csurka et al. 2013).
        trimap: scores of the pixels within so many pixels of the target's boundaries.
    """

    iou: BoundaryScores
    f1: BoundaryScores
    trimap: dict[int, Scores]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        trimap = {str(radius): scores.to_json() for radius, scores in self.trimap.items()}
        return {"iou": self.iou.to_json(), "f1": self.f1.to_json(), "trimap": trimap}


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
        boundary: if measured.
        surface: if measured.
        ranking: if measured.
        reliability: if measured.
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
    boundary: BoundaryReport | None = None
    surface: SurfaceScores | None = None
    ranking: Ranking | None = None
    reliability: Reliability | None = None
    protocol: ProtocolScores | None = None
    medium: Pixels | Literal["cloud"] = "picture"

    @property
    def scores(self) -> Scores:
        """All scores of the matrix."""
        return self.matrix.compute()

    @property
    def image_miou(self) -> float:
        """Mean of the pictures' own mIoU, which is another number than the mIoU of all of them; NaN without any."""
        values = [row.miou for row in self.images if not np.isnan(row.miou)]
        return float(np.mean(values)) if values else float("nan")

    @property
    def dice_per_case(self) -> tuple[float, ...]:
        """Of each class the mean of the pictures' or volumes' own Dice coefficients, where they have one.

        In medicine, where a case is a volume, this is the usual score; that of all pixels together is `scores.f1`.
        """
        rows = np.array([row.dice for row in self.images], dtype=np.float64).reshape(len(self.images), -1)
        found = [column[~np.isnan(column)] for column in rows.T]
        return tuple(float(values.mean()) if values.size else float("nan") for values in found)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; scores that do not exist are null, what was not measured is missing."""
        plain: dict[str, Any] = {
            "model": self.model,
            "split": self.split,
            "classes": list(self.space.names),
            "unmatched": list(self.unmatched),
            "scores": self.scores.to_json(),
            "image_miou": _number(self.image_miou),
            "dice_per_case": [_number(value) for value in self.dice_per_case],
            "confusion": self.matrix.counts.tolist(),
            "images": [
                {
                    "id": row.id,
                    "miou": _number(row.miou),
                    "pixel_accuracy": _number(row.pixel_accuracy),
                    "dice": [_number(value) for value in row.dice],
                }
                for row in self.images
            ],
        }
        if self.groups:
            plain["groups"] = {name: matrix.compute().to_json() for name, matrix in self.groups.items()}
        for name in ("boundary", "surface", "ranking", "reliability", "protocol"):
            measured = getattr(self, name)
            if measured is not None:
                plain[name] = measured.to_json()
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
        measures: what to measure.

    Attributes:
        groups: the counts so far, by the folder of the pictures.

    Raises:
        UsageError: the spacing is not positive.
    """

    def __init__(self, space: LabelSpace, measures: Measures) -> None:
        self.space = space
        count, ignore = len(space), space.ignore_index
        self.groups: dict[str, ConfusionMatrix] = {}
        self._images: list[ImageScore] = []
        self._boundary = (
            (
                BoundaryIoU(count, ignore_index=ignore),
                BoundaryF1(count, ignore_index=ignore),
                TrimapScores(count, ignore_index=ignore),
            )
            if measures.boundary
            else ()
        )
        self._surface: SurfaceDistance | None = None
        if measures.spacing is not None:
            # Where each volume brings its own spacing, this one is never used.
            steps = (1.0, 1.0, 1.0) if isinstance(measures.spacing, str) else measures.spacing
            self._surface = SurfaceDistance(count, spacing=steps, ignore_index=ignore)
        self._own_spacing = measures.spacing == "file"
        self._ranking = PrecisionRecall(count, ignore_index=ignore) if measures.curves else None
        self._calibration = Calibration(count, ignore_index=ignore) if measures.curves else None

    def add(
        self, name: str, prediction: NDArray[Any], target: NDArray[Any], *, spacing: Sequence[float] | None = None
    ) -> None:
        """Add one picture's labels (H, W), or a volume's (D, H, W).

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
        for metric in self._boundary:
            metric.update(prediction, target)
        if self._surface is not None:
            self._surface.update(prediction, target, spacing=spacing if self._own_spacing else None)
        group = name.rpartition("/")[0]
        self.groups.setdefault(group, ConfusionMatrix(one.classes, ignore_index=one.ignore_index)).merge(one)
        scores = one.compute()
        self._images.append(ImageScore(name, scores.miou, scores.pixel_accuracy, tuple(scores.f1.tolist())))

    def add_probabilities(self, probabilities: NDArray[np.float32], target: NDArray[Any]) -> None:
        """Add the probabilities (C, h, W) of some rows of a picture."""
        for metric in (self._ranking, self._calibration):
            if metric is not None:
                metric.update(probabilities[None], target[None])

    def finish(self, model: str, split: str, unmatched: Sequence[str] = ()) -> Evaluation:
        """All scores so far."""
        total = ConfusionMatrix(len(self.space), ignore_index=self.space.ignore_index)
        for matrix in self.groups.values():
            total.merge(matrix)
        boundary = None
        if self._boundary:
            iou, f1, trimap = self._boundary
            boundary = BoundaryReport(iou.compute(), f1.compute(), trimap.compute())
        return Evaluation(
            model=model,
            split=split,
            space=self.space,
            matrix=total,
            images=tuple(sorted(self._images, key=lambda row: (np.isnan(row.miou), row.miou, row.id))),
            unmatched=tuple(unmatched),
            groups=self.groups if len(self.groups) > 1 else {},
            boundary=boundary,
            surface=None if self._surface is None else self._surface.compute(),
            ranking=None if self._ranking is None else self._ranking.compute(),
            reliability=None if self._calibration is None else self._calibration.compute(),
        )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value

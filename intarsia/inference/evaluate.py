"""How right a model is on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from intarsia.datasets import Split
from intarsia.errors import DataError
from intarsia.inference.predictor import Predictor
from intarsia.labels import LabelSpace
from intarsia.metrics.confusion import ConfusionMatrix, Scores


@dataclass(frozen=True)
class ImageScore:
    """One picture's own scores; NaN where it has no labelled pixel.

    Attributes:
        id: the item of the split.
        miou: mean IoU over the classes that occur in its labels or its prediction.
        pixel_accuracy: share of labelled pixels that are right.
    """

    id: str
    miou: float
    pixel_accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """A model's scores on one split.

    Attributes:
        model: where the model came from.
        split: name of the split.
        space: the model's classes.
        matrix: counts over all pictures.
        images: one row a picture, the worst first.
        unmatched: classes of the data that the model does not know; their pixels are not counted.
    """

    model: str
    split: str
    space: LabelSpace
    matrix: ConfusionMatrix
    images: tuple[ImageScore, ...]
    unmatched: tuple[str, ...]

    @property
    def scores(self) -> Scores:
        """All scores of the matrix."""
        return self.matrix.compute()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; scores that do not exist are null."""
        return {
            "model": self.model,
            "split": self.split,
            "classes": list(self.space.names),
            "unmatched": list(self.unmatched),
            "scores": self.scores.to_json(),
            "confusion": self.matrix.counts.tolist(),
            "images": [
                {"id": row.id, "miou": _number(row.miou), "pixel_accuracy": _number(row.pixel_accuracy)}
                for row in self.images
            ],
        }


def evaluate(predictor: Predictor, split: Split, *, progress: Callable[[int, int], None] | None = None) -> Evaluation:
    """Segment every picture of a split and compare at the picture's own size.

    The split's classes are matched to the model's by name, never by position.

    Args:
        predictor: the model.
        split: labelled pictures.
        progress: called after each picture with the number done and the number of all.

    Raises:
        DataError: the split is empty, a picture or mask is damaged, or no class name is known to the model.
    """
    space = predictor.space
    unmatched = tuple(name for name in split.space.names if name not in space.names)
    if not len(split):
        raise DataError(f"the split {split.name!r} has no pictures; nothing to evaluate")
    if len(unmatched) == len(split.space):
        raise DataError(
            f"the data and the model share no class: the data has {', '.join(split.space.names)}; the model has "
            f"{', '.join(space.names)}; name the data's classes in the model's words (classes.txt in its folder)"
        )
    lookup = space.lookup_from(split.space)
    total = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
    rows = []
    for index in range(len(split)):
        image, target = split.read(index)
        one = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
        one.update(predictor.segment(image).labels, lookup[target])
        total.merge(one)
        scores = one.compute()
        rows.append(ImageScore(split.items[index].id, scores.miou, scores.pixel_accuracy))
        if progress is not None:
            progress(index + 1, len(split))
    rows.sort(key=lambda row: (np.isnan(row.miou), row.miou, row.id))
    return Evaluation(
        model=predictor.bundle.source or predictor.bundle.architecture,
        split=split.name,
        space=space,
        matrix=total,
        images=tuple(rows),
        unmatched=unmatched,
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value

"""How right a model is on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets import Split
from intarsia.errors import DataError
from intarsia.inference.predictor import Predictor
from intarsia.inference.scoring import Evaluation, Measures, Scorer
from intarsia.labels import LabelArray
from intarsia.media.images import open_image

_PLAIN = Measures()


def evaluate(
    predictor: Predictor,
    split: Split,
    *,
    measures: Measures = _PLAIN,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Segment every picture of a split and compare at the picture's own size.

    The split's classes are matched to the model's by name, never by position.

    Args:
        predictor: the model.
        split: labelled pictures.
        measures: what to measure besides the confusion matrix.
        progress: called after each picture with the number done and the number of all.

    Raises:
        DataError: the split is empty, a picture or mask is damaged, or no class name is known to the model.
        UsageError: the spacing is not positive.
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
    scorer = Scorer(space, measures)
    for index in range(len(split)):
        image, stored = split.read(index)
        target = lookup[stored]
        labels = _ranked(predictor, image, target, scorer) if measures.curves else predictor.segment(image).labels
        scorer.add(split.items[index].id, labels, target)
        if progress is not None:
            progress(index + 1, len(split))
    return scorer.finish(predictor.bundle.source or predictor.bundle.architecture, split.name, unmatched)


def _ranked(predictor: Predictor, image: NDArray[np.uint8], target: LabelArray, scorer: Scorer) -> LabelArray:
    """Labels of one picture, whose probabilities the scorer sees band by band."""
    labels = np.empty_like(target)
    for band in predictor.bands(open_image(image), probabilities=True):
        rows = slice(band.top, band.top + len(band.labels))
        labels[rows] = band.labels
        if band.probabilities is not None:
            scorer.add_probabilities(band.probabilities, target[rows])
    return labels

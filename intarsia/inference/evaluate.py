"""How right a model is on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets import Split
from intarsia.errors import DataError, UsageError
from intarsia.inference.predictor import Predictor
from intarsia.inference.protocols import ProtocolScorer
from intarsia.inference.scoring import Evaluation, Measures, Scorer
from intarsia.labels import LabelArray
from intarsia.media.images import open_image

_PLAIN = Measures()


def evaluate(
    predictor: Predictor,
    split: Split,
    *,
    measures: Measures = _PLAIN,
    protocol: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Segment every picture of a split and compare at the picture's own size.

    The split's classes are matched to the model's by name, never by position.

    Args:
        predictor: the model.
        split: labelled pictures.
        measures: what to measure besides the confusion matrix.
        protocol: the official evaluation of a public data set (`intarsia.inference.protocols`). Then the data set's
            classes count instead of the model's, and predictions of other classes are misses.
        progress: called after each picture with the number done and the number of all.

    Raises:
        DataError: the split is empty, a picture or mask is damaged, or no class name is known to the model.
        UsageError: the spacing is not positive; there is no such protocol, or not for these classes.
    """
    ours, theirs = predictor.space, split.space
    unmatched = tuple(name for name in theirs.names if name not in ours.names)
    if not len(split):
        raise DataError(f"the split {split.name!r} has no pictures; nothing to evaluate")
    if len(unmatched) == len(theirs):
        raise DataError(
            f"the data and the model share no class: the data has {', '.join(theirs.names)}; the model has "
            f"{', '.join(ours.names)}; name the data's classes in the model's words (--remap, or classes.txt)"
        )
    if protocol is not None and measures.curves:
        raise UsageError("curves are measured in the model's classes, a protocol in the data's; ask for one of them")
    space = ours if protocol is None else theirs
    official = None if protocol is None else ProtocolScorer(protocol, theirs, measures.spacing)
    stored_to_space, model_to_space = space.lookup_from(theirs), space.lookup_from(ours)
    # A protocol measures distances itself, and those of volumes.
    scorer = Scorer(space, measures if official is None else replace(measures, spacing=None))
    for index in range(len(split)):
        image, stored = split.read(index)
        target = stored_to_space[stored]
        labels = _ranked(predictor, image, target, scorer) if measures.curves else predictor.segment(image).labels
        if official is not None:
            labels = model_to_space[labels]
            official.add(split.items[index], labels, target)
        scorer.add(split.items[index].id, labels, target)
        if progress is not None:
            progress(index + 1, len(split))
    found = scorer.finish(predictor.bundle.source or predictor.bundle.architecture, split.name, unmatched)
    if official is None:
        return found
    return replace(found, protocol=official.finish(found.matrix, scorer.groups))


def _ranked(predictor: Predictor, image: NDArray[np.uint8], target: LabelArray, scorer: Scorer) -> LabelArray:
    """Labels of one picture, whose probabilities the scorer sees band by band."""
    labels = np.empty_like(target)
    for band in predictor.bands(open_image(image), probabilities=True):
        rows = slice(band.top, band.top + len(band.labels))
        labels[rows] = band.labels
        if band.probabilities is not None:
            scorer.add_probabilities(band.probabilities, target[rows])
    return labels

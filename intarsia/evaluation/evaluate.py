"""How right a model is on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from intarsia.datasets import PictureSplit
from intarsia.datasets.layouts.volumes import VolumeItem
from intarsia.errors import DataError, UsageError
from intarsia.evaluation.protocols import ProtocolScorer
from intarsia.evaluation.scoring import Evaluation, Measures, Scorer, unmatched_classes
from intarsia.inference.pictures.predictor import Predictor
from intarsia.labels import LabelArray
from intarsia.media.source import ArraySource, PixelSource

_PLAIN = Measures()


def evaluate(
    predictor: Predictor,
    split: PictureSplit,
    *,
    measures: Measures = _PLAIN,
    protocol: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Segment every picture or volume of a split and compare at its own size.

    Volumes are segmented slice by slice and compared as a whole, in the slices of the model's plane. The split's
    classes are matched to the model's by name, never by position.

    Args:
        predictor: the model.
        split: labelled pictures.
        measures: what to measure besides the confusion matrix.
        protocol: the official evaluation of a public data set (`intarsia.evaluation.protocols`). Then the data set's
            classes count instead of the model's, and predictions of other classes are misses.
        progress: called after each picture with the number done and the number of all.

    Raises:
        DataError: the split is empty, a picture or mask is damaged, or no class name is known to the model.
        UsageError: the spacing is not positive; there is no such protocol, or not for these classes; the model is for
            another medium than the data.
    """
    ours, theirs = predictor.space, split.space
    if not len(split):
        raise DataError(f"the split {split.name!r} has no pictures; nothing to evaluate")
    unmatched = unmatched_classes(ours, theirs)
    if protocol is not None and measures.curves:
        raise UsageError("curves are measured in the model's classes, a protocol in the data's; ask for one of them")
    split = split.for_input(predictor.preprocessing)
    if split.medium == "volume" and measures.boundary:
        raise UsageError("boundary scores are of pictures; of volumes, measure surface distances (--spacing file)")
    if split.medium != "volume" and measures.spacing == "file":
        raise UsageError("only volumes say how far apart their voxels are; give the spacing in numbers")
    space = ours if protocol is None else theirs
    official = None
    if protocol is not None:
        official = ProtocolScorer(protocol, theirs, None if measures.spacing == "file" else measures.spacing)
    stored_to_space, model_to_space = space.lookup_from(theirs), space.lookup_from(ours)
    # A protocol measures distances itself, and those of volumes.
    scorer = Scorer(space, measures if official is None else replace(measures, spacing=None))
    wholes = split.wholes()
    for number, (item, indices) in enumerate(wholes, start=1):
        parts = []
        for index in indices:
            image, stored = split.read(index)
            target = stored_to_space[stored]
            source = ArraySource(image, split.items[index].id, split.medium)
            found = _labels(predictor, source, target, scorer if measures.curves else None)
            parts.append((found if official is None else model_to_space[found], target))
        labels, target = parts[0] if split.medium != "volume" else (np.stack(side) for side in zip(*parts, strict=True))
        scorer.add(item.id, labels, target, spacing=item.spacing if isinstance(item, VolumeItem) else None)
        if official is not None:
            official.add(item, labels, target)
        if progress is not None:
            progress(number, len(wholes))
    evaluation = scorer.finish(predictor.bundle.source or predictor.bundle.architecture, split.name, unmatched)
    evaluation = replace(evaluation, medium=split.medium)
    if official is None:
        return evaluation
    return replace(evaluation, protocol=official.finish(evaluation.matrix, scorer.groups))


def _labels(predictor: Predictor, source: PixelSource, target: LabelArray, scorer: Scorer | None) -> LabelArray:
    """Labels (H, W) of one picture or slice, whose probabilities a scorer sees band by band."""
    labels = np.empty_like(target, dtype=predictor.space.dtype)
    for band in predictor.bands(source, probabilities=scorer is not None):
        rows = slice(band.top, band.top + len(band.labels))
        labels[rows] = band.labels
        if scorer is not None and band.probabilities is not None:
            scorer.add_probabilities(band.probabilities, target[rows])
    return labels

"""How right a model is on labelled clouds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.errors import DataError, UsageError
from intarsia.evaluation.protocols import ProtocolScorer
from intarsia.evaluation.scoring import Evaluation, Measures, Scorer, unmatched_classes
from intarsia.inference.clouds.predictor import CloudPredictor

_PLAIN = Measures()


def evaluate_clouds(
    predictor: CloudPredictor,
    split: CloudSplit,
    *,
    measures: Measures = _PLAIN,
    protocol: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Label every cloud of a split and compare at every point. Classes are matched by name, never by position.

    Args:
        predictor: the model.
        split: labelled clouds.
        measures: what to measure besides the confusion matrix; boundaries and surfaces need a grid.
        protocol: the official evaluation of a public data set, "s3dis" or "shapenet-part". Then the data set's classes
            count instead of the model's. `intarsia.evaluation.protocols.pooled` pools the counts of several folds.
        progress: called after each cloud with the number done and the number of all.

    Raises:
        DataError: the split is empty, a cloud is damaged, or no class name is known to the model.
        UsageError: a measure needs a grid; there is no such protocol, or not for these classes.
    """
    if measures.boundary or measures.spacing is not None or measures.curves:
        raise UsageError("boundaries, surface distances and curves are measured on pictures, not on points")
    ours, theirs = predictor.space, split.space
    if not len(split):
        raise DataError(f"the split {split.name!r} has no clouds; nothing to evaluate")
    unmatched = unmatched_classes(ours, theirs)
    official = None if protocol is None else ProtocolScorer(protocol, theirs)
    space = ours if official is None else theirs
    stored_to_space, model_to_space = space.lookup_from(theirs), space.lookup_from(ours)
    scorer = Scorer(space, measures)
    for index, item in enumerate(split.items):
        cloud, stored = split.read(index)
        labels, target = model_to_space[predictor.segment(cloud).labels], stored_to_space[stored]
        scorer.add(item.id, labels, target)
        if official is not None:
            official.add(item, labels, target)
        if progress is not None:
            progress(index + 1, len(split))
    evaluation = scorer.finish(predictor.bundle.source or predictor.bundle.architecture, split.name, unmatched)
    evaluation = replace(evaluation, medium="cloud")
    if official is None:
        return evaluation
    return replace(evaluation, protocol=official.finish(evaluation.matrix, scorer.groups))

"""How right a model is on labelled clouds."""

from __future__ import annotations

from collections.abc import Callable

from intarsia.datasets.clouds import CloudSplit
from intarsia.errors import DataError, UsageError
from intarsia.inference.clouds.predictor import CloudPredictor
from intarsia.inference.scoring import Evaluation, Measures, Scorer

_PLAIN = Measures()


def evaluate_clouds(
    predictor: CloudPredictor,
    split: CloudSplit,
    *,
    measures: Measures = _PLAIN,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Label every cloud of a split and compare at every point. Classes are matched by name, never by position.

    Args:
        predictor: the model.
        split: labelled clouds.
        measures: what to measure besides the confusion matrix; boundaries and surfaces need a grid.
        progress: called after each cloud with the number done and the number of all.

    Raises:
        DataError: the split is empty, a cloud is damaged, or no class name is known to the model.
        UsageError: a measure needs a grid.
    """
    if measures.boundary or measures.spacing is not None or measures.curves:
        raise UsageError("boundaries, surface distances and curves are measured on pictures, not on points")
    space = predictor.space
    unmatched = tuple(name for name in split.space.names if name not in space.names)
    if not len(split):
        raise DataError(f"the split {split.name!r} has no clouds; nothing to evaluate")
    if len(unmatched) == len(split.space):
        raise DataError(
            f"the data and the model share no class: the data has {', '.join(split.space.names)}; the model has "
            f"{', '.join(space.names)}; name the data's classes in the model's words (classes.txt in its folder)"
        )
    lookup = space.lookup_from(split.space)
    scorer = Scorer(space, measures)
    for index in range(len(split)):
        cloud, stored = split.read(index)
        scorer.add(split.items[index].id, predictor.segment(cloud).labels, lookup[stored])
        if progress is not None:
            progress(index + 1, len(split))
    return scorer.finish(predictor.bundle.source or predictor.bundle.architecture, split.name, unmatched)

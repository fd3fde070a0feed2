"""How right a model is on labelled data: pictures, rasters, volumes and clouds alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from intarsia.datasets import Split
from intarsia.datasets.catalogue import find_protocol
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.public.protocol import EvaluationProtocol, ProtocolScorer
from intarsia.errors import DataError, UsageError
from intarsia.evaluation.measures.contract import Measure, Need, refuse_unmeasurable
from intarsia.evaluation.scoring import Evaluation, Scorer, unmatched_classes
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.inference.pictures.ranking import Ranking
from intarsia.labels import LabelArray
from intarsia.media.medium import BY_NAME
from intarsia.media.source import ArraySource, Pixels

AnyPredictor: TypeAlias = Predictor | CloudPredictor
AnySplit: TypeAlias = Split | CloudSplit


def evaluate(
    predictor: AnyPredictor,
    split: AnySplit,
    *,
    measures: Iterable[Measure] = (),
    protocol: str | EvaluationProtocol | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Label every picture, volume or cloud of a split and compare: pixels at the picture's own size, voxels, points.

    Volumes are segmented slice by slice and compared as a whole, in the slices of the model's plane. The split's
    classes are matched to the model's by name, never by position.

    Args:
        predictor: the model.
        split: labelled data.
        measures: what to measure besides the confusion matrix, see `Measures`.
        protocol: the official evaluation of a public data set, or its name. Then the data set's classes count instead
            of the model's, and predictions of other classes are misses.
        progress: called after each of them with the number done and the number of all.

    Raises:
        DataError: the split is empty, a file is damaged, or no class name is known to the model.
        UsageError: the model is for another medium than the data; the spacing is not positive; something cannot be
            measured on such data; there is no such protocol, or not for these classes.
    """
    ours, theirs = predictor.space, split.space
    if not len(split):
        raise DataError(f"the split {split.name!r} has no {split.medium}s; nothing to evaluate")
    unmatched = unmatched_classes(ours, theirs)
    split = seen_by(predictor, split)
    kind = KINDS[split.medium]
    asked = tuple(measures)
    refuse_unmeasurable(asked, kind.offers)
    official = None if protocol is None else _official(protocol, split, asked)
    space = ours if official is None else theirs
    stored_to_space, model_to_space = space.lookup_from(theirs), space.lookup_from(ours)
    # An official evaluation measures distances itself, and those of volumes.
    scorer = Scorer(space, (one for one in asked if official is None or one.spacing is None))
    wholes = split.wholes()
    for number, (item, indices) in enumerate(wholes, start=1):
        found, target = kind.label(predictor, split, indices, stored_to_space, scorer)
        labels = model_to_space[found]
        scorer.add(item.id, labels, target, spacing=item.spacing)
        if official is not None:
            official.add(item, labels, target)
        if progress is not None:
            progress(number, len(wholes))
    return scorer.finish(predictor.bundle.title, split.name, unmatched, medium=split.medium, protocol=official)


def seen_by(predictor: AnyPredictor, split: AnySplit) -> AnySplit:
    """Bind a split to a model: its items as the model sees them.

    Raises:
        UsageError: the model is for another medium than the data.
    """
    if not BY_NAME[split.medium].goes_with(predictor.forms):
        raise UsageError(f"the data in {split.root} are {split.medium}s, and the model labels none")
    return split.for_input(predictor.preprocessing)


def _official(protocol: str | EvaluationProtocol, split: AnySplit, measures: Iterable[Measure]) -> ProtocolScorer:
    """What gathers an official evaluation, in the distances that the user named.

    Raises:
        UsageError: no such protocol, or not for these classes; a measure needs probabilities.
    """
    if any(one.by_part for one in measures):
        raise UsageError("curves are measured in the model's classes, a protocol in the data's; ask for one of them")
    known = find_protocol(protocol) if isinstance(protocol, str) else protocol
    named = next((one.spacing for one in measures if one.spacing is not None), None)
    return ProtocolScorer(known, split.space, None if isinstance(named, str) else named)


Pair: TypeAlias = tuple[LabelArray, LabelArray]
"""Labels in the model's classes, and the target."""


def _source(split: Any, index: int) -> tuple[ArraySource, LabelArray]:
    """One picture or slice as prediction reads it, and its stored labels."""
    image, stored = split.read(index)
    return ArraySource(image, split.items[index].id, split.medium), stored


def _picture(predictor: Predictor, split: Any, indices: list[int], lookup: LabelArray, scorer: Scorer) -> Pair:
    """Labels (H, W) of one picture."""
    (index,) = indices
    return _rows(predictor, *_source(split, index), lookup, scorer)


def _rows(
    predictor: Predictor,
    source: ArraySource,
    stored: LabelArray,
    lookup: LabelArray,
    scorer: Scorer,
    ranking: Ranking | None = None,
) -> Pair:
    """Labels (H, W) of one picture or slice, whose probabilities a scorer sees some rows at a time."""
    target = lookup[stored]
    labels = np.empty_like(target, dtype=predictor.space.dtype)
    for rows in predictor.rows(source, probabilities=scorer.by_part, ranking=ranking):
        place = slice(rows.top, rows.top + len(rows.labels))
        labels[place] = rows.labels
        if rows.probabilities is not None:
            scorer.add_part(rows.labels, target[place], rows.probabilities)
    return labels, target


def _volume(predictor: Predictor, split: Any, indices: list[int], lookup: LabelArray, scorer: Scorer) -> Pair:
    """Labels (D, H, W) of all slices of one volume."""
    ranking = predictor.ranking(_source(split, index)[0] for index in indices)
    slices = [_rows(predictor, *_source(split, index), lookup, scorer, ranking) for index in indices]
    labels, target = (np.stack(side) for side in zip(*slices, strict=True))
    return labels, target


def _cloud(predictor: CloudPredictor, split: Any, indices: list[int], lookup: LabelArray, scorer: Scorer) -> Pair:
    """Labels (N,) of the points of one cloud."""
    (index,) = indices
    cloud, stored = split.read(index)
    return predictor.segment(cloud).labels, lookup[stored]


@dataclass(frozen=True)
class Kind:
    """How wholes of one medium are measured.

    Attributes:
        label: predicts one: predictor, split, the indices of its items, from stored classes to those of the target, and
            the scorer that sees probabilities on the way.
        offers: what measures may need, and it has.
    """

    label: Callable[[Any, Any, list[int], LabelArray, Scorer], Pair]
    offers: tuple[Need, ...] = ()


KINDS: dict[Pixels | Literal["cloud"], Kind] = {
    "picture": Kind(_picture, ("grid", "plane", "probabilities")),
    "raster": Kind(_picture, ("grid", "plane", "probabilities")),
    "volume": Kind(_volume, ("grid", "spacing", "probabilities")),
    "cloud": Kind(_cloud),
}
"""How each medium is measured."""

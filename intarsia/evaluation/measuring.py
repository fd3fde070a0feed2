"""From a model and a place with labelled data to scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeAlias

from intarsia.datasets import Split, open_dataset
from intarsia.datasets.public.protocol import EvaluationProtocol
from intarsia.evaluation.measures.contract import Measure
from intarsia.evaluation.predictions import AnyPredictor, evaluate
from intarsia.evaluation.scoring import Evaluation
from intarsia.recipe import ReadOptions, Recipe

StrPath: TypeAlias = str | os.PathLike[str]


def measure(
    predictor: AnyPredictor,
    data: StrPath,
    *,
    options: ReadOptions,
    split: str | None = None,
    protocol: str | EvaluationProtocol | None = None,
    measures: Iterable[Measure] = (),
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Evaluation, Split]:
    """Open labelled data and measure a model on them; see `intarsia.evaluate`.

    Returns:
        The scores, and the split that was measured.
    """
    # Asked for a split, an undivided folder is divided as a training on it does.
    dataset = open_dataset(data, as_trained(options, predictor), val_fraction=0.0 if split is None else 0.2)
    usual = next((name for name in ("val", "test", "all") if name in dataset.splits), "val")
    chosen = dataset.split(split or usual)
    return evaluate(predictor, chosen, measures=measures, protocol=protocol, progress=progress), chosen


def as_trained(options: ReadOptions, predictor: AnyPredictor) -> ReadOptions:
    """Fill options about clouds that are not given with those of the model's own recipe."""
    if "points" not in predictor.forms:
        return options
    said = Recipe.from_dict(predictor.bundle.recipe or {}).data
    names = [name for name in ("columns", "label", "classes") if getattr(options, name) is None]
    return options.model_copy(update={name: getattr(said, name) for name in names})

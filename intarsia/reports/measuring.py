"""From a model and a folder of labelled data to scores and their report, whatever the medium."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from intarsia.datasets import Dataset, PictureSplit, open_dataset
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.errors import UsageError
from intarsia.evaluation import Evaluation, Measures, evaluate, evaluate_clouds
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.recipe import ReadOptions, Recipe
from intarsia.reports.clouds import worst_clouds
from intarsia.reports.evaluation import require_free, worst_pictures, write_evaluation

StrPath = str | os.PathLike[str]


def measure(
    predictor: Predictor | CloudPredictor,
    data: StrPath,
    *,
    options: ReadOptions,
    split: str | None,
    protocol: str | None,
    measures: Measures,
    out: Path | None,
    overwrite: bool,
    progress: Callable[[int, int], None] | None,
) -> Evaluation:
    """Open labelled data, measure a model on it, and write the report; see `intarsia.evaluate`."""
    if out is not None:
        require_free(out, overwrite=overwrite)
    # Asked for a split, an undivided folder is divided as a training on it does.
    val_fraction = 0.0 if split is None else 0.2
    if isinstance(predictor, CloudPredictor):
        options = _as_trained(options, predictor)
    dataset = open_dataset(data, options, val_fraction=val_fraction)
    chosen = dataset.split(split or _usual_split(dataset))
    if isinstance(predictor, CloudPredictor):
        if not isinstance(chosen, CloudSplit):
            raise UsageError(f"the model labels point clouds, and the data in {dataset.root} are {chosen.plural}")
        found = evaluate_clouds(predictor, chosen, measures=measures, protocol=protocol, progress=progress)
        if out is not None:
            write_evaluation(out, found, worst_clouds(predictor, chosen, found, out))
        return found
    if not isinstance(chosen, PictureSplit):
        raise UsageError(f"the model labels pictures, and the data in {dataset.root} are {chosen.plural}")
    found = evaluate(predictor, chosen, measures=measures, protocol=protocol, progress=progress)
    if out is not None:
        write_evaluation(out, found, worst_pictures(predictor, chosen, found))
    return found


def _as_trained(options: ReadOptions, predictor: CloudPredictor) -> ReadOptions:
    """The options, those about clouds that are not given as the model's own recipe has them."""
    said = Recipe.from_dict(predictor.bundle.recipe or {}).data
    names = [name for name in ("columns", "label", "classes") if getattr(options, name) is None]
    return options.model_copy(update={name: getattr(said, name) for name in names})


def _usual_split(dataset: Dataset) -> str:
    return next((name for name in ("val", "test", "all") if name in dataset.splits), "val")

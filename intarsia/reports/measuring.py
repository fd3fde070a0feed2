"""From a model and a folder of labelled data to scores and their report, whatever the medium."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.layouts.clouds import CloudDataset, open_clouds
from intarsia.datasets.remap import Remap, remapped
from intarsia.errors import UsageError
from intarsia.evaluation import Evaluation, Measures, evaluate, evaluate_clouds
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.reports.clouds import worst_clouds
from intarsia.reports.evaluation import require_free, worst_pictures, write_evaluation

StrPath = str | os.PathLike[str]


def measure(
    predictor: Predictor | CloudPredictor,
    data: StrPath,
    *,
    split: str | None,
    layout: str,
    classes: Sequence[str] | None,
    ignore: Sequence[int],
    resize_masks: bool,
    tolerant: bool,
    reader: Mapping[str, Any] | None,
    remap: Mapping[str, Any] | StrPath | None,
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
        if reader or resize_masks or tolerant:
            raise UsageError("reader, resize_masks and tolerant are about pictures, and the model labels clouds")
        recipe = predictor.bundle.recipe or {}
        fields = recipe.get("cloud", {})
        clouds = open_clouds(
            data, layout=layout, classes=classes or recipe.get("data", {}).get("classes"), ignore=ignore,
            val_fraction=val_fraction, columns=fields.get("columns"), label=fields.get("label"),
        )  # fmt: skip
        if remap is not None:
            clouds = remapped(clouds, _rule(remap))
        points = clouds.split(split or _usual_split(clouds))
        found = evaluate_clouds(predictor, points, measures=measures, protocol=protocol, progress=progress)
        if out is not None:
            write_evaluation(out, found, worst_clouds(predictor, points, found, out))
        return found
    dataset = open_dataset(
        data, layout=layout, classes=classes, ignore=ignore, resize_masks=resize_masks, tolerant=tolerant,
        reader=reader, val_fraction=val_fraction,
    )  # fmt: skip
    if remap is not None:
        dataset = remapped(dataset, _rule(remap))
    chosen = dataset.split(split or _usual_split(dataset))
    found = evaluate(predictor, chosen, measures=measures, protocol=protocol, progress=progress)
    if out is not None:
        write_evaluation(out, found, worst_pictures(predictor, chosen, found))
    return found


def _rule(remap: Mapping[str, Any] | StrPath) -> Remap:
    return Remap.from_dict(remap) if isinstance(remap, Mapping) else Remap.load(Path(remap))


def _usual_split(dataset: Dataset | CloudDataset) -> str:
    return next((name for name in ("val", "test", "all") if name in dataset.splits), "val")

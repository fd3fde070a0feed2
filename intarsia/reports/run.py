"""The report of a training run: gathers what the page shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.bundle import Bundle
from intarsia.datasets import Dataset, Split
from intarsia.errors import DataError, counted
from intarsia.evaluation import Evaluation, evaluate
from intarsia.evaluation.predictions import AnyPredictor
from intarsia.files import write_text
from intarsia.recipe import Recipe
from intarsia.reports.card import model_card
from intarsia.reports.curves import read_log
from intarsia.reports.html import Content, page
from intarsia.reports.samples import samples

_SAMPLES = 5
_WORST = 3


def write_report(folder: Path, recipe: Recipe, dataset: Dataset, predictor: AnyPredictor) -> Path:
    """Measure a run's best bundle on its validation split; write `report.html` and `card.md` into the run folder.

    Args:
        folder: run folder with `best.safetensors` and `log.csv`.
        recipe: the run's recipe.
        dataset: the run's data.
        predictor: the best bundle, loaded.

    Returns:
        The report's path.

    Raises:
        DataError: no validation picture can be read, or the report cannot be written.
        ModelError: the bundle is damaged.
    """
    split = _readable(dataset.split(recipe.data.val))
    bundle, evaluation = Bundle.load(folder / "best.safetensors"), evaluate(predictor, split)
    every = [item.id for item, _ in split.wholes()]
    spread = np.linspace(0, len(every) - 1, min(_SAMPLES, len(every))).round().astype(int)
    chosen = [every[index] for index in spread.tolist()]
    worst = [row.id for row in evaluation.images if row.id not in chosen and not np.isnan(row.miou)][:_WORST]
    content = Content(
        title=recipe.name,
        facts=_facts(bundle, recipe, dataset, evaluation),
        recipe=recipe.to_yaml(),
        log=read_log(folder / "log.csv"),
        space=bundle.space,
        matrix=evaluation.matrix,
        samples=samples(predictor, split, chosen, evaluation),
        worst=samples(predictor, split, worst, evaluation),
    )
    write_text(folder / "card.md", model_card(bundle))
    write_text(folder / "report.html", page(content))
    return folder / "report.html"


def _readable(split: Split) -> Split:
    """The split without damaged pairs: training left them out too, and said so."""
    items: list[Any] = []
    for index, item in enumerate(split.items):
        try:
            split.read(index)
        except DataError:
            continue
        items.append(item)
    return replace(split, items=tuple(items))


def _effort(bundle: Bundle, recipe: Recipe) -> tuple[str, str]:
    for what in ("pixels", "points"):
        if what in bundle.metrics:
            return "Fitted to", f"{bundle.metrics[what]:,} {what}"
    return "Best epoch", f"{bundle.metrics.get('epoch', '?')} of {recipe.training.epochs}, by {recipe.training.monitor}"


def _facts(bundle: Bundle, recipe: Recipe, dataset: Dataset, evaluation: Evaluation) -> list[tuple[str, str]]:
    images = ", ".join(f"{len(split)} {name}" for name, split in dataset.splits.items())
    encoder = recipe.model.options.get("encoder")
    parameters = bundle.parameters() / 1e6
    measured = counted(len(evaluation.images), evaluation.medium)
    facts = [
        ("Data", f"{dataset.root.name} (layout {dataset.layout}): {images}"),
        ("Model", f"{recipe.model.architecture}{f' on {encoder}' if encoder else ''}, {parameters:.1f} M parameters"),
        _effort(bundle, recipe),
        ("Measured on", f"{evaluation.split}, {measured} at native size"),
    ]
    if recipe.description:
        facts.insert(0, ("About", recipe.description))
    return facts + [(key.capitalize(), text) for key, text in recipe.card.items()]

"""Train any model: networks by steps, classical models by fitting."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from intarsia.datasets import Dataset
from intarsia.models import architecture
from intarsia.recipe import Recipe
from intarsia.stopping import Stop, never
from intarsia.training.fitting import fitting
from intarsia.training.loop import trainer
from intarsia.training.plan.setup import Run


def train(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
    stop: Stop = never,
) -> Run:
    """Train one recipe on one data set: networks by gradient steps (`loop.train`), classical models by `fitting.fit`.

    Raises:
        UsageError: there is no such architecture, or as the two.
        DataError: as the two.
        ModelError: as the two.
        KeyboardInterrupt: stopped by the user or by `stop`; with ``resume`` it goes on.
    """
    learn = fitting.fit if architecture(recipe.model.architecture).fitted else trainer.train
    return learn(recipe, dataset, folder, resume=resume, console=console, stop=stop)

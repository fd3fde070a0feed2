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
    started: float | None = None,
) -> Run:
    """Train one recipe on one data set: networks by gradient steps, classical models at once.

    Args:
        recipe: the experiment.
        dataset: its data.
        folder: run folder.
        resume: continue an interrupted run.
        console: where progress goes; none: silent.
        stop: asked after each step.
        started: when ``training.minutes`` began, by `time.monotonic`; None: now.

    Raises:
        UsageError: there is no such architecture, or as the two.
        DataError: as the two.
        ModelError: as the two.
        KeyboardInterrupt: stopped by the user or by `stop`; with ``resume`` it goes on.
    """
    if architecture(recipe.model.architecture).fitted:
        return fitting.fit(recipe, dataset, folder, resume=resume, console=console, stop=stop)
    return trainer.train(recipe, dataset, folder, resume=resume, console=console, stop=stop, started=started)

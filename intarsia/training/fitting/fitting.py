"""Fit classical models: draw pixels or points from the training data, fit the model to them once, and score it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console

from intarsia.bundle import Bundle
from intarsia.datasets import Dataset
from intarsia.errors import UsageError
from intarsia.files import make_folder, write_json
from intarsia.models import build
from intarsia.models.classical import FittedModel
from intarsia.recipe import Recipe
from intarsia.stopping import Stop, never
from intarsia.training.distributed import World
from intarsia.training.fitting.drawing import MATERIALS, Material
from intarsia.training.log import Row, RunLog
from intarsia.training.plan.setup import Run, bundle_of, check_medium, check_names, flat_scores, require_new
from intarsia.training.progress import Progress


def fit(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
    stop: Stop = never,
) -> Run:
    """Fit a classical model to one data set.

    At most `training.pixels` pixels or points are drawn, the same number of each class as far as there are; of
    pictures, features are computed a strip at a time, so that memory does not grow with the data. Weights give what was
    drawn the classes' own shares back, times `training.class_weights`. Optimiser, augmentation and losses of the recipe
    have no meaning here.

    Args:
        recipe: the experiment.
        dataset: the opened data set; its splits are named in the recipe.
        folder: run folder; gets ``recipe.yaml``, ``log.csv``, ``log.jsonl``, ``best.safetensors``,
            ``last.safetensors`` and ``samples/``.
        resume: return a run that is finished; one that is not starts again, because fitting has no checkpoints.
        console: where progress goes; none: silent.
        stop: asked after drawing and after fitting.

    Raises:
        UsageError: the recipe asks for something that does not exist, the folder already holds a run, or scikit-learn
            is not installed.
        DataError: the data cannot be used (no labelled pixel, one class only), or the disk is full.
        ModelError: the model cannot be built.
        KeyboardInterrupt: stopped by the user or by `stop`.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(f"{recipe.model.architecture} is fitted by one process; start it without torchrun")
    if recipe.model.weights != "none":
        raise UsageError(f"{recipe.model.architecture} starts from no weights; set model.weights to none")
    say = _speaker(console)
    best = folder / "best.safetensors"
    if not resume:
        require_new(folder)
    elif (folder / "log.csv").exists():
        metrics = Bundle.load(best).metrics
        return Run(folder, best, {k.removeprefix("val_"): v for k, v in metrics.items() if k.startswith("val_")})
    check_medium(recipe, dataset)
    check_names(recipe, dataset.space)
    model = build(recipe.model.architecture, classes=len(dataset.space), **recipe.model.options)
    assert isinstance(model, FittedModel)
    unused = [name for name in ("optimizer", "augment") if getattr(recipe, name) != getattr(Recipe(), name)]
    if recipe.training.minutes is not None:
        raise UsageError(f"{recipe.model.architecture} is fitted at once; leave training.minutes out")
    if unused:
        say(f"{recipe.model.architecture} has no use for the recipe's {' and '.join(unused)}")
    material = _material(recipe, model, dataset, folder / "samples", say)
    unit = material.unit
    make_folder(folder)
    write_json(folder / "labels.json", dataset.space.to_json())
    recipe.save(folder / "recipe.yaml")
    log = RunLog(folder, tensorboard=recipe.training.tensorboard)
    with Progress(console, 1, 0) as progress:
        started = time.perf_counter()
        samples = material.draw(progress)
        drawn = time.perf_counter()
        _check_stop(stop)
        model.head.fit(samples, seed=recipe.training.seed, progress=progress.stage)
        fitted = time.perf_counter()
        _check_stop(stop)
        say(
            f"{len(samples.labels):,} {unit}s drawn in {drawn - started:.1f} s, "
            f"{recipe.model.architecture} fitted in {fitted - drawn:.1f} s"
        )
        scores = material.validator.score(model.eval(), 1, "fp32", progress)
    reached = {f"val_{name}": value for name, value in flat_scores(scores, dataset.space).items()}
    say(f"val mIoU {scores.miou:.4f}  pixel accuracy {scores.pixel_accuracy:.4f}")
    metrics = {"split": recipe.data.val, f"{unit}s": len(samples.labels), **reached}
    bundle = bundle_of(recipe, dataset.space, material.preprocessing, model, metrics)
    bundle.save(folder / "last.safetensors")
    bundle.save(best)
    row: Row = {"epoch": 1, "step": 1, f"{unit}s": len(samples.labels)}
    log.add(row | {"seconds_drawing": drawn - started, "seconds_fitting": fitted - drawn, **reached})
    return Run(folder, best, {name.removeprefix("val_"): value for name, value in reached.items()})


def _material(
    recipe: Recipe,
    model: FittedModel,
    dataset: Dataset,
    folder: Path,
    say: Callable[[str], None],
) -> Material:
    return MATERIALS[dataset.first.medium](recipe, model, dataset, World(0, 1, torch.device("cpu")), folder, say)


def _check_stop(stop: Stop) -> None:
    if stop():
        raise KeyboardInterrupt


def _speaker(console: Console | None) -> Callable[[str], None]:
    def say(text: str) -> None:
        if console is not None:
            console.print(text, highlight=False, markup=False)

    return say

"""Classical models: pixels are drawn from the training pictures, the model is fitted to them once, and scored."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from intarsia.bundle import Bundle, Preprocessing
from intarsia.datasets import Dataset, Split
from intarsia.errors import DataError, UsageError
from intarsia.files import write_json
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.classical import ClassicalModel, Samples
from intarsia.models.classical.model import UNLABELLED, Strip, within
from intarsia.models.registry import Place
from intarsia.recipe import Recipe
from intarsia.refine import Refinement
from intarsia.training.data import SplitReader
from intarsia.training.distributed import World
from intarsia.training.log import Row, RunLog
from intarsia.training.progress import Progress
from intarsia.training.sampling import PixelSample
from intarsia.training.setup import (
    Run,
    bundle_of,
    check_monitor,
    class_weights,
    find_split,
    flat_scores,
    preprocessing_of,
    require_new,
)
from intarsia.training.validation import Validator
from intarsia.transforms.preprocess import normalise

Window = tuple[Strip, NDArray[np.uint8], NDArray[np.int64]]
"""A strip of a picture, the rows (h, W, 3) that it has to see, and the labels (P,) of its own pixels."""


def fit(recipe: Recipe, dataset: Dataset, folder: Path, *, resume: bool = False, console: Console | None = None) -> Run:
    """Fit a classical model to one data set.

    At most `training.pixels` pixels are drawn, the same number of each class as far as there are; features are computed
    a strip of a picture at a time, so that memory does not grow with the data. Weights give the drawn pixels the
    classes' own shares back, times `training.class_weights`. Optimiser, augmentation and losses of the recipe have no
    meaning here.

    Args:
        recipe: the experiment.
        dataset: the opened data set; its splits are named in the recipe.
        folder: run folder; gets ``recipe.yaml``, ``log.csv``, ``log.jsonl``, ``best.safetensors``,
            ``last.safetensors`` and ``samples/``.
        resume: return a run that is finished; one that is not starts again, because fitting has no checkpoints.
        console: where progress goes; none: silent.

    Raises:
        UsageError: the recipe asks for something that does not exist, the folder already holds a run, or scikit-learn
            is not installed.
        DataError: the data cannot be used (no labelled pixel, one class only), or the disk is full.
        ModelError: the model cannot be built.
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
    train_split, val_split = find_split(dataset, recipe.data.train), find_split(dataset, recipe.data.val)
    check_monitor(recipe.training.monitor, dataset.space)
    Refinement.read(recipe.refine.model_dump())
    model = build(recipe.model.architecture, classes=len(dataset.space), **recipe.model.options)
    assert isinstance(model, ClassicalModel)
    preprocessing = preprocessing_of(model, recipe)
    unused = [name for name in ("optimizer", "augment") if getattr(recipe, name) != getattr(Recipe(), name)]
    if unused:
        say(f"{recipe.model.architecture} has no use for the recipe's {' and '.join(unused)}")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "labels.json", dataset.space.to_json())
    recipe.save(folder / "recipe.yaml")
    log = RunLog(folder, tensorboard=recipe.training.tensorboard)
    validator = Validator(
        SplitReader(val_split, preprocessing, resize_target=False), preprocessing, World(0, 1, torch.device("cpu")),
        folder / "samples", samples=recipe.training.samples, say=say,
    )  # fmt: skip
    with Progress(console, len(train_split), 0, 1) as progress:
        started = time.perf_counter()
        samples = _draw(model, SplitReader(train_split, preprocessing, resize_target=True), recipe, progress, say)
        drawn = time.perf_counter()
        model.head.fit(samples, seed=recipe.training.seed, progress=progress.stage)
        fitted = time.perf_counter()
        say(
            f"{len(samples.labels):,} pixels drawn in {drawn - started:.1f} s, "
            f"{recipe.model.architecture} fitted in {fitted - drawn:.1f} s"
        )
        scores = validator.score(model.eval(), 1, "fp32", progress)
    reached = {f"val_{name}": value for name, value in flat_scores(scores, dataset.space).items()}
    say(f"val mIoU {scores.miou:.4f}  pixel accuracy {scores.pixel_accuracy:.4f}")
    metrics = {"split": val_split.name, "pixels": len(samples.labels), **reached}
    bundle = bundle_of(recipe, dataset.space, preprocessing, model, metrics)
    bundle.save(folder / "last.safetensors")
    bundle.save(best)
    row: Row = {"epoch": 1, "step": 1, "pixels": len(samples.labels)}
    log.add(row | {"seconds_drawing": drawn - started, "seconds_fitting": fitted - drawn, **reached})
    return Run(folder, best, {name.removeprefix("val_"): value for name, value in reached.items()})


def draw(
    model: ClassicalModel,
    pictures: Iterable[tuple[tuple[int, int], Iterable[Window]]],
    preprocessing: Preprocessing,
    *,
    pixels: int,
    classes: int | None,
    seed: int,
) -> PixelSample:
    """Draw pixels from a stream of pictures and compute their features.

    Args:
        model: whose features.
        pictures: for each its (height, width) and its windows.
        preprocessing: from pixels to what the model sees.
        pixels: most pixels in all.
        classes: classes that share them equally; None draws from labelled and unlabelled pixels alike.
        seed: of the drawing.
    """
    sample = PixelSample(pixels, classes, len(model.encoder), seed=seed)
    for (height, width), windows in pictures:
        whole = Place((0, height), (0, width), (height, width))
        for strip, seen, labels in windows:
            choice = sample.choose(labels)
            if choice:  # strips without a scribble cost nothing
                values = normalise(seen, preprocessing)[0].permute(1, 2, 0).contiguous().numpy()
                features, groups = model.describe(values, strip, within(whole, strip, height))
                sample.add(choice, labels, features if groups is None else features[:, groups])
    return sample


def _draw(
    model: ClassicalModel, reader: SplitReader, recipe: Recipe, progress: Progress, say: Callable[[str], None]
) -> Samples:
    """Pixels of the training split, weighted; complains about classes that cannot be learned."""
    split, settings = reader.split, recipe.training
    space, needs_labels = split.space, model.head.needs_labels
    labelled = np.zeros(len(space), np.int64)

    def pictures() -> Iterable[tuple[tuple[int, int], Iterable[Window]]]:
        failures: list[str] = []
        for index in range(len(split)):
            progress.stage("reading pictures", index, len(split))
            try:
                image, target = reader.read(index)
            except DataError as error:
                failures.append(str(error))
                say(f"left out: {error}")
                if len(failures) > settings.max_bad_samples * len(split):
                    raise DataError(
                        f"{len(failures)} of {len(split)} training samples cannot be read, more than "
                        f"training.max_bad_samples allows; the last: {error}; run: intarsia data check"
                    ) from error
                continue
            labels = np.where(target < len(space), target.astype(np.int64), UNLABELLED)
            labelled[:] += np.bincount(labels[labels != UNLABELLED], minlength=len(space))
            height, width = labels.shape
            yield (
                (height, width),
                (
                    (strip, image[strip.seen_top : strip.seen_bottom], labels[strip.top : strip.bottom].ravel())
                    for strip in model.strips(height, width)
                ),
            )

    sample = draw(
        model, pictures(), preprocessing_of(model, recipe), pixels=settings.pixels,
        classes=len(space) if needs_labels else None, seed=settings.seed,
    )  # fmt: skip
    _check_classes(labelled, space, split, say, needs_two=needs_labels)
    features, labels = sample.result()
    return Samples(features, labels, _weights(labels, labelled, class_weights(recipe, split)))


def _check_classes(
    labelled: NDArray[np.int64], space: LabelSpace, split: Split, say: Callable[[str], None], *, needs_two: bool
) -> None:
    present = np.flatnonzero(labelled)
    if not len(present):
        raise DataError(
            f"the split {split.name!r} has no labelled pixel; label some, or run: intarsia data check. To cluster "
            "pictures without labels: intarsia segment PHOTO -m kmeans"
        )
    if needs_two and len(present) == 1:
        raise DataError(
            f"all labelled pixels of the split {split.name!r} are {space.names[present[0]]!r}: there is nothing to "
            "tell apart; label pixels of another class too"
        )
    missing = [name for name, count in zip(space.names, labelled, strict=True) if not count]
    if missing:
        say(f"no labelled pixel in training, so never predicted: {', '.join(missing)}")


def _weights(
    labels: NDArray[np.int64], labelled: NDArray[np.int64], factors: list[float] | None
) -> NDArray[np.float32]:
    """Weights of the drawn pixels with mean 1: each class weighs what all of its pixels do, times its factor."""
    known = labels != UNLABELLED
    drawn = np.bincount(labels[known], minlength=len(labelled))
    share = labelled / np.maximum(drawn, 1) * (1.0 if factors is None else np.array(factors))
    weights = np.where(known, share[labels], 1.0)
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def _speaker(console: Console | None) -> Callable[[str], None]:
    def say(text: str) -> None:
        if console is not None:
            console.print(text, highlight=False, markup=False)

    return say

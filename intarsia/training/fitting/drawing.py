"""Draw what classical models are fitted to: pixels and points of the training data, with their features."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets import Dataset, PictureSplit
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.splits import MediumName
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.source import Place
from intarsia.models import SegmentationModel
from intarsia.models.classical import ClassicalModel, FittingData
from intarsia.models.classical.model import UNLABELLED, Strip, within
from intarsia.preprocessing import AnyPreprocessing, Preprocessing
from intarsia.recipe import Recipe
from intarsia.training.distributed import World
from intarsia.training.feeds.batches import SplitReader
from intarsia.training.feeds.clouds import CloudFeed
from intarsia.training.feeds.contract import Say, Scoring
from intarsia.training.feeds.scoring import Validator
from intarsia.training.fitting.sampling import PixelSample
from intarsia.training.plan.setup import class_weights, preprocessing_of
from intarsia.training.progress import Progress
from intarsia.transforms.preprocess import normalise

Window = tuple[Strip, NDArray[np.uint8], NDArray[np.int64]]
"""A strip of a picture, the rows (h, W, 3) that it has to see, and the labels (P,) of its own pixels."""


@dataclass(frozen=True)
class Material:
    """One medium's way from a data set to samples and scores.

    Attributes:
        preprocessing: from the source to the model's input; goes into the bundle.
        validator: scores the model.
        draw: the weighted samples to fit to.
        unit: "pixel" or "point".
    """

    preprocessing: AnyPreprocessing
    validator: Scoring
    draw: Callable[[Progress], FittingData]
    unit: str


def of_pictures(
    recipe: Recipe, model: ClassicalModel, dataset: Dataset, world: World, folder: Path, say: Say
) -> Material:
    """Pixels of the training pictures.

    Args:
        recipe: names the splits, and says how many pixels and how heavy the classes are.
        model: whose features.
        dataset: the data.
        world: the one process.
        folder: for pictures of validation samples.
        say: told what was left out, in sentences.
    """
    preprocessing = preprocessing_of(model, recipe)
    train, val = (cast(PictureSplit, dataset.split(name)) for name in (recipe.data.train, recipe.data.val))
    validator = Validator(
        SplitReader(val, preprocessing, resize_target=False), preprocessing, world, folder,
        samples=recipe.training.samples, say=say,
    )  # fmt: skip
    reader = SplitReader(train, preprocessing, resize_target=True)
    return Material(preprocessing, validator, partial(_pixels, model, reader, recipe, say=say), "pixel")


def of_clouds(
    recipe: Recipe, model: SegmentationModel, dataset: Dataset, world: World, folder: Path, say: Say
) -> Material:
    """Points of the training clouds; for the arguments, see `of_pictures`."""
    train, val = (cast(CloudSplit, dataset.split(name)) for name in (recipe.data.train, recipe.data.val))
    feed = CloudFeed(recipe, model, train, val, world, folder, say)
    return Material(feed.preprocessing, feed.validator, partial(_points, feed, recipe, say=say), "point")


MATERIALS: dict[MediumName, Callable[..., Material]] = {
    "picture": of_pictures,
    "raster": of_pictures,
    "volume": of_pictures,
    "cloud": of_clouds,
}
"""What classical models of each medium are fitted to."""


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
                values = np.ascontiguousarray(normalise(seen, preprocessing)[0].transpose(1, 2, 0))
                features, groups = model.describe(values, strip, within(whole, strip, height))
                sample.add(choice, labels, features if groups is None else features[:, groups])
    return sample


def _pixels(model: ClassicalModel, reader: SplitReader, recipe: Recipe, progress: Progress, *, say: Say) -> FittingData:
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
    _check_classes(labelled, space, split.name, say, needs_two=needs_labels, unit="pixel")
    features, labels = sample.result()
    return FittingData(features, labels, _weights(labels, labelled, class_weights(recipe, split)))


def _points(feed: CloudFeed, recipe: Recipe, progress: Progress, *, say: Say) -> FittingData:
    """Points of the training clouds, weighted; complains about classes that cannot be learned."""
    space = feed.split.space
    sample = PixelSample(
        recipe.training.pixels, len(space), feed.scenes[0].features.shape[1], seed=recipe.training.seed
    )
    labelled = np.zeros(len(space), np.int64)
    for number, scene in enumerate(feed.scenes):
        progress.stage("drawing points", number, len(feed.scenes))
        assert scene.target is not None  # training scenes have targets
        labels = np.where(scene.target < len(space), scene.target.astype(np.int64), UNLABELLED)
        labelled += np.bincount(labels[labels != UNLABELLED], minlength=len(space))
        sample.add(sample.choose(labels), labels, scene.features.T)
    _check_classes(labelled, space, feed.split.name, say, needs_two=True, unit="point")
    features, drawn = sample.result()
    return FittingData(features, drawn, _weights(drawn, labelled, class_weights(recipe, feed.split)))


def _check_classes(
    labelled: NDArray[np.int64], space: LabelSpace, split: str, say: Say, *, needs_two: bool, unit: str
) -> None:
    present = np.flatnonzero(labelled)
    if not len(present):
        raise DataError(
            f"the split {split!r} has no labelled {unit}; label some"
            + (
                ", or run: intarsia data check. To cluster pictures without labels: intarsia segment PHOTO -m kmeans"
                if unit == "pixel"
                else ""
            )
        )
    if needs_two and len(present) == 1:
        raise DataError(
            f"all labelled {unit}s of the split {split!r} are {space.names[present[0]]!r}: there is nothing to "
            f"tell apart; label {unit}s of another class too"
        )
    missing = [name for name, count in zip(space.names, labelled, strict=True) if not count]
    if missing:
        say(f"no labelled {unit} in training, so never predicted: {', '.join(missing)}")


def _weights(
    labels: NDArray[np.int64], labelled: NDArray[np.int64], factors: list[float] | None
) -> NDArray[np.float32]:
    """Weights of the drawn pixels with mean 1: each class weighs what all of its pixels do, times its factor."""
    known = labels != UNLABELLED
    drawn = np.bincount(labels[known], minlength=len(labelled))
    share = labelled / np.maximum(drawn, 1) * (1.0 if factors is None else np.array(factors))
    weights = np.where(known, share[labels], 1.0)
    return np.asarray(weights / weights.mean(), dtype=np.float32)

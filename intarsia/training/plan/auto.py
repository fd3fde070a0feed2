"""The recipe for a data set that came without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from intarsia.datasets import Dataset
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.layouts.rasters import RasterSplit
from intarsia.datasets.layouts.volumes import VolumeSplit
from intarsia.datasets.pictures import PictureSplit
from intarsia.datasets.splits import MediumName
from intarsia.errors import DataError
from intarsia.labels import mirrored_pairs
from intarsia.recipe import Cloud, CloudAugment, Data, LossTerm, Model, Optimizer, Recipe, Training
from intarsia.training.plan.fingerprint import measure, take_fingerprint
from intarsia.training.plan.stills import Budget, plan_stills
from intarsia.transforms.clouds.features import FEATURES
from intarsia.transforms.clouds.geometry import spacing
from intarsia.zoo import bundled_recipe

_WINDOW = 1024  # pixels of a raster's side that make a sample
_CLOUD_EPOCHS, _MOST_CLOUD_EPOCHS = 60, 600


def recipe_for(dataset: Dataset, *, layout: str = "auto", minutes: float | None = None) -> Recipe:
    """A sound default for a data set; or the bundled recipe that its layout names.

    The validation split is the data set's own (or its test split, if that is all there is).

    Args:
        dataset: what will be trained on.
        layout: the layout it was opened with, written into the recipe.
        minutes: what the training is given; None: as long as it takes.

    Raises:
        DataError: the data set has no split to train or validate on, or nothing in it can be read.
    """
    name = Path(dataset.root).resolve().name
    if dataset.recipe:
        return Recipe.load(bundled_recipe(dataset.recipe)).override({"name": name})
    names = list(dataset.splits)
    if "train" not in names or not ({"val", "test"} & set(names)):
        thing = dataset.first.thing
        raise DataError(
            f"{dataset.root} has no train and val splits to work with, only: {_counts(dataset) or 'none'}; label two "
            f"{thing}s at least, or put them into the folders train/ and val/"
        )
    made = _MADE_FOR[dataset.split("train").medium](dataset, Budget.of(minutes))
    data = Data(path=str(Path(dataset.root).resolve()), layout=layout, val=_val(dataset))
    return made.override({"name": name, "data": data.model_dump(mode="json")})


def _val(dataset: Dataset) -> str:
    return "val" if "val" in dataset.splits else "test"


def _counts(dataset: Dataset) -> str:
    return ", ".join(f"{name} ({len(split)})" for name, split in dataset.splits.items())


def _for_pictures(dataset: Dataset, budget: Budget) -> Recipe:
    """As a look at them says; 16-bit ones in one range of values, so that dark pictures stay dark; left stays left."""
    split = cast(PictureSplit, dataset.split("train"))
    window = split.window()
    made = plan_stills(
        take_fingerprint(split), budget, classes=len(dataset.space), validated=len(dataset.split(_val(dataset)))
    )
    sides = mirrored_pairs(dataset.space.names)
    return made.override(
        ({"augment.sides": [list(pair) for pair in sides]} if sides else {})
        | ({} if window is None else {"input.window": list(window)})
    )


def _for_volumes(dataset: Dataset, budget: Budget) -> Recipe:
    """Three neighbouring slices in the window of the foreground; a body is not its mirror image, and has no colour."""
    split = cast(VolumeSplit, dataset.split("train"))
    made = plan_stills(measure(split), budget, classes=len(dataset.space), validated=len(dataset.split(_val(dataset))))
    return made.override(
        {"input.slices": 3, "input.window": split.window(), "augment.flip": 0.0, "augment.saturation": 0.0}
    )


def _for_rasters(dataset: Dataset, budget: Budget) -> Recipe:
    """Own resolution, all bands, and no side of a map is up."""
    split = cast(RasterSplit, dataset.split("train"))
    look = replace(measure(split), upright=False)
    # Samples are windows of about a thousand pixels.
    each = max(1, look.height * look.width // _WINDOW**2)
    made = plan_stills(
        look, budget, classes=len(dataset.space), validated=each * len(dataset.split(_val(dataset))),
        seen=each * len(split), rescale=False,
    )  # fmt: skip
    channels = split.channels()
    if channels is None:
        return made
    bands, ranges = channels
    return made.override(
        {"input.bands": list(bands), "input.window": [list(one) for one in ranges]}
        | {"model.options.in_channels": len(bands), "augment.saturation": 0.0}
    )


def _for_clouds(dataset: Dataset, budget: Budget) -> Recipe:
    """RandLA-Net on all features that the files have, thinned to twice the spacing."""
    split = cast(CloudSplit, dataset.split("train"))
    cloud = split.open(split.items[0]).read()
    features = [
        name for name, known in FEATURES.items()
        # Many files have room for colours that they never got.
        if name not in ("position", "normals")
        and all(need in cloud.fields and cloud.fields[need].any() for need in known.needs)
    ]  # fmt: skip
    xyz = cloud.xyz[np.isfinite(cloud.xyz).all(axis=1)]
    gap = spacing((xyz - xyz.mean(axis=0)).astype(np.float32))
    return Recipe(
        description=f"Written by intarsia train for {len(split)} clouds of {len(dataset.space)} classes.",
        model=Model(architecture="randlanet"),
        cloud=Cloud(
            features=features, points=8192, voxel=float(f"{2 * gap:.2g}"), augment=CloudAugment(jitter=gap / 10)
        ),
        optimizer=Optimizer(lr=5e-3),
        training=Training(
            epochs=_CLOUD_EPOCHS if budget.minutes is None else _MOST_CLOUD_EPOCHS, batch_size=4,
            class_weights="sqrt_median_frequency",
            loss=[LossTerm(name="cross_entropy"), LossTerm(name="lovasz", weight=0.5)],
        ),
    )  # fmt: skip


_MADE_FOR: dict[MediumName, Callable[[Dataset, Budget], Recipe]] = {
    "picture": _for_pictures,
    "volume": _for_volumes,
    "raster": _for_rasters,
    "cloud": _for_clouds,
}

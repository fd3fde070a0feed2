"""What a medium's labelled data can do stands in its split, be it one that the package does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intarsia.datasets import Dataset, Item, PictureSplit, Split
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.datasets.layouts.rasters import RasterSplit
from intarsia.datasets.layouts.volumes import VolumeSplit
from intarsia.datasets.packing import pack
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud
from intarsia.recipe import Recipe
from intarsia.training.plan.setup import check_medium

SPACE = LabelSpace(("silence", "speech"))


class Sounds(Split):
    """Recordings, each moment labelled."""

    medium = "sound"  # type: ignore[assignment]
    plural, thing, unit, extent = "sounds", "sound", "moment", "Lengths"
    options, learners, unlabelled = frozenset[str](), frozenset({"sound"}), (255, 255, 255)

    def _none(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    read = count = describe = picture = check = remapped = for_input = _none


@pytest.fixture
def sounds(tmp_path: Path) -> Sounds:
    items = tuple(Item(name, tmp_path / f"{name}.wav", tmp_path / f"{name}.csv") for name in ("a", "b"))
    return Sounds("train", SPACE, items, tmp_path)


def _dataset(split: Split) -> Dataset:
    return Dataset(split.root, "sounds", SPACE, {"train": split})


def test_files_are_the_items_where_nothing_else_is_said(sounds: Sounds) -> None:
    assert sounds.files() == [(sounds.root / "a.wav", [0]), (sounds.root / "b.wav", [1])]


def test_labels_that_are_no_map_are_none(sounds: Sounds) -> None:
    assert not sounds.has_maps
    with pytest.raises(UsageError, match=r"^the labels of sounds are no maps of pixels$"):
        sounds.target(sounds.items[0])


def test_what_an_item_shows_as_numbers(sounds: Sounds) -> None:
    class Loud(Sounds):
        def read(self, index: int) -> Any:
            return np.arange(3) + index, np.zeros(3, np.uint8)

    class Heap(CloudSplit):
        def read(self, index: int) -> Any:
            return PointCloud(np.full((2, 3), 7.0)), np.zeros(2, np.uint8)

    assert Loud("train", SPACE, sounds.items, sounds.root).shows(1).tolist() == [1, 2, 3]
    assert Heap("train", SPACE, sounds.items, sounds.root, {}).shows(0).tolist() == [[7.0] * 3] * 2


def test_it_is_not_packed(sounds: Sounds, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^shards hold pictures, and the data in .* are sounds$"):
        pack(_dataset(sounds), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_it_teaches_what_its_split_says(sounds: Sounds) -> None:
    recipe = Recipe().override({"model.architecture": "randlanet"})
    with pytest.raises(UsageError, match=r"^randlanet takes point clouds, but the data in .* are sounds$"):
        check_medium(recipe, _dataset(sounds))
    with pytest.raises(UsageError, match=r"^unet takes pictures, but the data in .* are sounds$"):
        check_medium(recipe.override({"model.architecture": "unet"}), _dataset(sounds))


def test_what_only_some_splits_can() -> None:
    kinds = (PictureSplit, RasterSplit, VolumeSplit, CloudSplit)
    assert [one.has_maps for one in kinds] == [True, True, True, False]
    assert [one.makes_clips for one in kinds] == [True, True, True, False]
    assert [one.fits_shards for one in kinds] == [True, False, False, False]

"""The table of layouts: public data sets of any medium are one file and one line, and options know their medium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intarsia.datasets import PictureSplit, ReadOptions, open_dataset
from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.clouds import CloudReading, CloudSplit, FileOpener
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading, Reading
from intarsia.datasets.layouts.table import LAYOUTS
from intarsia.datasets.public import ENTRIES
from intarsia.datasets.public.entry import by_name, layout, pairs_of
from intarsia.datasets.splits import Item
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("land", "sea"))
CODES = {0: 0, 1: 1}


def read_pictures(content: Content) -> Reading:
    parts = [by_name(s, content.root / "shots" / s, content.root / "truth", lambda p: p) for s in ("train", "val")]
    return PictureReading(SPACE, MaskCoding(values=CODES), pairs_of(*parts), ("Coasts.",))


def read_clouds(content: Content) -> Reading:
    files = sorted((content.root / "soundings").glob("*.txt"))
    clouds = tuple((file.stem.split("-")[0], Item(file.stem, file, file)) for file in files)
    return CloudReading(SPACE, CODES, clouds, ("Depths.",), FileOpener("x y z label"), complete=True)


def entry(name: str) -> Any:
    return replace(ENTRIES["camvid"], name=name, title=name.capitalize(), space=lambda: SPACE)


FAKE: dict[str, Layout] = {
    "coasts": layout(entry("coasts"), "photos", lambda content: (content.root / "shots").is_dir(), read_pictures),
    "depths": layout(
        entry("depths"), "soundings", lambda content: (content.root / "soundings").is_dir(), read_clouds,
        kind=CloudSplit, sole=True, recipe="object-parts",
    ),
}  # fmt: skip


@pytest.fixture
def coasts(write: Callable[..., Path], tmp_path: Path) -> Path:
    for number, split in enumerate(("train", "train", "val")):
        write(f"shots/{split}/{number}.png")
        write(f"truth/{number}.png", np.full((8, 12), number % 2, np.uint8))
    return tmp_path


@pytest.fixture
def depths(tmp_path: Path) -> Path:
    (tmp_path / "soundings").mkdir()
    for name in ("train-a", "train-b", "val-c"):
        np.savetxt(tmp_path / f"soundings/{name}.txt", [[0, 0, 0, 1], [1, 1, 0, 0], [2, 0, 1, 7]], fmt="%d")
    return tmp_path


def test_a_public_set_of_pictures(coasts: Path) -> None:
    data = open_dataset(coasts, layouts=FAKE | LAYOUTS)
    assert (data.layout, data.space, data.notes) == ("coasts", SPACE, ("Coasts.",))
    assert {name: [item.id for item in split.items] for name, split in data.splits.items()} == {
        "train": ["train/0", "train/1"],
        "val": ["val/2"],
    }
    assert isinstance(data.first, PictureSplit) and data.first.medium == "picture"
    assert not data.check().errors
    assert data.describe()["train"].counts.pixels.tolist() == [96, 96]


def test_a_public_set_of_clouds(depths: Path) -> None:
    data = open_dataset(depths, layouts=FAKE | LAYOUTS)
    assert (data.layout, data.notes, data.recipe) == ("depths", ("Depths.",), "object-parts")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 2, "val": 1}
    assert data.split("val").read(0)[1].tolist() == [1, 0, 255]
    assert not data.check().errors
    look = data.first.picture(0, 20)
    assert look.input.shape == look.target.shape and look.labels == {0, 1, 255}
    with pytest.raises(UsageError, match=r"the classes of Depths are its own \(land, sea, \.\.\.\): leave classes out"):
        open_dataset(depths, ReadOptions(classes=["deep"]), layouts=FAKE | LAYOUTS)


def test_annotations_beside_photos_are_no_rooms(write: Callable[..., Path], tmp_path: Path) -> None:
    write("images/a.png")
    write("masks/a.png", np.eye(8, 12, dtype=np.uint8))
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/a.txt").write_text("0 0 0 0 0 0\n")
    assert open_dataset(tmp_path).layout == "folder"


def test_every_layout_says_what_its_splits_are() -> None:
    assert {name for name, known in LAYOUTS.items() if known.kind.medium == "cloud"} >= {
        "clouds",
        "s3dis",
        "shapenet-part",
    }
    assert LAYOUTS["lits"].kind.medium == LAYOUTS["volumes"].kind.medium == "volume"
    assert {name for name, known in LAYOUTS.items() if known.tools} == {"annotations"}
    assert {known.dataset for known in LAYOUTS.values()} == {"", *ENTRIES}


@pytest.mark.parametrize("option", ["columns", "label"])
def test_pictures_take_no_options_of_clouds(option: str, coasts: Path) -> None:
    with pytest.raises(UsageError, match=rf"{coasts}: {option} is no option of pictures, as which the data are read"):
        open_dataset(coasts, ReadOptions.from_dict({option: "x y z"}), layouts=FAKE)


@pytest.mark.parametrize("option", [{"resize_masks": True}, {"tolerant": True}, {"reader": {"tool": "cvat"}}])
def test_clouds_take_no_options_of_pictures(option: dict[str, Any], depths: Path) -> None:
    (name,) = option
    with pytest.raises(UsageError, match=f"{name} is no option of point clouds, as which the data are read"):
        open_dataset(depths, ReadOptions.from_dict(option), layouts=FAKE)

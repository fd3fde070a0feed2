"""Synthetic scenes, the preview of a split, and the catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intarsia.datasets import open_dataset
from intarsia.datasets.catalogue import own_layouts
from intarsia.datasets.checks.preview import contact_sheet
from intarsia.datasets.synthetic import SCENE, write_scenes
from intarsia.errors import UsageError


def test_scenes_are_a_clean_data_set(tmp_path: Path) -> None:
    data = open_dataset(write_scenes(tmp_path / "scenes", 10, (32, 48), seed=3))
    assert data.space.names == SCENE.names
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 8, "val": 2}
    image, target = data.split("train").read(0)
    assert image.shape == (32, 48, 3)
    assert target.max() < len(SCENE)
    report = data.check()
    assert report.errors == []
    assert (report.counts["train"].pixels > 0).all()


def test_scenes_are_reproducible(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", 2, (16, 16), seed=1)
    write_scenes(tmp_path / "b", 3, (16, 16), seed=1)
    write_scenes(tmp_path / "c", 2, (16, 16), seed=2)
    first, same, other = ((tmp_path / name / "images/scene_001.png").read_bytes() for name in "abc")
    assert first == same
    assert first != other


def test_scenes_never_overwrite(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="is not empty"):
        write_scenes(tmp_path, 1)
    with pytest.raises(UsageError, match="at least 1 of 8x8"):
        write_scenes(tmp_path / "new", 0)


def test_contact_sheet(tmp_path: Path) -> None:
    split = open_dataset(write_scenes(tmp_path / "scenes", 3, (32, 48)), val_fraction=0).splits["all"]
    sheet = contact_sheet(split, count=2, cell=48, opacity=1.0)
    pixels = np.asarray(sheet)
    _, target = split.read(0)
    photo, overlay = pixels[28:60, 8:56], pixels[28:60, 64:112]
    assert np.array_equal(photo, split.read(0)[0])
    assert np.array_equal(overlay, split.space.colors()[target])
    legend = {tuple(color) for color in pixels[136:].reshape(-1, 3).tolist()}
    assert split.space.palette[target[0, 0]] in legend


def test_contact_sheet_shows_what_cannot_be_read(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "scenes", 1, (16, 16))
    split = open_dataset(folder).splits["train"]
    (folder / "images/scene_000.png").write_bytes(b"")
    pixels = np.asarray(contact_sheet(split, cell=200)).reshape(-1, 3).astype(int)
    assert ((pixels[:, 0] > 150) & (pixels[:, 1] < 100)).any(), "no red text"


def test_the_catalogue_says_how_the_files_of_your_own_lie() -> None:
    found = own_layouts()
    assert list(found)[:2] == ["folder", "clouds"] and len(found) == 11
    assert all(known.files for known in found.values())
    assert "labelme, cvat" in found["annotations"].about

"""nnU-Net's raw data of pictures, and the names in dataset.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from intarsia.datasets import open_dataset
from intarsia.datasets.layouts.nnunet import class_names
from intarsia.errors import DataError

MASK = np.array([[0, 1, 2, 3]], np.uint8).repeat(8, axis=0).repeat(3, axis=1)


@pytest.mark.parametrize(
    ("labels", "names", "values"),
    [
        ({"background": 0, "road": 1}, ("background", "road"), (0, 1)),
        ({"0": "background", "1": "liver"}, ("background", "liver"), (0, 1)),
        ({"none": 0, "whole": [1, 2, 3], "core": [2, 3], "top": 3}, ("none", "whole", "core", "top"), (0, 1, 2, 3)),
        ({"background": 0, "road": 1, "ignore": 2}, ("background", "road", "ignore"), (0, 1, 2)),
    ],
)  # fmt: skip
def test_names(tmp_path: Path, labels: dict, names: tuple[str, ...], values: tuple[int, ...]) -> None:
    assert class_names(tmp_path) is None
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    found = class_names(tmp_path)
    assert found is not None and (found.names, found.values) == (names, values)


def test_pictures(write: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(3):
        write(f"imagesTr/road_{number:03}_0000.png")
        write(f"labelsTr/road_{number:03}.png", MASK)
    write("imagesTs/road_900_0000.png")
    labels = {"background": 0, "road": 1, "car": 2, "ignore": 3}
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "R"}, "labels": labels}))
    data = open_dataset(tmp_path, val_fraction=0)
    assert (data.layout, data.space.names) == ("nnunet", ("background", "road", "car"))
    assert [item.id for item in data.splits["train"].items] == ["train/road_000", "train/road_001", "train/road_002"]
    assert np.array_equal(data.splits["train"].read(0)[1], np.where(MASK == 3, 255, MASK))


def test_channels_in_files_of_their_own_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    write("imagesTr/road_0000.png")
    write("imagesTr/road_0001.png")
    write("labelsTr/road.png", MASK)
    with pytest.raises(DataError, match=r"each case has 2 channels.*_0000, _0001.*gdal_merge\.py -separate"):
        open_dataset(tmp_path, val_fraction=0)

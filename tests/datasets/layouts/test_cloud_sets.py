"""Folders of clouds: what divides them, and classes that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intarsia.datasets import Dataset, open_dataset

laspy = pytest.importorskip("laspy", reason="clouds need intarsia[clouds]")

CODES = np.arange(30, dtype=np.uint8) % 3 * 2  # 0, 2, 4


def write_las(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = laspy.LasData(laspy.LasHeader(version="1.4", point_format=6))
    data.x = data.y = data.z = np.arange(30.0)
    data.classification = CODES
    data.write(path)


def splits(dataset: Dataset) -> dict[str, list[str]]:
    return {name: [item.id.rpartition("/")[2] for item in split.items] for name, split in dataset.splits.items()}


@pytest.mark.parametrize("above", ["", "data/", "scene/clouds/"])
def test_folders_of_splits_may_lie_deeper(tmp_path: Path, above: str) -> None:
    for place in ("train/a", "train/b", "val/c"):
        write_las(tmp_path / f"{above}{place}.las")
    assert splits(open_dataset(tmp_path, val_fraction=0)) == {"train": ["a", "b"], "val": ["c"]}


@pytest.mark.parametrize("suffix", ["", ".las"])
def test_lists_divide_clouds(tmp_path: Path, suffix: str) -> None:
    for name in "abc":
        write_las(tmp_path / f"{name}.las")
    (tmp_path / "train.txt").write_text(f"a{suffix}\nc{suffix}\n")
    (tmp_path / "val.txt").write_text(f"b{suffix}\n")
    dataset = open_dataset(tmp_path)
    assert splits(dataset) == {"train": ["a", "c"], "val": ["b"]}
    assert "Splits are those of train.txt, val.txt." in dataset.notes


@pytest.mark.parametrize("void", ["unlabeled", "Don't care"])
def test_a_class_of_nothing_is_not_learnt(tmp_path: Path, void: str) -> None:
    write_las(tmp_path / "a.las")
    (tmp_path / "classes.txt").write_text(f"0: {void}\n2: ground\n4: trees\n")
    dataset = open_dataset(tmp_path, val_fraction=0)
    assert dataset.space.names == ("ground", "trees")
    assert f"The class {void} of {tmp_path / 'classes.txt'} is ignored (not labelled)." in dataset.notes
    target = dataset.split("all").read(0)[1]
    assert np.array_equal(target, np.select([CODES == 2, CODES == 4], [0, 1], dataset.space.ignore_index))

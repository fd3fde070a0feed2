"""Folders of labelled clouds: splits, codes and class names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trees

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.layouts.clouds import decode
from intarsia.datasets.public.s3dis import AREAS, S3DIS
from intarsia.datasets.remap import Remap, remapped
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, write_labels

pytest.importorskip("laspy")
NAMES = LabelSpace(("ground", "building", "wall"))  # codes 2, 6 and 64


def put(path: Path, labels: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    given = PointCloud(np.random.default_rng(0).uniform(size=(len(labels), 3)))
    write_labels(open_cloud(given), path, np.array(labels, np.uint8), NAMES)


def test_codes_that_occur_become_classes_with_their_standard_names(tmp_path: Path) -> None:
    put(tmp_path / "train/a.laz", [0, 0, 1, 255])  # 255 is written as 0, never classified
    put(tmp_path / "val/b.laz", [2, 1])
    found = open_dataset(tmp_path)
    assert found.space.names == ("ground", "building", "class_64")
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 1, "val": 1}
    assert found.split("train").read(0)[1].tolist() == [0, 0, 1, 255]
    counts = found.split("train").count()
    assert (counts.pixels.tolist(), counts.ignored) == ([2, 1, 0], 1)


def test_named_classes_choose_and_the_rest_is_ignored(tmp_path: Path) -> None:
    put(tmp_path / "a.laz", [0, 1, 2])
    split = open_dataset(tmp_path, ReadOptions(classes=["building", "ground"]), val_fraction=0).split("all")
    assert split.codes == {0: 255, 7: 255, 18: 255, 6: 0, 2: 1}
    assert split.read(0)[1].tolist() == [1, 0, 255]
    assert split.space.palette[0] == (213, 60, 50)
    with pytest.raises(UsageError, match="Did you mean 'building'"):
        open_dataset(tmp_path, ReadOptions(classes=["bilding"]))
    (tmp_path / "classes.txt").write_text("64: wall\n2: ground\n")
    assert open_dataset(tmp_path, val_fraction=0).split("all").read(0)[1].tolist() == [1, 255, 0]


def test_files_are_divided_when_they_are_not(tmp_path: Path) -> None:
    for name in "abcde":
        put(tmp_path / f"{name}.laz", [0, 1])
    found = open_dataset(tmp_path)
    assert (len(found.split("train")), len(found.split("val"))) == (4, 1)
    assert found.notes[-1].startswith("The data set has no val split: 1 of 5 clouds were set aside for it")
    assert found.splits["val"].items == open_dataset(tmp_path).splits["val"].items


def test_val_is_set_aside_and_what_lies_outside_is_trained_on(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "c"):
        put(tmp_path / f"{name}.laz", [0, 1])
    found = open_dataset(tmp_path)
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 2, "val": 1}
    assert found.notes[-2] == "1 labelled cloud outside the split folders was added to train."
    assert set(open_dataset(tmp_path, val_fraction=0).splits) == {"train"}


def test_codes_elsewhere_count_from_zero(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.txt", [[0, 0, 0, 5], [1, 1, 1, 0], [2, 2, 2, 1]], fmt="%d")
    split = open_dataset(tmp_path, ReadOptions(classes=["a", "b"], columns="x y z label"), val_fraction=0).split("all")
    assert split.read(0)[1].tolist() == [255, 0, 1]


def test_rooms_of_s3dis(tmp_path: Path) -> None:
    root = trees.s3dis(tmp_path)
    found = open_dataset(root)
    assert (found.layout, found.space) == ("s3dis", S3DIS)
    assert {item.id.split("/")[-2] for item in found.split("val").items} == {"Area_5"}
    assert (len(found.split("train")), len(found.split("val"))) == (15, 3)
    cloud, target = found.split("train").read(0)
    assert cloud.xyz.shape == (3, 3)
    assert [found.space.names[label] for label in target] == ["ceiling", "floor", "clutter"]
    for area in AREAS:
        fold = open_dataset(root, ReadOptions(layout=f"s3dis-area-{area}"))
        assert {item.id.split("/")[-2] for item in fold.split("val").items} == {f"Area_{area}"}
    with pytest.raises(UsageError, match=r"the classes of S3DIS.* are its own \(ceiling, floor, wall, ...\)"):
        open_dataset(root, ReadOptions(classes=["ceiling"]))


def test_rooms_without_their_areas_are_divided_by_name(tmp_path: Path) -> None:
    for name in ("office_1", "hall_2", "hall_3"):
        folder = tmp_path / name / "Annotations"
        folder.mkdir(parents=True)
        (folder / "table_1.txt").write_text("0 0 0 1 2 3\n1 1 1 1 2 3\n")
        (folder / "floor_1.txt").write_text("0 0 0 1 2 3\n")
    found = open_dataset(tmp_path)
    assert (len(found.split("train")), len(found.split("val"))) == (2, 1)
    whole = open_dataset(tmp_path, val_fraction=0).split("all")
    assert whole.read(0)[1].tolist() == [1, 7, 7]
    with pytest.raises(DataError, match="it has no Area_N/ROOM/Annotations"):
        open_dataset(tmp_path, ReadOptions(layout="s3dis"))


def test_description_counts_points(tmp_path: Path) -> None:
    put(tmp_path / "train/a.laz", [0, 0, 1, 255])
    put(tmp_path / "val/b.laz", [1])
    dataset = open_dataset(tmp_path)
    found = dataset.to_json(dataset.describe())
    assert {name: (one["clouds"], one["points"]) for name, one in found["splits"].items()} == {
        "train": (1, 4),
        "val": (1, 1),
    }
    assert [one["points"] for one in found["splits"]["train"]["classes"]] == [2, 1]
    assert found["splits"]["train"]["ignored_share"] == 0.25


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clouds in this folder"):
        open_dataset(tmp_path, ReadOptions(layout="clouds"))
    with pytest.raises(UsageError, match=r"no data set layout is named 's3di'.*'s3dis'"):
        open_dataset(tmp_path, ReadOptions(layout="s3di"))
    np.save(tmp_path / "a.npy", np.zeros((4, 3)))
    with pytest.raises(DataError, match="no class codes"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match=r"it has no class codes.*data.label=NAME"):
        open_dataset(tmp_path, ReadOptions(classes=["a"]), val_fraction=0).split("all").read(0)


def test_classes_are_renamed_joined_and_left_out_by_name(tmp_path: Path) -> None:
    put(tmp_path / "a.laz", [0, 1, 2, 255])
    found = open_dataset(tmp_path, ReadOptions(classes=["building", "ground"]), val_fraction=0)
    joined = remapped(found, Remap.from_dict({"map": {"building": "solid", "ground": "solid"}}))
    assert joined.space.names == ("solid",)
    assert joined.split("all").read(0)[1].tolist() == [0, 0, 255, 255]
    assert joined.notes[-1] == "Remapped from 2 classes to 1: solid."
    (tmp_path / "classes.txt").write_text("6: building\n2: ground\n64: wall\n")
    said = Remap.from_dict({"map": {"wall": "ignore"}, "classes": ["ground", "building"]})
    changed = remapped(open_dataset(tmp_path, val_fraction=0), said)
    assert changed.split("all").read(0)[1].tolist() == [0, 1, 255, 255]
    assert changed.split("all").codes[64] == 255
    with pytest.raises(UsageError, match="Did you mean 'building'"):
        remapped(found, Remap.from_dict({"map": {"bilding": "solid"}}))


def test_codes_of_any_size_are_decoded() -> None:
    """A lookup table from the lowest to the highest would fill the memory."""
    codes = {-5: 0, 3_000_000_000: 1, 7: 255}
    stored = np.array([3_000_000_000, 7, -5, 8, -6, 2**40])
    assert decode(stored, codes, NAMES).tolist() == [1, 255, 0, 255, 255, 255]


def test_what_was_decided_about_tables_is_said(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = np.hstack([random.uniform(0, 9, (80, 3)), random.integers(1, 4, (80, 1))])
    for name in ("a", "b"):
        np.savetxt(tmp_path / f"{name}.csv", rows, fmt="%.3f", delimiter=",")
    found = open_dataset(tmp_path)
    assert found.space.names == ("class_1", "class_2", "class_3")
    assert "taken for 'x y z label', by their values (--columns says otherwise) (in 2 of 2 clouds)" in found.notes[1]
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").rename(tmp_path / f"{name}.pts")
        np.savetxt(tmp_path / f"{name}.pts", rows, fmt="%.3f")
    with pytest.raises(DataError, match=r"no class codes in 2 clouds.*--columns 'x y z _ label'.*'x y z intensity'"):
        open_dataset(tmp_path)
    named = open_dataset(tmp_path, ReadOptions(columns="x y z label"))
    assert len(named.space) == 3 and len(named.notes) == 2


def test_labels_of_which_there_are_two_are_asked_for(tmp_path: Path) -> None:
    head = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    rows = "0 0 0 1 0\n0 0 0 1 1\n0 0 0 2 0\n0 0 0 2 1\n"
    (tmp_path / "a.ply").write_text(f"{head}property uchar class\nproperty uchar label\nend_header\n{rows}")
    with pytest.raises(DataError, match="class and label could be the class codes, and they differ"):
        open_dataset(tmp_path, val_fraction=0)
    split = open_dataset(tmp_path, ReadOptions(classes=["a", "b"]), val_fraction=0).split("all")
    with pytest.raises(DataError, match=r"a\.ply: it has no class codes.*class and label could be"):
        split.read(0)
    named = open_dataset(tmp_path, ReadOptions(label="class"), val_fraction=0)
    assert named.space.names == ("class_1", "class_2")

"""Lists that came with the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.splits import Dataset
from intarsia.errors import DataError

Write = Callable[..., Path]
MASK = np.array([[0, 1, 2, 2]], np.uint8).repeat(8, axis=0).repeat(3, axis=1)
SPLIT = ("train", "valid")
NAMES = tuple(f"pic {number}" for number in range(6))


@pytest.fixture
def folder(write: Write, tmp_path: Path) -> Path:
    for name in NAMES:
        write(f"images/{name}.png")
        write(f"masks/{name}.png", MASK)
    return tmp_path


def lines(path: Path, *said: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(said) + "\n")
    return path


def ids(data: Dataset) -> dict[str, list[str]]:
    return {name: [Path(item.id).name for item in split.items] for name, split in data.splits.items()}


@pytest.mark.parametrize("separator", [" ", "\t", ",", " ; "])
@pytest.mark.parametrize("names", [("train_list.txt", "val_list.txt"), ("train.txt", "val.txt")])
def test_pairs_of_lists_are_taken_as_they_are(folder: Path, separator: str, names: tuple[str, str]) -> None:
    pairs = [f"images/{name}.png{separator}masks/{name}.png" for name in NAMES]
    lines(folder / names[0], *pairs[:3], "images/gone.png masks/gone.png")
    lines(folder / names[1], *pairs[3:5])
    data = open_dataset(folder)
    assert data.layout == "lists"
    assert ids(data) == {"train": list(NAMES[:3]), "val": list(NAMES[3:5])}
    assert any("left out: 1 (" in note and "line 4: images/gone.png masks/gone.png" in note for note in data.notes)
    assert len(open_dataset(folder, ReadOptions(layout="folder"))) == 6


@pytest.mark.parametrize("place", ["", "splits", "ImageSets/Segmentation"])
@pytest.mark.parametrize("form", ["{}", "{}.png", "images/{}.png", "./images/{}.png"])
def test_names_of_lists_divide_the_folder(folder: Path, place: str, form: str) -> None:
    lines(folder / place / "train.txt", *map(form.format, NAMES[:3]))
    lines(folder / place / "val.txt", *map(form.format, NAMES[3:5]))
    data = open_dataset(folder)
    assert ids(data) == {"train": list(NAMES[:3]), "val": list(NAMES[3:5])}
    assert "Labelled images that no list names, left out: 1." in data.notes


def test_a_list_of_val_leaves_the_rest_to_train(folder: Path) -> None:
    lines(folder / "valid.txt", *(f"{name}.png" for name in NAMES[4:]))
    lines(folder / "codes.txt", "sky", "road", "car")
    data = open_dataset(folder)
    assert ids(data) == {"train": list(NAMES[:4]), "val": list(NAMES[4:])}
    assert data.space.names == ("sky", "road", "car")


def test_trainval_and_test_with_numbers_behind_the_names(write: Write, tmp_path: Path) -> None:
    for number in range(4):
        write(f"images/cat_{number}.png")
        write(f"annotations/trimaps/cat_{number}.png", MASK)
    lines(tmp_path / "annotations/trainval.txt", *(f"cat_{number} 1 1 1" for number in range(3)))
    lines(tmp_path / "annotations/test.txt", "cat_3 1 1 1")
    assert ids(open_dataset(tmp_path, val_fraction=0)) == {"train": ["cat_0", "cat_1", "cat_2"], "test": ["cat_3"]}


def test_a_list_of_other_things_says_nothing(folder: Path) -> None:
    lines(folder / "train.txt", "hello world", "of trains")
    assert open_dataset(folder).layout == "folder"


@pytest.mark.parametrize(
    ("name", "first", "form"),
    [
        ("pairs.txt", (), "images/{0}.png masks/{0}.png"),
        ("pairs.tsv", (), "images/{0}.png\tmasks/{0}.png"),
        ("pairs.csv", (), "images/{0}.png,masks/{0}.png"),
        ("all.tsv", ("image\tmask\tsplit",), "images/{0}.png\tmasks/{0}.png\ttrain"),
        ("all.txt", ("mask,image",), "masks/{0}.png,images/{0}.png"),
    ],
)
def test_tables_that_are_named(folder: Path, name: str, first: tuple[str, ...], form: str) -> None:
    path = lines(folder / name, *first, *map(form.format, NAMES))
    data = open_dataset(path, val_fraction=0)
    assert len(data) == 6 and data.layout == ("manifest" if first else "lists")
    assert np.array_equal(data.first.read(0)[1], MASK)


def test_a_list_without_any_pair(folder: Path) -> None:
    path = lines(folder / "mine.txt", "images/x.png masks/x.png", "../../etc/passwd.png masks/pic 0.png")
    with pytest.raises(DataError, match=r"no line of mine.txt names an image and its mask that are here; for instance"):
        open_dataset(path)


@pytest.mark.parametrize("header", [(), ("filename",), ("image_id,width",)])
def test_tables_of_names_divide_the_folder_as_lists_do(folder: Path, header: tuple[str, ...]) -> None:
    lines(folder / "train.csv", *header, *(f"{name}.png" for name in NAMES[:4]))
    lines(folder / "val.csv", *header, *(f"{name}.png" for name in NAMES[4:]))
    assert ids(open_dataset(folder)) == {"train": list(NAMES[:4]), "val": list(NAMES[4:])}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("splits.json", '{"train": ["pic 0", "pic 1", "pic 2", "pic 3"], "val": ["pic 4.png", "images/pic 5.png"]}'),
        ("splits_final.json", '[{"train": ["pic 0", "pic 1", "pic 2", "pic 3"], "val": ["pic 4", "pic 5"]}, {}]'),
        ("split.yaml", "train: [pic 0, pic 1, pic 2, pic 3]\nval:\n- pic 4\n- images/pic 5.png\n"),
        ("labels.csv", "\n".join(["fname,is_valid", *(f"{n}.png,{i > 3}" for i, n in enumerate(NAMES))])),
        ("metadata.csv", "\n".join(["name,w,split", *(f"{n}.png,9,{SPLIT[i // 4]}" for i, n in enumerate(NAMES))])),
    ],
)  # fmt: skip
def test_one_file_of_all_splits(folder: Path, file: str, text: str) -> None:
    lines(folder / file, text)
    data = open_dataset(folder)
    assert ids(data) == {"train": list(NAMES[:4]), "val": list(NAMES[4:])}
    assert any(note.startswith(f"Splits are those of {file}") for note in data.notes)


def test_lists_of_names_in_json(folder: Path) -> None:
    lines(folder / "train.json", json.dumps([f"{name}.png" for name in NAMES[:4]]))
    lines(folder / "val.json", json.dumps(NAMES[4:]))
    assert ids(open_dataset(folder)) == {"train": list(NAMES[:4]), "val": list(NAMES[4:])}


@pytest.mark.parametrize("layout", ["pieces", "nnunet", "annotations"])
def test_lists_divide_other_layouts_too(write: Write, tmp_path: Path, layout: str) -> None:
    for name in "abcd":
        if layout == "pieces":
            write(f"images/{name}.png")
            write(f"masks/{name}_car.png", MASK // 2 * 255)
            write(f"masks/{name}_road.png", MASK % 2 * 255)
        elif layout == "nnunet":
            write(f"imagesTr/{name}_0000.png")
            write(f"labelsTr/{name}.png", MASK)
        else:
            write(f"images/{name}.png")
            lines(tmp_path / f"labels/{name}.txt", "0 0.1 0.1 0.9 0.1 0.9 0.9")
    if layout == "annotations":
        lines(tmp_path / "data.yaml", "train: train.txt\nval: val.txt\nnames: [car]")
    lines(tmp_path / "train.txt", *(f"./images/{name}.png" for name in "ad"))
    lines(tmp_path / "val.txt", "./images/b.png")
    data = open_dataset(tmp_path)
    assert (data.layout, ids(data)) == (layout, {"train": ["a", "d"], "val": ["b"]})
    assert "Labelled images that no list names, left out: 1." in data.notes

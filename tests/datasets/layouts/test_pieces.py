"""Several binary masks an image."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.errors import DataError

Write = Callable[..., Path]


def box(row: int, column: int, white: int = 255) -> NDArray[np.uint8]:
    mask = np.zeros((8, 12), np.uint8)
    mask[row : row + 3, column : column + 3] = white
    return mask


BOTH = (box(0, 0) > 0) + 2 * (box(4, 6) > 0)


@pytest.mark.parametrize(
    ("image", "masks"),
    [
        ("case{}/images/scan{}.png", ("case{}/masks/5f{}.png", "case{}/masks/9a{}.png")),
        ("images/c{}.png", ("masks/c{}_0.png", "masks/c{}_1.png")),
        ("x{}.jpg", ("x{}_mask0.png", "x{}_mask1.png")),
        ("case{}/images/scan{}.png", ("case{}/masks/o0.png", "case{}/masks/o1.png")),
        ("images/c{}.png", ("masks/c{}_polyp1.png", "masks/c{}_polyp2.png")),
        ("benign ({}).png", ("benign ({})_mask.png", "benign ({})_mask_1.png")),
    ],
)
def test_one_mask_an_object(write: Write, tmp_path: Path, image: str, masks: tuple[str, str]) -> None:
    for number in range(3):
        write(image.format(number, number))
        write(masks[0].format(number, number), box(0, 0))
        write(masks[1].format(number, number), box(4, 6))
    data = open_dataset(tmp_path, val_fraction=0)
    assert (data.layout, data.space.names) == ("pieces", ("background", "foreground"))
    assert len(data) == 3 and data.unpaired_images == data.unpaired_masks == ()
    split = pickle.loads(pickle.dumps(data.first))
    assert np.array_equal(split.read(2)[1], BOTH > 0)
    assert not data.check().errors


@pytest.mark.parametrize(
    ("image", "car", "road"),
    [
        ("images/a{}.jpg", "masks/car/a{}.png", "masks/road/a{}.png"),
        ("images/a{}.jpg", "masks/a{}_car.png", "masks/a{}_road.png"),
        ("a{}.jpg", "a{}_car.png", "a{}_road.png"),
        ("train/images/a{}.jpg", "train/masks/1. car/a{}_c.png", "train/masks/2. road/a{}_r.png"),
        ("case{}/images/a.jpg", "case{}/masks/car.png", "case{}/masks/road.png"),
    ],
)
def test_one_mask_a_class(write: Write, tmp_path: Path, image: str, car: str, road: str) -> None:
    for number in range(3):
        write(image.format(number))
        write(car.format(number), box(0, 0))
        write(road.format(number), box(4, 6, white=1))
    data = open_dataset(tmp_path, val_fraction=0)
    assert (data.layout, data.space.names) == ("pieces", ("background", "car", "road"))
    assert all(np.array_equal(data.first.read(index)[1], BOTH) for index in range(3))
    asked = open_dataset(tmp_path, ReadOptions(classes=["road", "car"]), val_fraction=0)
    assert np.array_equal(asked.first.read(0)[1], np.array([255, 1, 0])[BOTH])  # who names no background has none


def test_of_masks_in_each_other_the_smaller_counts(write: Write, tmp_path: Path) -> None:
    outer = np.zeros((8, 12), np.uint8)
    outer[:6, :8] = 255
    for number in range(2):
        write(f"images/{number}.png")
        write(f"masks/disc/{number}.png", outer)
        write(f"masks/cup/{number}.png", box(1, 1))
    data = open_dataset(tmp_path, val_fraction=0)
    assert data.space.names == ("background", "cup", "disc")
    assert np.array_equal(data.first.read(0)[1], np.where(box(1, 1) > 0, 1, np.where(outer > 0, 2, 0)))
    assert "Masks of several classes overlap (9.4% of pixels): the smaller one counts there." in data.notes


def test_folders_of_which_each_image_has_one_are_classes_too(write: Write, tmp_path: Path) -> None:
    for number, name in enumerate(("cat", "dog", "cat", "dog")):
        write(f"images/{number}.png")
        write(f"masks/{name}/{number}.png", box(0, 0))
    data = open_dataset(tmp_path, val_fraction=0)
    assert [int(data.first.read(index)[1].max()) for index in range(4)] == [1, 2, 1, 2]


def test_two_peoples_masks_are_asked_about(write: Write, tmp_path: Path) -> None:
    wider = box(1, 1)
    wider[1, 4] = 255
    for number in range(2):
        write(f"images/{number}.png")
        write(f"masks/anna/{number}.png", box(1, 1))
        write(f"masks/bert/{number}.png", wider)
    with pytest.raises(DataError, match=r"anna and bert hold masks of the same things.*--masks anna.*--layout pieces"):
        open_dataset(tmp_path)
    chosen = open_dataset(tmp_path, ReadOptions(masks="bert"), val_fraction=0)
    assert np.array_equal(chosen.first.read(0)[1], wider > 0)


def test_masks_that_cannot_be_pieces(write: Write, tmp_path: Path) -> None:
    for number in range(2):
        write(f"images/{number}.png")
        write(f"masks/{number}_a.png", box(0, 0))
        write(f"masks/{number}_b.png", box(0, 0) // 85 + box(4, 4) // 127)
    data = open_dataset(tmp_path, ReadOptions(layout="pieces"), val_fraction=0)
    with pytest.raises(DataError, match=r"0_b.png: holds the values 0, 2, 3, and a mask of one object"):
        data.first.read(0)
    with pytest.raises(DataError, match="no class is named 'b', after which masks are called"):
        open_dataset(tmp_path, ReadOptions(layout="pieces", classes=["a", "c"]))


@pytest.mark.parametrize(("name", "classes"), [("class{}", None), ("layer_{}", None), ("o{}", ["o1", "o2"])])
def test_numbered_names_are_classes_where_they_say_so(
    write: Write, tmp_path: Path, name: str, classes: list[str] | None
) -> None:
    for number in range(3):
        write(f"images/a{number}.png")
        write(f"masks/a{number}_{name.format(1)}.png", box(0, 0))
        write(f"masks/a{number}_{name.format(2)}.png", box(4, 6))
    data = open_dataset(tmp_path, ReadOptions(classes=classes), val_fraction=0)
    assert data.space.names[-2:] == (name.format(1), name.format(2))


def test_a_class_without_a_mask_of_some_images_is_told(write: Write, tmp_path: Path) -> None:
    for number in range(3):
        write(f"images/a{number}.png")
        write(f"masks/left lung/a{number}.png", box(0, 0))
        if number != 1:
            write(f"masks/right lung/a{number}.png", box(4, 6))
    data = open_dataset(tmp_path, val_fraction=0)
    assert "1 image without a mask of right lung, as if it were not in them: a1." in data.notes
    assert not any("mask of left lung" in note for note in data.notes)

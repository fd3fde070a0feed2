"""Which of several pictures of an image are its masks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.errors import DataError, UsageError

Write = Callable[..., Path]


def grid(seed: int, values: tuple[int, ...] = (0, 255)) -> NDArray[np.uint8]:
    """A mask of these values in blocks of 4 x 4 pixels."""
    drawn = np.random.default_rng(seed).choice(np.array(values, np.uint8), (2, 3))
    drawn.flat[: len(values)] = values
    return drawn.repeat(4, axis=0).repeat(4, axis=1)


FIELD = np.pad(np.full((6, 10), 255, np.uint8), 1)


def foreground(root: Path, masks: str = "") -> float:
    """The share of the class 1 in all splits."""
    splits = open_dataset(root, ReadOptions(masks=masks), val_fraction=0).splits.values()
    pixels = sum(split.count().pixels for split in splits)
    return float(pixels[1] / pixels.sum())


@pytest.mark.parametrize(
    ("image", "labels", "field"),
    [
        ("training/images/{:02}_training.png", "training/1st_manual/{:02}_manual1.gif", "training/mask/{:02}_mask.gif"),
        ("images/{:02}_dr.png", "manual1/{:02}_dr.tif", "mask/{:02}_dr_mask.tif"),
        ("images/{}.png", "gt/{}.png", "masks/{}.png"),
    ],
)
def test_a_field_of_view_beside_labels_is_asked_about(
    write: Write, tmp_path: Path, image: str, labels: str, field: str
) -> None:
    for number in range(1, 4):
        write(image.format(number))
        write(labels.format(number), np.where(grid(1) > 0, 255, 0).astype(np.uint8))
        write(field.format(number), FIELD)
    names = [Path(path).parent.name for path in (labels, field)]
    with pytest.raises(DataError, match="several pictures may be the masks of the same images") as caught:
        open_dataset(tmp_path)
    assert all(f"--masks {name}" in str(caught.value) for name in names)
    assert foreground(tmp_path, names[0]) == np.count_nonzero(grid(1)) / 96
    assert foreground(tmp_path, names[1]) == 60 / 96


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/{}.jpg", "1st_manual/{}_manual1.png"),
        ("bilder/{}.jpg", "masken/{}.png"),
        ("stare-images/im{:04}.png", "labels-ah/im{:04}.ah.png"),
        ("Image_{:02}L.jpg", "Image_{:02}L_1stHO.png"),
        ("images/{}.png", "labels/{}_P.png"),
        ("img_dir/train/{}.jpg", "ann_dir/train/{}_labelTrainIds.png"),
        ("1. Original Images/a. Training Set/ID_{:02}.jpg", "2. All Groundtruths/a. Training Set/ID_{:02}_OD.tif"),
    ],
)
def test_masks_are_found_by_names_and_values(write: Write, tmp_path: Path, image: str, mask: str) -> None:
    for number in range(1, 4):
        write(image.format(number), size=(40, 60))
        write(mask.format(number), grid(number).repeat(5, axis=0).repeat(5, axis=1))
    data = open_dataset(tmp_path, val_fraction=0)
    assert len(data) == 3 and data.unpaired_images == data.unpaired_masks == ()
    (split,) = data.splits.values()
    for item in split.items:
        number = int(re.findall(r"\d+", Path(str(item.target)).stem)[0])
        assert re.findall(r"\d+", Path(str(item.input)).stem)[0] == re.findall(r"\d+", Path(str(item.target)).stem)[0]
        assert np.array_equal(split.stored(item) > 0, grid(number).repeat(5, 0).repeat(5, 1) > 0)


def test_the_same_masks_in_colours_are_no_question(write: Write, tmp_path: Path) -> None:
    colors = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)
    for number in range(3):
        write(f"images/{number}.png")
        write(f"labels/{number}.png", grid(number, (0, 1, 2)))
        write(f"labels_color/{number}.png", colors[grid(number, (0, 1, 2))])
    data = open_dataset(tmp_path)
    assert len(data.space) == 3
    assert any("labels_color divides the images in the same way (--masks chooses)" in note for note in data.notes)


@pytest.mark.parametrize("other", ["overlays", "instances", "depth", "blend"])
def test_other_pictures_of_the_images_are_no_masks(write: Write, tmp_path: Path, other: str) -> None:
    for number in range(3):
        write(f"images/{number}.png")
        write(f"masks/{number}.png", grid(number))
        write(f"{other}/{number}.png", grid(number, tuple(range(6))) if other == "instances" else None)
    data = open_dataset(tmp_path)
    assert data.space.names == ("background", "foreground") and len(data) == 3


def test_numbers_beside_colours_and_instances_by_ending(write: Write, tmp_path: Path) -> None:
    colors = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)
    for number in range(3):
        write(f"images/a{number}.png")
        write(f"masks/a{number}_color.png", colors[grid(number, (0, 1, 2))])
        write(f"masks/a{number}_instanceIds.png", grid(number, tuple(range(6))))
        write(f"masks/a{number}_labelIds.png", grid(number, (0, 1, 2)))
    data = open_dataset(tmp_path, val_fraction=0)
    assert np.array_equal(data.first.read(1)[1], grid(1, (0, 1, 2)))
    assert any("Masks are the pictures of labelIds; color divides" in note for note in data.notes)


@pytest.mark.parametrize(
    ("image", "mask"), [("x{}_json/img.png", "x{}_json/label.png"), ("{}/photo.jpg", "{}/mask.png")]
)
def test_a_folder_for_each_image(write: Write, tmp_path: Path, image: str, mask: str) -> None:
    for number in range(3):
        write(image.format(number))
        write(mask.format(number), grid(number))
    data = open_dataset(tmp_path, val_fraction=0)
    assert [str(item.target) for item in data.first.items] == [str(tmp_path / mask.format(n)) for n in range(3)]


def test_folders_of_classes_are_asked_about(write: Write, tmp_path: Path) -> None:
    for number in range(3):
        write(f"tiles/{number}.png")
        for row, name in enumerate(("roads", "buildings")):
            mask = np.zeros((8, 12), np.uint8)
            mask[4 * row : 4 * row + 2] = 255
            write(f"{name}/{number}.png", mask)
    with pytest.raises(DataError, match=r"--masks roads, or --masks buildings .* class of its own \(--layout pieces\)"):
        open_dataset(tmp_path)
    data = open_dataset(tmp_path, ReadOptions(layout="pieces"), val_fraction=0)
    assert data.space.names == ("background", "buildings", "roads")
    assert data.first.read(0)[1][[0, 4, 7], 0].tolist() == [2, 1, 0]


def test_numbers_that_start_differently_are_not_shifted(write: Write, tmp_path: Path) -> None:
    for number in range(3):
        write(f"images/frame_{number + 1}.png")
        write(f"masks/m_{number}.png", grid(number))
    with pytest.raises(DataError, match="3 images and 3 masks, but no names match"):
        open_dataset(tmp_path)


def test_what_is_asked_for_must_be_there(write: Write, tmp_path: Path) -> None:
    write("images/a.png")
    write("masks/a.png", grid(0))
    with pytest.raises(DataError, match=r"no folder of pictures is called 'mask_s'.*Did you mean 'masks'"):
        open_dataset(tmp_path, ReadOptions(masks="mask_s"))
    (tmp_path / "manifest.csv").write_text("image,mask\nimages/a.png,masks/a.png\n")
    with pytest.raises(UsageError, match="this is read as layout manifest"):
        open_dataset(tmp_path, ReadOptions(masks="masks", layout="manifest"))


def test_a_data_set_called_test_is_not_a_test_split(write: Write, tmp_path: Path) -> None:
    for number in range(4):
        write(f"test/images/{number}.png")
        write(f"test/masks/{number}.png", grid(number))
    assert set(open_dataset(tmp_path / "test").splits) == {"train", "val"}
    (tmp_path / "train").mkdir()
    assert set(open_dataset(tmp_path / "test").splits) == {"test"}

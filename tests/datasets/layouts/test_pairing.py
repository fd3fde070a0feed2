"""Which mask belongs to which image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from intarsia.datasets.layouts.filenames import classified, folder_meaning, natural, walk
from intarsia.datasets.layouts.pairing import Pairs, pair
from intarsia.errors import DataError


def matched(root: Path, *names: str) -> tuple[dict[str, tuple[str | None, str, str]], Pairs]:
    """Empty files of these names, paired: id -> (split, image, mask)."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    found = pair(root, classified(root, walk(root)))
    by_id = {
        key: (split, image.relative_to(root).as_posix(), mask.relative_to(root).as_posix())
        for split, key, image, mask in found.matched
    }
    return by_id, found


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("images", (None, "image")),
        ("JPEGImages", (None, "image")),
        ("SegmentationClass", (None, "mask")),
        ("ground-truth", (None, "mask")),
        ("Ground Truth", (None, "mask")),
        ("train", ("train", None)),
        ("Training", ("train", None)),
        ("valid", ("val", None)),
        ("validation_set", ("val", None)),
        ("testing", ("test", None)),
        ("trainannot", ("train", "mask")),
        ("val_labels", ("val", "mask")),
        ("masks_test", ("test", "mask")),
        ("train_image", ("train", "image")),
        ("values", (None, None)),
        ("trainstation", (None, None)),
        ("berlin", (None, None)),
    ],
)
def test_folder_names(name: str, meaning: tuple[str | None, str | None]) -> None:
    assert folder_meaning(name) == meaning


@pytest.mark.parametrize("image", ["7_sat.jpg", "7_image.png", "7_rgb.png", "image_7.jpg", "7_original.jpg"])
def test_masks_beside_images_that_say_what_they_are(tmp_path: Path, image: str) -> None:
    by_id, found = matched(tmp_path, image, "7_mask.png", "8_mask.png", image.replace("7", "8"))
    assert sorted((one, mask) for _, one, mask in by_id.values()) == sorted(
        [(image, "7_mask.png"), (image.replace("7", "8"), "8_mask.png")]
    )
    assert not found.images and not found.masks


def test_outlines_on_a_map_are_no_masks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"roads\.shp holds outlines on a map.*gdal_rasterize"):
        matched(tmp_path, "a.tif", "roads.shp")


@pytest.mark.parametrize(
    ("image", "mask", "key", "split"),
    [
        ("images/a.jpg", "masks/a.png", "a", None),
        ("image/a.JPG", "label/a.PNG", "a", None),
        ("images/a.webp", "groundtruth/a.png", "a", None),
        ("imgs/a.jpg", "annotations/a_mask.png", "a", None),
        ("images/a.png", "labels/a_L.png", "a", None),
        ("images/image_01.png", "masks/mask_01.png", "image_01", None),
        ("images/A.png", "masks/a.png", "A", None),
        ("train/images/a.jpg", "train/masks/a.png", "train/a", "train"),
        ("images/validation/a.jpg", "labels/validation/a.png", "val/a", "val"),
        ("test/a.jpg", "testannot/a.png", "test/a", "test"),
        ("images/train/a.jpg", "masks/a.png", "train/a", "train"),
        ("leftImg8bit/train/ulm/a_leftImg8bit.png", "gt/train/ulm/a_gt.png", "train/ulm/a_leftImg8bit", "train"),
        ("images/day/1/a.jpg", "masks/day/1/a.png", "day/1/a", None),
        ("images/day/deep/a.jpg", "masks/a.png", "day/deep/a", None),
        ("a.jpg", "a.png", "a", None),
        ("a.jpg", "a_mask.png", "a", None),
        ("a.png", "a-label.png", "a", None),
        ("train/a.png", "train/a_gt.png", "train/a", "train"),
        ("images/a.png", "images/a_mask.png", "a", None),
        ("frames/image_7.png", "frames/label_7.png", "image_7", None),
    ],
)  # fmt: skip
def test_layouts(tmp_path: Path, image: str, mask: str, key: str, split: str | None) -> None:
    by_id, found = matched(tmp_path, image, mask)
    assert by_id == {key: (split, image, mask)}
    assert (found.images, found.masks, found.notes) == ((), (), ())


def test_leftovers_are_kept_apart(tmp_path: Path) -> None:
    by_id, found = matched(tmp_path, "images/a.jpg", "images/b.jpg", "masks/a.png", "masks/c.png")
    assert list(by_id) == ["a"]
    assert [path.name for path in found.images] == ["b.jpg"]
    assert [path.name for path in found.masks] == ["c.png"]


def test_the_same_name_in_several_folders_goes_by_folder(tmp_path: Path) -> None:
    by_id, _ = matched(tmp_path, "images/x/0.jpg", "images/y/0.jpg", "masks/x/0.png", "masks/y/0.png", "masks/z/0.png")
    assert by_id["x/0"][2] == "masks/x/0.png"
    assert by_id["y/0"][2] == "masks/y/0.png"
    assert len(by_id) == 2


def test_an_unclear_name_is_not_guessed(tmp_path: Path) -> None:
    by_id, found = matched(tmp_path, "images/q.jpg", "masks/q.png", "images/x/0.jpg", "images/y/0.jpg", "masks/z/0.png")
    assert list(by_id) == ["q"]
    assert len(found.images) == 2


def test_train_masks_never_go_to_val_images(tmp_path: Path) -> None:
    by_id, _ = matched(tmp_path, "train/images/a.jpg", "train/masks/a.png", "val/images/b.jpg", "train/masks/b.png")
    assert list(by_id) == ["train/a"]


def test_a_second_format_of_the_same_picture_is_told(tmp_path: Path) -> None:
    by_id, found = matched(tmp_path, "images/a.jpg", "images/a.png", "masks/a.png")
    assert by_id == {"a": (None, "images/a.jpg", "masks/a.png")}
    assert found.notes == ("images/a.png is a second image with the name of images/a.jpg; only the latter is used.",)


def test_other_pictures_are_told_and_left_out(tmp_path: Path) -> None:
    by_id, found = matched(tmp_path, "images/a.jpg", "masks/a.png", "plots/curve.png", "logo.png")
    assert list(by_id) == ["a"]
    assert found.notes == ("Pictures outside the image and mask folders, not used: 2.",)


def test_names_that_do_not_match(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"1 images and 1 masks, but no names match.*images/photo1\.jpg.*masks/seg-x\.png"
    ):
        matched(tmp_path, "images/photo1.jpg", "masks/seg-x.png")


def test_no_masks_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 images, but no masks.*photo_mask\.png"):
        matched(tmp_path, "a.jpg", "b.jpg")


def test_no_images_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 masks, but no images"):
        matched(tmp_path, "masks/b.png")


def test_only_the_image_folder_was_given(tmp_path: Path) -> None:
    (tmp_path / "set" / "masks").mkdir(parents=True)
    with pytest.raises(DataError, match=r"Or open the folder above, .*set, which also holds masks"):
        matched(tmp_path / "set" / "images", "a.jpg")


def test_hidden_files_are_not_seen(tmp_path: Path) -> None:
    by_id, found = matched(
        tmp_path, "images/a.jpg", "images/._a.jpg", "masks/a.png", ".cache/images/z.jpg", "__MACOSX/images/b.jpg"
    )
    assert list(by_id) == ["a"]
    assert found.images == ()


def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jpg").touch()
    root = tmp_path / "set"
    (root / "masks").mkdir(parents=True)
    (root / "masks" / "a.png").touch()
    os.symlink(elsewhere, root / "images")
    os.symlink(root, elsewhere / "back")
    os.symlink(root / "nowhere", root / "dangling")
    os.symlink(root / "self", root / "self")
    assert [path.relative_to(root).as_posix() for path in walk(root)] == ["images/a.jpg", "masks/a.png"]


def test_natural_order() -> None:
    assert sorted(["f10", "f9", "a", "f1b"], key=natural) == ["a", "f1b", "f9", "f10"]


@pytest.mark.parametrize(("suffix", "form"), [(".npz", ".npy"), (".mat", ".png"), (".pt", ".npy")])
def test_archives_of_masks_are_named(tmp_path: Path, suffix: str, form: str) -> None:
    with pytest.raises(DataError, match=rf"masks/a\{suffix} may hold one.*save each as \{form}"):
        matched(tmp_path, "images/a.png", f"masks/a{suffix}")

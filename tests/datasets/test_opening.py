"""open_dataset and reading pairs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.layouts import survey as survey_module
from intarsia.datasets.opening import layouts
from intarsia.errors import DataError, UsageError


def mask(*values: int) -> np.ndarray:
    """(8, 12) with these values in vertical stripes."""
    return np.tile(np.repeat(np.array(values, np.uint8), -(-12 // len(values)))[:12], (8, 1))


def test_a_plain_folder(pairs: Callable[..., Path]) -> None:
    root = pairs([mask(0, 255)] * 10)
    data = open_dataset(root)
    assert (data.layout, data.space.names) == ("folder", ("background", "foreground"))
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 8, "val": 2}
    assert len(data) == 10
    image, target = data.split("train").read(0)
    assert image.shape == (8, 12, 3)
    assert target.dtype == np.uint8
    assert target[0].tolist() == [0] * 6 + [1] * 6
    assert data.notes == (
        "Masks are binary: value 0 is read as background, 255 as foreground. Other names, the one of value 0 first: "
        "--classes (recipe: data.classes).",
        "The data set has no val split: 2 of 10 images were set aside for it (by name, neighbours together, seed 0).",
    )


def test_without_division(pairs: Callable[..., Path]) -> None:
    data = open_dataset(pairs([mask(0, 1)] * 3), val_fraction=0)
    assert {name: len(split) for name, split in data.splits.items()} == {"all": 3}
    assert [item.id for item in data.splits["all"].items] == ["0", "1", "2"]


def test_own_splits_are_kept(write: Callable[..., Path], tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        write(f"{split}/images/{split}.png")
        write(f"{split}/masks/{split}.png", mask(0, 1, 2))
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    data = open_dataset(tmp_path)
    assert list(data.splits) == ["train", "val", "test"]
    assert data.space.names == ("sky", "road", "car")
    assert data.splits["val"].items[0].id == "val/valid"
    alone = open_dataset(tmp_path / "valid")
    assert list(alone.splits) == ["val"]
    assert alone.space.names == ("sky", "road", "car")


def test_train_and_test_without_val(write: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(6):
        for split in ("train", "test"):
            write(f"images/{split}/{number}.png")
            write(f"masks/{split}/{number}.png", mask(0, 1))
    write("images/train/unlabelled.png")
    data = open_dataset(tmp_path, val_fraction=0.34)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 4, "val": 2, "test": 6}
    assert data.unpaired_images == (tmp_path / "images/train/unlabelled.png",)
    assert "1 image has no mask and is left out: images/train/unlabelled.png." in data.notes


def test_one_image_only(pairs: Callable[..., Path]) -> None:
    data = open_dataset(pairs([mask(0, 1)]))
    assert list(data.splits) == ["train"]
    assert "There is only one labelled image, so there is no val split." in data.notes


def test_camvid(write: Callable[..., Path], tmp_path: Path) -> None:
    for split in ("train", "val"):
        write(f"{split}/{split}_1.png")
        write(f"{split}annot/{split}_1.png", mask(0, 3, 10, 11))
    data = open_dataset(tmp_path)
    assert data.layout == "camvid"
    assert data.space.names[3] == "Road"
    assert data.space.palette[3] == (128, 64, 128)
    assert data.split("val").read(0)[1][0].tolist() == [0] * 3 + [3] * 3 + [10] * 3 + [255] * 3
    alone = open_dataset(tmp_path / "val")
    assert (alone.layout, {n: len(s) for n, s in alone.splits.items()}) == ("camvid", {"val": 1})
    with pytest.raises(UsageError, match="are its own \\(Sky, Building, Pole"):
        open_dataset(tmp_path, ReadOptions(layout="camvid", classes=["a"]))


def test_folders_named_like_camvid_with_other_values(write: Callable[..., Path], tmp_path: Path) -> None:
    write("train/a.png")
    write("trainannot/a.png", mask(0, 1, 2))
    data = open_dataset(tmp_path)
    assert (data.layout, len(data.space)) == ("folder", 3)


def test_masks_of_another_size(write: Callable[..., Path], tmp_path: Path) -> None:
    write("images/a.png", size=(16, 24))
    write("masks/a.png", mask(0, 1))
    split = open_dataset(tmp_path).split("train")
    with pytest.raises(
        DataError, match=r"masks/a\.png: the mask is 12x8 pixels, its image 24x16, the same shape.*resize_masks"
    ):
        split.read(0)
    image, target = open_dataset(tmp_path, ReadOptions(resize_masks=True)).split("train").read(0)
    assert image.shape[:2] == target.shape == (16, 24)
    assert target[0].tolist() == [0] * 12 + [1] * 12


@pytest.mark.parametrize(("size", "message"), [((12, 8), "turned on its side"), ((8, 20), "do not belong together")])
def test_masks_that_do_not_fit_at_all(
    write: Callable[..., Path], tmp_path: Path, size: tuple[int, int], message: str
) -> None:
    write("images/a.png", size=size)
    write("masks/a.png", mask(0, 1))
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path, ReadOptions(resize_masks=True)).split("train").read(0)


def test_a_turned_photo_fits_its_upright_mask(write: Callable[..., Path], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    write("images/a.jpg", size=(12, 8), exif=exif)  # stored lying, 12 rows x 8 columns; upright it is 8 x 12
    write("masks/a.png", mask(0, 1))
    image, target = open_dataset(tmp_path).split("train").read(0)
    assert image.shape[:2] == target.shape == (8, 12)


def test_damage_names_the_file(pairs: Callable[..., Path]) -> None:
    root = pairs([mask(0, 1)] * 3)
    (root / "images/1.png").write_bytes(b"")
    (root / "masks/2.png").write_bytes((root / "masks/2.png").read_bytes()[:40])
    split = open_dataset(root, val_fraction=0).splits["all"]
    with pytest.raises(DataError, match=r"images/1\.png"):
        split.read(1)
    with pytest.raises(DataError, match=r"masks/2\.png"):
        split.read(2)
    assert split.read(0)[1].max() == 1


def test_a_value_outside_names_the_file(pairs: Callable[..., Path]) -> None:
    root = pairs([mask(0, 1), mask(0, 1, 2)])
    Image.fromarray(mask(0, 77)).save(root / "masks/1.png")
    split = open_dataset(root, ReadOptions(classes=["a", "b"], layout="folder", ignore=[77]), val_fraction=0).splits[
        "all"
    ]
    assert split.read(1)[1][0, -1] == 255
    Image.fromarray(mask(0, 78)).save(root / "masks/1.png")
    with pytest.raises(DataError, match=r"masks/1\.png: the mask holds value 78 \(48 pixels\)"):
        split.read(1)


def test_colour_masks_with_palette(pairs: Callable[..., Path]) -> None:
    colored = np.zeros((8, 12, 3), np.uint8)
    colored[:, 6:] = (200, 10, 10)
    root = pairs([colored])
    with pytest.raises(DataError, match=r"colour-coded.*label_colors\.txt.*\(0, 0, 0\) 50\.0%, \(200, 10, 10\) 50\.0%"):
        open_dataset(root)
    data = open_dataset(root, ReadOptions(classes=["floor", "wall"], palette=[(0, 0, 0), (200, 10, 10)]))
    assert data.split("train").read(0)[1][0].tolist() == [0] * 6 + [1] * 6
    (root / "label_colors.txt").write_text("0 0 0 floor\n200 10 10 wall\n")
    assert open_dataset(root).space == data.space


def test_jpeg_masks(pairs: Callable[..., Path]) -> None:
    stripes = np.zeros((32, 32), np.uint8)
    stripes[:, 13:] = 255
    data = open_dataset(pairs([stripes] * 2, suffix="jpg", quality=60))
    assert data.splits["train"].coding.threshold == 127
    assert np.array_equal(data.split("train").read(0)[1], stripes // 255)


def test_beyond_the_sample_every_value_is_found(pairs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "SAMPLE", 2)
    data = open_dataset(pairs([mask(0, 1), mask(0, 1), mask(0, 3), mask(0, 1)]))
    assert data.space.names == ("class_0", "class_1", "class_2", "class_3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"options": ReadOptions(layout="foldr")}, "no data set layout is named 'foldr'. Did you mean 'folder'"),
        ({"val_fraction": 1.0}, "val_fraction is 1.0"),
        ({"options": ReadOptions(palette=[(0, 0, 0)])}, "palette needs classes"),
    ],
)
def test_wrong_calls(pairs: Callable[..., Path], options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_dataset(pairs([mask(0, 1)]), **options)


def test_wrong_folders(tmp_path: Path) -> None:
    (tmp_path / "camvid").mkdir()
    with pytest.raises(DataError, match=r"no such folder. Did you mean 'camvid'"):
        open_dataset(tmp_path / "camvit")
    with pytest.raises(DataError, match=r"no images in this folder.*jpg"):
        open_dataset(tmp_path / "camvid")
    (tmp_path / "file.doc").write_text("a")
    with pytest.raises(DataError, match="is a file; a data set is a folder"):
        open_dataset(tmp_path / "file.doc")
    (tmp_path / "file.json").write_text("[]")
    with pytest.raises(DataError, match="neither a manifest, a table nor a known annotation file"):
        open_dataset(tmp_path / "file.json")
    with pytest.raises(DataError, match=r"no such folder. If you mean the data set Cityscapes:\nHow to get it:\n  1"):
        open_dataset(tmp_path / "cityscapes")


# LabelMe


def labelme_pair(folder: Path, stem: str, shapes: list[dict], **extra: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 12, 3), 90, np.uint8)).save(folder / f"{stem}.png")
    document = {"shapes": shapes, "imagePath": f"{stem}.png", "imageData": "x" * 50, **extra}
    (folder / f"{stem}.json").write_text(json.dumps(document))


def box(label: str, *points: float) -> dict:
    return {"label": label, "shape_type": "rectangle", "points": [list(points[:2]), list(points[2:])]}


def test_labelme(tmp_path: Path) -> None:
    labelme_pair(tmp_path, "a", [box("person", 0, 0, 5, 7), box("dog", 3, 0, 5, 7)])
    labelme_pair(tmp_path, "b", [box("__ignore__", 0, 0, 1, 1)])
    data = open_dataset(tmp_path, val_fraction=0)
    assert (data.layout, data.space.names) == ("annotations", ("background", "dog", "person"))
    assert data.notes[0] == "Annotations of labelme."
    assert "pixels without a shape are background" in data.notes[1]
    assert data.splits["all"].read(0)[1][0].tolist() == [2] * 3 + [1] * 3 + [0] * 6
    assert data.splits["all"].read(1)[1][0, :3].tolist() == [255, 255, 0]


def test_labelme_with_classes(tmp_path: Path) -> None:
    labelme_pair(tmp_path, "a", [box("dog", 0, 0, 5, 7)])
    data = open_dataset(tmp_path, ReadOptions(classes=["dog", "person"]), val_fraction=0)
    assert data.notes[1] == "Classes from classes; pixels without a shape are ignored."
    assert data.splits["all"].read(0)[1][0].tolist() == [0] * 6 + [255] * 6
    with pytest.raises(DataError, match=r"a\.json: no class of this data set is named 'dog'. Did you mean 'dogs'"):
        open_dataset(tmp_path, ReadOptions(classes=["dogs"]), val_fraction=0).splits["all"].read(0)


def test_labelme_splits_and_damage(tmp_path: Path) -> None:
    for split in ("train", "val"):
        labelme_pair(tmp_path / split, "a", [box("dog", 0, 0, 5, 7)])
    labelme_pair(tmp_path / "train", "b", [box("dog", 0, 0, 1, 7)])
    (tmp_path / "train" / "a.json").write_text('{"shapes": [')
    data = open_dataset(tmp_path)
    assert {name: [item.id for item in split.items] for name, split in data.splits.items()} == {
        "train": ["train/b"],
        "val": ["val/a"],
    }
    (fault,) = data.faults
    assert "a.json: broken JSON" in fault
    assert "1 image has no mask and is left out: train/a.png." in data.notes


def test_annotations_without_images(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"shapes": []}')
    with pytest.raises(DataError, match=r"no image of this labelme export is here, for instance a\.jpg"):
        open_dataset(tmp_path)


def test_layouts_are_listed() -> None:
    known = list(layouts())
    assert known[-1] == "folder" and {"camvid", "cityscapes", "pascal-voc", "annotations", "manifest"} <= set(known)


# Real data

LABELME = "annotations/labelme/semantic_segmentation/data_annotated"


@pytest.mark.parametrize(
    ("folder", "names", "counts"),
    [
        ("isbi_em", ("background", "foreground"), 24),
        ("aerial_roads", ("background", "foreground"), 10),
        ("liver_ct_slices", ("background", "foreground"), 484),
        ("person", ("background", "foreground"), 100),
        (LABELME, ("background", "bottle", "bus", "car", "chair", "person", "sofa"), 3),
    ],
)  # fmt: skip
def test_real_folders(real_data: Path, folder: str, names: tuple[str, ...], counts: int) -> None:
    data = open_dataset(real_data / folder, ReadOptions(resize_masks=True))
    assert data.space.names == names
    assert len(data) == counts
    for index in (0, len(data.split("train")) - 1):
        image, target = data.split("train").read(index)
        assert image.shape[:2] == target.shape
        assert set(np.unique(target)) <= {*range(len(names)), 255}


def test_real_camvid(real_data: Path) -> None:
    data = open_dataset(real_data / "camvid")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 367, "val": 101}
    assert data.split("val").read(0)[1].shape == (360, 480)


def test_real_volumes_do_not_leak(real_data: Path) -> None:
    data = open_dataset(real_data / "liver_ct_slices")
    volumes = [{item.id.split("_")[1] for item in data.split(name).items} for name in ("train", "val")]
    assert not volumes[0] & volumes[1]


def test_real_labelme_masks_equal_its_own_export(real_data: Path) -> None:
    folder = real_data / "annotations/labelme/semantic_segmentation"
    names = [name for name in (folder / "labels.txt").read_text().split("\n") if name and name != "__ignore__"]
    data = open_dataset(folder / "data_annotated", ReadOptions(classes=names), val_fraction=0).splits["all"]
    for index, item in enumerate(data.items):
        truth = np.asarray(Image.open(folder / "data_dataset_voc/SegmentationClass" / f"{item.input.stem}.png"))
        assert (data.read(index)[1] != truth).sum() <= 1


def test_masks_as_arrays(write: Callable[..., Path], tmp_path: Path) -> None:
    write("images/a.png")
    write("b.png")
    (tmp_path / "masks").mkdir()
    np.save(tmp_path / "masks/a.npy", mask(0, 1, 2).astype(np.int64))
    data = open_dataset(tmp_path, val_fraction=0)
    assert data.split("all").read(0)[1].tolist() == mask(0, 1, 2).tolist()


def test_classes_with_their_values(pairs: Callable[..., Path]) -> None:
    root = pairs([mask(0, 7, 255)] * 2)
    data = open_dataset(root, ReadOptions(classes=["0: ground", "7: car", "255: sky"]), val_fraction=0)
    assert data.space.names == ("ground", "car", "sky")
    assert set(np.unique(data.split("all").read(0)[1]).tolist()) == {0, 1, 2}


def test_a_split_of_which_no_mask_can_be_used_is_not_counted_as_empty(pairs: Callable[..., Path]) -> None:
    root = pairs([mask(0, 1)] * 2)
    split = open_dataset(root, val_fraction=0).split("all")
    for path in (root / "masks").iterdir():
        Image.fromarray(np.repeat(mask(0, 90)[..., None] * np.uint8([1, 2, 1]), 1, axis=2)).save(path)
    with pytest.raises(DataError, match=r"none of the 2 masks of all can be used; the first: .*colour-coded"):
        split.count()

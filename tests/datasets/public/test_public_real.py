"""The public data sets' readers on real samples of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.public import ade20k
from intarsia.datasets.public.camvid import CAMVID


def test_camvid_colours_agree_with_segnets_labels(real_data: Path) -> None:
    """The original 32 colours, grouped, against the 11-class masks of the same frames at half the size."""
    data = open_dataset(real_data / "datasets/camvid32", ReadOptions(layout="camvid-11"), val_fraction=0)
    matrix = np.zeros((12, 12), np.int64)
    for split in data.splits.values():
        for index, item in enumerate(split.items):
            name = item.id.rpartition("/")[2]
            found = [real_data / f"camvid/{part}annot/{name}.png" for part in ("train", "val")]
            theirs = next((path for path in found if path.exists()), None)
            if theirs is None:
                continue
            target = split.read(index)[1][1::2, ::2]  # the phase in which SegNet's authors took every second pixel
            truth = np.asarray(Image.open(theirs))
            assert truth.shape == target.shape
            np.add.at(matrix, (truth, np.minimum(target, 11)), 1)
    compared = matrix.sum()
    if not compared:
        pytest.skip("none of the sample's frames has a mask in the 11-class sample")
    assert compared >= 3 * truth.size
    assert np.trace(matrix) / compared > 0.998
    for index, name in enumerate((*CAMVID.names, "void")):
        if matrix[index].sum() > 1000:
            assert matrix[index, index] / matrix[index].sum() > 0.97, name


def test_segnets_split_of_the_original_frames(real_data: Path) -> None:
    from intarsia.datasets.public.camvid import _split

    for split in ("train", "val"):
        frames = [path.stem for path in (real_data / f"camvid/{split}").glob("*")]
        assert frames and {_split(name) for name in frames} == {split}


def test_cityscapes_label_ids_become_the_shipped_train_ids(real_data: Path) -> None:
    root = real_data / "datasets/cityscapes/mmseg_pseudo"
    data = open_dataset(root)
    target = data.split("val").read(0)[1]
    item = data.split("val").items[0]
    shipped = np.asarray(Image.open(str(item.target).replace("labelIds", "labelTrainIds")))
    # Both were made smaller each by itself, which moved a few border pixels (77 of 32768).
    assert np.mean(target == shipped) > 0.997
    assert set(np.unique(shipped).tolist()) <= {*range(19), 255}
    assert item.instances is not None and item.instances.exists()


def test_ade_full_decodes(real_data: Path) -> None:
    data = open_dataset(real_data / "datasets/ade20k_full_2021_17_01", val_fraction=0)
    assert data.layout == "ade20k-full" and len(data) == 3
    split = data.splits["train"]
    for index, item in enumerate(split.items):
        target = split.read(index)[1]
        held = [data.space.names[i] for i in np.unique(target) if i != data.space.ignore_index]
        assert len(held) > 5 and any(name.startswith("building") for name in held)
        # An object's own mask (255; 128 where parts hide it) lies on pixels of one class.
        place = Path(str(item.target))
        masks = sorted((place.parent / place.name.removesuffix("_seg.png")).glob("instance_*.png"))
        picture = np.asarray(Image.open(place))
        classes = ade20k.decode_classes(picture)
        for path in masks[:10]:
            drawn = np.asarray(Image.open(path))
            assert set(np.unique(drawn).tolist()) <= {0, 128, 255}
            inside, counts = np.unique(classes[drawn == 255], return_counts=True)
            assert len(inside) and counts.max() / counts.sum() > 0.99


def test_ade_scene_parsing_sample(real_data: Path) -> None:
    data = open_dataset(real_data / "datasets/ade20k_sceneparse150")
    target = data.split("val").read(0)[1]
    stored = np.asarray(Image.open(real_data / "datasets/ade20k_sceneparse150/annotations/ADE_val_00000001.png"))
    assert np.array_equal(target, np.where(stored == 0, 255, stored.astype(int) - 1))


def test_ade_full_colours_are_the_challenges_source(real_data: Path) -> None:
    """The raw full-ADE mask and its challenge version of one image: the official table maps one to the other."""
    folder = real_data / "datasets/ade20k_sceneparse150"
    raw = np.asarray(Image.open(folder / "convertFromADE/ADE_train_00000970_raw.png").convert("RGB"))
    challenge = np.asarray(Image.open(folder / "convertFromADE/ADE_train_00000970_challenge.png"))
    table = np.zeros(65536, np.uint8)
    for line in (folder / "mapFromADE.txt").read_text().splitlines():
        ours, theirs = line.split()[:2]
        table[int(theirs)] = int(ours)
    mapped = table[ade20k.decode_classes(raw)]
    assert raw.shape[:2] != challenge.shape or np.mean(mapped == challenge) > 0.99
    rows = ((np.arange(challenge.shape[0]) + 0.5) * raw.shape[0] / challenge.shape[0]).astype(int)
    columns = ((np.arange(challenge.shape[1]) + 0.5) * raw.shape[1] / challenge.shape[1]).astype(int)
    assert np.mean(mapped[rows[:, None], columns] == challenge) > 0.97


def test_ccp_sample(real_data: Path) -> None:
    data = open_dataset(real_data / "ccp")
    assert data.layout == "ccp" and {name: len(split) for name, split in data.splits.items()} == {
        "train": 45,
        "val": 5,
        "test": 10,
    }
    split = data.split("test")
    held = set()
    for index in range(len(split)):
        image, target = split.read(index)
        assert image.shape[:2] == target.shape
        held |= {data.space.names[i] for i in np.unique(target)}
    assert {"null", "hair", "skin", "shoes"} <= held, "every photo shows a dressed person"


@pytest.mark.parametrize(
    ("folder", "layout", "classes"),
    [
        ("camvid", "camvid", 11),
        ("datasets/camvid32", "camvid-32", 31),
        ("datasets/_datumaro_tiny_fixtures/ade20k2020_dataset/dataset", "ade20k-full", 4),
        ("datasets/_datumaro_tiny_fixtures/voc_dataset/voc_dataset1", "pascal-voc", 21),
        ("datasets/_datumaro_tiny_fixtures/common_semantic_segmentation_dataset/dataset", "folder", 5),
        ("datasets/pratheepan", "folder", 2),
        ("isbi_em", "folder", 2),
        ("aerial_roads", "folder", 2),
        ("davis", "folder", 2),
    ],
)
def test_samples_are_recognised(folder: str, layout: str, classes: int, real_data: Path) -> None:
    data = open_dataset(real_data / folder)
    assert (data.layout, len(data.space)) == (layout, classes)

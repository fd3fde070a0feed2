"""Tiny fake trees of the public data sets, in their official layouts; every mask is random but valid."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from intarsia.datasets.public.cityscapes import LABELS
from intarsia.datasets.public.entry import space_of
from intarsia.datasets.public.people import CCP
from intarsia.datasets.public.s3dis import S3DIS
from intarsia.datasets.public.voc import colormap

SIZE = (12, 16)


def photo(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """A picture of noise, another for every path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(list(path.name.encode()))
    Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return path


def blocks(path: Path, values: Sequence[int], size: tuple[int, int] = SIZE) -> NDArray[np.uint16]:
    """Values in blocks of 4x4 pixels: all of them, then drawn at random."""
    random = np.random.default_rng(list(path.as_posix().encode()[-40:]))
    count = size[0] // 4 * (size[1] // 4)
    drawn = [*list(values)[:count], *random.choice(values, max(0, count - len(values)))]
    grid = np.array(drawn, dtype=np.uint16).reshape(size[0] // 4, size[1] // 4)
    return grid.repeat(4, axis=0).repeat(4, axis=1)


def mask(path: Path, values: Sequence[int], *, mode: str = "L") -> NDArray[np.uint16]:
    """Write a mask as L, P or I;16, and give what it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = blocks(path, values)
    image = Image.fromarray(array if mode == "I;16" else array.astype(np.uint8))
    if mode == "P":
        image.putpalette([channel for color in colormap(256) for channel in color])
    image.save(path)
    return array


def mat(path: Path, values: Sequence[int], variable: str, dtype: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {variable: blocks(path, values).astype(dtype)}, do_compression=True)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


VOC_IDS = {"train": ("2007_000032", "2007_000039"), "val": ("2007_000033",), "test": ("2008_000006",)}


def pascal_voc(root: Path) -> Path:
    kit = root / "VOCdevkit/VOC2012"
    for split, names in VOC_IDS.items():
        text(kit / f"ImageSets/Segmentation/{split}.txt", *names)
        for name in names:
            photo(kit / f"JPEGImages/{name}.jpg")
            if split != "test":
                mask(kit / f"SegmentationClass/{name}.png", [0, 1, 15, 20, 255], mode="P")
    return root


def sbd(root: Path) -> Path:
    base = root / "benchmark_RELEASE/dataset"
    names = {"train": ("2008_000002", "2008_000003"), "val": ("2008_000007", "2007_000033")}
    for split, ids in names.items():
        text(base / f"{split}.txt", *ids)
        for name in ids:
            photo(base / f"img/{name}.jpg")
            path = base / f"cls/{name}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            savemat(path, {"GTcls": {"Segmentation": blocks(path, [0, 7, 20]).astype(np.uint8), "Boundaries": 0}})
    return root


def pascal_voc_sbd(root: Path) -> Path:
    """Both side by side; SBD's photos are VOC's."""
    pascal_voc(root)
    sbd(root)
    for name in ("2008_000002", "2008_000003", "2008_000007"):
        photo(root / f"VOCdevkit/VOC2012/JPEGImages/{name}.jpg")
    return root


def pascal_context(root: Path) -> Path:
    kit = root / "VOCdevkit/VOC2010"
    for split, name in (("train", "2008_000002"), ("val", "2008_000003")):
        text(kit / f"ImageSets/Main/{split}.txt", name, "2008_999999")
        photo(kit / f"JPEGImages/{name}.jpg")
        mat(root / f"trainval/{name}.mat", [0, 1, 2, 360, 458, 459], "LabelMap", np.uint16)
    return root


def pascal_context_png(root: Path) -> Path:
    kit = root / "VOCdevkit/VOC2010"
    for split, name in (("train", "2008_000002"), ("val", "2008_000003")):
        text(kit / f"ImageSets/SegmentationContext/{split}.txt", name)
        photo(kit / f"JPEGImages/{name}.jpg")
        mask(kit / f"SegmentationClassContext/{name}.png", [0, 1, 2, 59])
    return root


def coco_stuff(root: Path) -> Path:
    for split, name in (("train", "000000000009"), ("val", "000000000139")):
        photo(root / f"images/{split}2017/{name}.jpg")
        mask(root / f"annotations/{split}2017/{name}.png", [0, 91, 181, 255], mode="P")
    return root


def coco_stuff_10k(root: Path) -> Path:
    for split, name in (("train", "COCO_train2014_000000000077"), ("test", "COCO_train2014_000000000109")):
        text(root / f"imageLists/{split}.txt", name)
        photo(root / f"images/{name}.jpg")
        mat(root / f"annotations/{name}.mat", [0, 1, 92, 182], "S", np.uint16)
    return root


CITIES = {"train": "aachen", "val": "frankfurt", "test": "berlin"}


def _instances(ids: NDArray[np.uint16], step: int, first: int) -> NDArray[np.uint16]:
    """One instance for each label in a row of blocks; stuff keeps its label (Cityscapes) or label x 256 (KITTI)."""
    things = np.isin(ids, [label.id for label in LABELS if label.instances])
    rows = np.arange(len(ids), dtype=np.uint16)[:, None] // 4
    stuff = ids if step == 1000 else ids * 256
    return np.where(things, ids * step + rows + first, stuff).astype(np.uint16)


def cityscapes(root: Path) -> Path:
    every = [label.id for label in LABELS]
    for split, city in CITIES.items():
        stem = f"{split}/{city}/{city}_000000_000019"
        photo(root / f"leftImg8bit/{stem}_leftImg8bit.png")
        values = [0] if split == "test" else [7, 0, 24, 26, 23, 9, 33, 24, 26, *every]
        ids = mask(root / f"gtFine/{stem}_gtFine_labelIds.png", values)
        Image.fromarray(_instances(ids, 1000, 0)).save(root / f"gtFine/{stem}_gtFine_instanceIds.png")
    return root


def cityscapes_coarse(root: Path) -> Path:
    for split, city in (("train", "aachen"), ("train_extra", "bayreuth"), ("val", "frankfurt")):
        stem = f"{split}/{city}/{city}_000000_000019"
        photo(root / f"leftImg8bit/{stem}_leftImg8bit.png")
        mask(root / f"gtCoarse/{stem}_gtCoarse_labelIds.png", [0, 7, 26])
    return root


def cityscapes_polygons(root: Path) -> Path:
    height, width = SIZE
    objects = [
        {"label": "sky", "polygon": [[0, 0], [width, 0], [width, 5], [0, 5]]},
        {"label": "road", "polygon": [[0, 5], [width, 5], [width, height], [0, height]]},
        {"label": "cargroup", "polygon": [[2, 4], [7, 4], [7, 8], [2, 8]]},
        {"label": "person", "polygon": [[8, 2], [11, 2], [9, 9]], "deleted": 1},
        {"label": "license plate", "polygon": [[3, 6], [5, 6], [5, 7]]},
        {"label": "bus", "polygon": [[10.5, 3.5], [14, 3.5], [14, 7.2], [10.5, 7.2]]},
    ]
    for split in ("train", "val"):
        city = CITIES[split]
        stem = f"{split}/{city}/{city}_000000_000019"
        photo(root / f"leftImg8bit/{stem}_leftImg8bit.png")
        document = {"imgHeight": height, "imgWidth": width, "objects": objects}
        text(root / f"gtFine/{stem}_gtFine_polygons.json", json.dumps(document))
    return root


def cityscapes_snippets(root: Path) -> Path:
    cityscapes(root)
    for number in (*range(30), *range(40, 45)):  # another snippet of the same sequence follows after a gap
        photo(root / f"leftImg8bit_sequence/train/aachen/aachen_000000_{number:06d}_leftImg8bit.png", (4, 4))
    return root


def kitti_semantics(root: Path) -> Path:
    for number in range(3):
        name = f"{number:06d}_10.png"
        photo(root / "training/image_2" / name)
        ids = mask(root / "training/semantic" / name, [7, 23, 26, 24])
        (root / "training/instance").mkdir(parents=True, exist_ok=True)
        Image.fromarray(_instances(ids, 256, 1)).save(root / "training/instance" / name)
        photo(root / "testing/image_2" / name)
    return root


def camvid(root: Path) -> Path:
    for split in ("train", "val", "test"):
        photo(root / f"{split}/0001TP_{split}.png")
        mask(root / f"{split}annot/0001TP_{split}.png", list(range(12)))
    return root


CAMVID_FRAMES = {"train": "0006R0_f00930", "val": "0016E5_07959", "test": "Seq05VD_f00000"}


def camvid_32(root: Path) -> Path:
    space = space_of("camvid32")
    colors = np.array(space.palette, np.uint8)
    for name in CAMVID_FRAMES.values():
        photo(root / f"701_StillsRaw_full/{name}.png")
        path = root / f"LabeledApproved_full/{name}_L.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(list(name.encode()))
        Image.fromarray(colors[random.permutation(192) % len(colors)].reshape(*SIZE, 3)).save(path)
    return root


def ade20k(root: Path) -> Path:
    base = root / "ADEChallengeData2016"
    for split, short in (("training", "train"), ("validation", "val")):
        photo(base / f"images/{split}/ADE_{short}_00000001.jpg")
        mask(base / f"annotations/{split}/ADE_{short}_00000001.png", [0, 1, 3, 150])
    text(base / "objectInfo150.txt", "Idx\tRatio\tTrain\tVal\tName", "1\t0.15\t11664\t1172\twall")
    return root


def ade20k_full(root: Path) -> Path:
    classes = {2978: "wall", 312: "building, edifice", 2420: "sky"}
    for split, short in (("training", "train"), ("validation", "val")):
        stem = root / f"ADE20K_2021_17_01/images/ADE/{split}/urban/street/ADE_{short}_00000001"
        photo(stem.with_suffix(".jpg"))
        values = blocks(stem, [0, *classes])
        color = np.stack([values // 256 * 10, values % 256, np.where(values > 0, 255, 0)], axis=-1).astype(np.uint8)
        Image.fromarray(color).save(f"{stem}_seg.png")
        Image.fromarray(color).save(f"{stem}_parts_1.png")
        photo(stem / f"instance_000_{stem.name}.png")
        objects = [{"id": i, "name": name, "name_ndx": number} for i, (number, name) in enumerate(classes.items())]
        text(stem.with_suffix(".json"), json.dumps({"annotation": {"filename": f"{stem.name}.jpg", "object": objects}}))
    return root


def ccp(root: Path) -> Path:
    for number in range(1, 21):
        photo(root / f"photos/{number:04d}.jpg")
        mat(root / f"annotations/pixel-level/{number:04d}.mat", [0, 19, 41, 58], "groundtruth", np.float64)
    photo(root / "photos/1005.jpg")
    (root / "annotations/image-level").mkdir()
    savemat(root / "annotations/image-level/1005.mat", {"tags": np.array([1, 2])})
    cells = np.empty((1, len(CCP)), object)
    cells[0] = CCP.names
    savemat(root / "label_list.mat", {"label_list": cells})
    return root


def pratheepan(root: Path) -> Path:
    for folder, name, suffix in (("FacePhoto", "06Apr03Face", "jpg"), ("FamilyPhoto", "0520962400, (1)", "JPG")):
        photo(root / f"Pratheepan_Dataset/{folder}/{name}.{suffix}")
        path = root / f"Ground_Truth/GroundT_{folder}/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        gray = np.repeat(blocks(path, [0, 255, 130, 40]).astype(np.uint8)[..., None], 3, axis=2)
        Image.fromarray(gray).save(path)
    return root


def inria(root: Path) -> Path:
    base = root / "AerialImageDataset"
    for tile in ("austin1", "austin6", "tyrol-w5", "tyrol-w36"):
        photo(base / f"train/images/{tile}.tif")
        mask(base / f"train/gt/{tile}.tif", [0, 255])
    photo(base / "test/images/bellingham1.tif")
    return root


def isbi_em(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for name, binary in (("train-volume", False), ("train-labels", True), ("test-volume", False)):
        pages = random.integers(0, 256, (6, *SIZE), dtype=np.uint8)
        pages = np.where(pages > 127, 255, 0).astype(np.uint8) if binary else pages
        first, *others = [Image.fromarray(page) for page in pages]
        first.save(root / f"{name}.tif", save_all=True, append_images=others)
    return root


def nifti(path: Path, array: NDArray[np.int16], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
    """A NIfTI-1 file with an identity orientation (RAS), written by hand from the format's header."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *array.shape, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)  # int16
    struct.pack_into("<8f", header, 76, 1.0, *spacing, 1.0, 1.0, 1.0, 1.0)
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)
    struct.pack_into("<hh", header, 252, 0, 1)
    for row in range(3):
        values = [0.0, 0.0, 0.0, 0.0]
        values[row] = spacing[row]
        struct.pack_into("<4f", header, 280 + 16 * row, *values)
    header[344:348] = b"n+1\0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(header) + array.astype("<i2").tobytes(order="F"))


def lits(root: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(5):
        folder = root / ("Training Batch 1" if number < 3 else "Training Batch 2")
        nifti(folder / f"volume-{number}.nii", random.integers(-200, 250, (8, 8, 6)).astype(np.int16), (0.7, 0.7, 2.5))
        nifti(folder / f"segmentation-{number}.nii", random.integers(0, 3, (8, 8, 6)).astype(np.int16), (0.7, 0.7, 2.5))
    return root


def s3dis(root: Path) -> Path:
    for area in range(1, 7):
        for room in ("hallway_1", "office_10", "office_2"):
            place = root / f"Stanford3dDataset_v1.2_Aligned_Version/Area_{area}/{room}"
            text(place / f"{room}.txt", "1.0 2.0 0.5 128 128 128", "1.5 2.0 0.5 12 8 255")
            for thing in (*S3DIS.names[:2], "stairs"):
                text(place / f"Annotations/{thing}_1.txt", "1.0 2.0 0.5 128 128 128")
    return root


def shapenet_part(root: Path, v0: bool = False) -> Path:
    """Two caps and a mug for training, a cap for validation and a mug for testing: 12 points each, of two parts."""
    folder = root / f"shapenetcore_partanno_segmentation_benchmark_v0{'' if v0 else '_normal'}"
    text(folder / "synsetoffset2category.txt", "Cap\t02954340", "Mug\t03797390")
    members = {"train": ("cap0", "cap1", "mug0"), "val": ("cap2",), "test": ("mug1",)}
    for seed, name in enumerate(name for names in members.values() for name in names):
        synset, first = ("02954340", 6) if name.startswith("cap") else ("03797390", 36)
        xyz = np.random.default_rng(seed).normal(size=(12, 3))
        parts = (xyz[:, 2] > 0).astype(int)
        if v0:
            text(folder / synset / "points" / f"{name}.pts", *("{:.5f} {:.5f} {:.5f}".format(*row) for row in xyz))
            text(folder / synset / "points_label" / f"{name}.seg", *map(str, parts + 1))
        else:
            rows = zip(xyz, parts + first, strict=True)
            lines = ("{:.5f} {:.5f} {:.5f} 0 0 1 {}.000000".format(*row, part) for row, part in rows)
            text(folder / synset / f"{name}.txt", *lines)
    for split, names in members.items():
        entries = [f"shape_data/{'02954340' if name.startswith('cap') else '03797390'}/{name}" for name in names]
        text(folder / f"train_test_split/shuffled_{split}_file_list.json", json.dumps(entries))
    return root


def shapenet_part_hdf5(root: Path) -> Path:
    """The same objects in HDF5: a cap, a mug and a cap for training, a mug for testing."""
    import h5py

    folder = root / "hdf5_data"
    for split, categories in (("train", (2, 11, 2)), ("test", (11,))):
        text(folder / f"{split}_hdf5_file_list.txt", f"ply_data_{split}0.h5")
        data = np.random.default_rng(len(categories)).normal(size=(len(categories), 12, 3)).astype(np.float32)
        pid = (data[..., 2] > 0) + np.array([{2: 6, 11: 36}[category] for category in categories])[:, None]
        with h5py.File(folder / f"ply_data_{split}0.h5", "w") as file:
            file["data"], file["pid"] = data, pid.astype(np.uint8)
            file["label"] = np.array(categories, np.uint8)[:, None]
    return root


PICTURES: dict[str, Callable[[Path], Path]] = {
    "pascal-voc": pascal_voc,
    "sbd": sbd,
    "pascal-context": pascal_context,
    "coco-stuff": coco_stuff,
    "coco-stuff-10k": coco_stuff_10k,
    "cityscapes": cityscapes,
    "kitti-semantics": kitti_semantics,
    "camvid": camvid,
    "camvid-32": camvid_32,
    "ade20k": ade20k,
    "ade20k-full": ade20k_full,
    "ccp": ccp,
    "pratheepan": pratheepan,
    "inria": inria,
    "isbi-em": isbi_em,
}
"""The layout that a tree is recognised as, and what writes it."""

"""ADE20K: SceneParse150 (the benchmark), and the full data set of 2021 with thousands of classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import walk
from intarsia.datasets.layouts.survey import threaded
from intarsia.datasets.pictures import plain_mask
from intarsia.datasets.public.entry import Entry, Matched, by_name, find, layout, pairs_of, space_of
from intarsia.datasets.public.protocol import EvaluationProtocol, Findings, averages
from intarsia.datasets.splits import Item, Size
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix


def _summarise(space: LabelSpace, matrix: ConfusionMatrix, groups: Mapping[str, ConfusionMatrix]) -> Findings:
    """Tell what SceneParse150 tells: pixel accuracy, mean IoU, and the mean of both."""
    found = averages({"pixel accuracy": "pixel_accuracy", "mean IoU": "miou"})(space, matrix, groups)
    score = (found.values["pixel accuracy"] + found.values["mean IoU"]) / 2
    return Findings(found.values | {"score (their mean)": score}, found.tables)


PROTOCOL = EvaluationProtocol(
    "ade20k",
    "pixel accuracy, mean IoU of 150 classes, and the mean of both",
    "CSAILVision/sceneparsing, README",
    lambda: (space_of("ade150"),),
    _summarise,
)

ENTRY = Entry(
    name="ade20k",
    title="ADE20K (SceneParse150)",
    about="indoor and outdoor scenes, the 150 commonest classes: the benchmark of scene parsing",
    space=lambda: space_of("ade150"),
    splits="train 20210, val 2000 (test withheld)",
    ignored="value 0: other objects",
    size="22210 labelled photos",
    license="labels BSD-3-Clause; photos for non-commercial research and education",
    citation="Zhou et al., Scene Parsing through ADE20K Dataset, CVPR 2017",
    homepage="http://sceneparsing.csail.mit.edu",
    steps=("fetch the data of the scene parsing challenge from the homepage, and unpack it", "intarsia train FOLDER"),
    tree="""ADEChallengeData2016/
  images/training/ADE_train_00000001.jpg, images/validation/ADE_val_00000001.jpg
  annotations/training/ADE_train_00000001.png, annotations/validation/ADE_val_00000001.png""",
    protocol=PROTOCOL,
)

FULL = Entry(
    name="ade20k-full",
    title="ADE20K (full, 2021_17_01)",
    about="scenes with all of their classes (more than three thousand), parts and instances",
    space=lambda: space_of("ade150"),
    splits="training 25574, validation 2000",
    ignored="pixels without an object",
    size="the same scenes and more, at their own size, with parts and instances",
    license="for non-commercial research and education; registration needed",
    citation="Zhou et al., Semantic Understanding of Scenes through the ADE20K Dataset, IJCV 2019",
    homepage="https://groups.csail.mit.edu/vision/datasets/ADE20K/",
    steps=("register at the homepage, fetch ADE20K_2021_17_01.zip and unpack it", "intarsia train FOLDER"),
    tree="""ADE20K_2021_17_01/images/ADE/
  training/urban/street/ADE_train_00016869.jpg
  training/urban/street/ADE_train_00016869_seg.png  (class and instance in its colours)
  training/urban/street/ADE_train_00016869.json  (names of the classes)
  validation/...""",
    protocol=PROTOCOL,
)

_PLACES = ("", "ADEChallengeData2016")
_SPLITS = {"training": "train", "validation": "val"}
_MOST_BYTES = 64 << 20


def _found(content: Content) -> Path | None:
    return find(content, *_PLACES, holding=("images", "annotations"))


def _matches(content: Content) -> bool:
    folder = find(content, *_PLACES, holding=("images",))
    return folder is not None and any(
        next((folder / "images" / name).glob("ADE_*.jpg"), None) is not None for name in (*_SPLITS, "")
    )


def _read(content: Content) -> PictureReading:
    folder = _found(content)
    if folder is None:
        raise ENTRY.missing(content, "it has no images/ with annotations/")
    images, masks = folder / "images", folder / "annotations"
    parts = [
        by_name(split, images / name, masks / name, lambda photo: photo.with_suffix(".png"))
        for name, split in _SPLITS.items()
    ]
    # The development kit's sample is not divided.
    loose = [*images.glob("ADE_*.jpg")]
    if loose and not any(matched for matched, _ in parts):
        parts.append(by_name("val", images, masks, lambda photo: photo.with_suffix(".png")))
    space = space_of("ade150")
    values = {0: space.ignore_index} | {index + 1: index for index in range(len(space))}
    note = f"ADE20K (SceneParse150) with {len(space)} classes; mask value 0 (other objects) is ignored."
    return PictureReading(space, MaskCoding(values=values), pairs_of(*parts), (note,))


def _full(content: Content) -> Path | None:
    for place in ("", "images/ADE", "ADE20K_2021_17_01/images/ADE", "ADE"):
        folder = content.root / place
        if any(next((folder / name).rglob("*_seg.png"), None) is not None for name in _SPLITS):
            return folder
    return None


def _read_full(content: Content) -> PictureReading:
    folder = _full(content)
    if folder is None:
        raise FULL.missing(content, "it has no images/ADE/training/.../*_seg.png")
    parts: list[tuple[list[Matched], list[Path]]] = []
    for name, split in _SPLITS.items():
        parts.append(by_name(split, folder / name, folder / name, _seg))
    # Masks, parts and instances are pictures too; only the photos are JPEG.
    parts = [(matched, [path for path in left if path.suffix == ".jpg"]) for matched, left in parts]
    documents = [path for name in _SPLITS if (folder / name).is_dir() for path in walk(folder / name)]
    names = class_names(path for path in documents if path.suffix == ".json")
    if not names:
        raise FULL.missing(content, "no .json file names a class")
    space = LabelSpace(tuple(names[number] for number in sorted(names)))
    values = {number: index for index, number in enumerate(sorted(names))} | {0: space.ignore_index}
    note = (
        f"ADE20K (full) with the {len(space)} classes that its .json files name; pixels without an object are ignored."
    )
    return PictureReading(space, MaskCoding(values=values), pairs_of(*parts), (note,), _decoded)


def _seg(photo: Path) -> Path:
    return photo.with_name(f"{photo.stem}_seg.png") if photo.suffix == ".jpg" else photo.with_suffix(".none")


def class_names(documents: Iterable[Path]) -> dict[int, str]:
    """The classes that the .json files of the full data set name, by number.

    A name that two numbers share is followed by its number.

    Raises:
        DataError: a file is damaged.
    """
    names: dict[int, str] = {}
    for found in threaded(_named, documents):
        names |= found
    taken = list(names.values())
    return {number: name if taken.count(name) == 1 else f"{name} ({number})" for number, name in names.items()}


def _named(path: Path) -> dict[int, str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: refused: {path.stat().st_size:,} bytes are too many for one image's objects")
        text = path.read_bytes()
        try:
            value: Any = json.loads(text)
        except UnicodeDecodeError:
            value = json.loads(text.decode("latin-1"))  # as some of the official files are
        return {int(one["name_ndx"]): str(one["name"]) for one in value["annotation"]["object"]}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"{path}: not ADE20K's list of objects ({error!r}); download it again") from error


def decode_classes(picture: RawMask) -> RawMask:
    """Class numbers of a _seg.png: (red // 10) * 256 + green (ADE20K's loadAde20K).

    Args:
        picture: (H, W, 3) RGB.

    Returns:
        (H, W) uint16; 0 where there is no object.

    Raises:
        DataError: not a colour picture.
    """
    if picture.ndim != 3:
        raise DataError("not one of ADE20K's _seg.png files: it holds no colours; download it again")
    wide = picture.astype(np.uint16)
    return wide[..., 0] // np.uint16(10) * np.uint16(256) + wide[..., 1]


def decode_instances(picture: RawMask) -> RawMask:
    """Instance numbers of a _seg.png, (H, W): its blue values, renumbered from 1 in order; 0 where there is none."""
    found, inverse = np.unique(picture[..., 2], return_inverse=True)
    first = 0 if found[0] == 0 else 1
    return (inverse.reshape(picture.shape[:2]) + first).astype(np.uint16)


def _decoded(item: Item, size: Size | None) -> RawMask:
    try:
        return decode_classes(plain_mask(item, size))
    except DataError as error:
        raise DataError(f"{item.target}: {error}") from error


ENTRIES = (ENTRY, FULL)
LAYOUTS: dict[str, Layout] = {
    "ade20k": layout(ENTRY, "ADE20K SceneParse150: images, annotations by training and validation", _matches, _read),
    "ade20k-full": layout(
        FULL, "ADE20K 2021 with all classes: *_seg.png", lambda content: _full(content) is not None, _read_full
    ),
}

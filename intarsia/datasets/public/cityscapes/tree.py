"""Cityscapes on disk (fine and coarse, 19 classes or 7 categories, video snippets), and KITTI semantics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import natural
from intarsia.datasets.layouts.pairing import relative
from intarsia.datasets.pictures import image_size, plain_mask
from intarsia.datasets.public.cityscapes.labels import CITYSCAPES, CITYSCAPES_7, EVALUATED, LABELS, Label
from intarsia.datasets.public.cityscapes.scores import PROTOCOL
from intarsia.datasets.public.entry import Entry, Matched, by_name, find, layout, pairs_of, pictures
from intarsia.datasets.splits import Item, Size
from intarsia.errors import DataError
from intarsia.labels import LabelSpace

ENTRY = Entry(
    name="cityscapes",
    title="Cityscapes",
    about="street scenes of 50 cities, 2048x1024, 30 labels of which 19 classes and 7 categories are evaluated",
    space=lambda: CITYSCAPES,
    splits="fine: train 2975, val 500, test 1525 (labels withheld); coarse: also train_extra 19998",
    ignored="the labels that the benchmark does not evaluate, void among them",
    size="3475 finely and 23473 coarsely labelled frames of 2048x1024 pixels",
    license="for non-commercial use; no redistribution; registration needed",
    citation="Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016",
    homepage="https://www.cityscapes-dataset.com/",
    steps=(
        "register at the homepage",
        "fetch leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip (coarse: gtCoarse.zip and "
        "leftImg8bit_trainextra.zip; snippets: leftImg8bit_sequence_trainvaltest.zip)",
        "unpack them into one folder",
        "intarsia train FOLDER, or with --layout cityscapes-7 or cityscapes-coarse",
    ),
    tree="""leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png  (train, val, test; by city)
gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png  (or _labelTrainIds.png, or _polygons.json)
gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png  (for iIoU)
gtCoarse/train, train_extra, val  (cityscapes-coarse)""",
    protocol=PROTOCOL,
)

KITTI_ENTRY = Entry(
    name="kitti-semantics",
    title="KITTI semantics 2015",
    about="200 street scenes of Karlsruhe in the labels of Cityscapes",
    space=lambda: CITYSCAPES,
    splits="training 200, testing 200 (labels withheld); no official val: a part of training is set aside",
    ignored="as Cityscapes",
    size="200 labelled frames of about 1242x375 pixels",
    license="CC BY-NC-SA 3.0",
    citation="Alhaija et al., Augmented Reality Meets Computer Vision, IJCV 2018",
    homepage="https://www.cvlibs.net/datasets/kitti/eval_semseg.php?benchmark=semantics2015",
    steps=("fetch data_semantics.zip from the homepage (registration needed), and unpack it", "intarsia train FOLDER"),
    tree="""training/image_2/000000_10.png
training/semantic/000000_10.png
training/instance/000000_10.png  (for iIoU)""",
    protocol=PROTOCOL,
)

_IMAGE = "_leftImg8bit.png"
_KINDS = ("labelIds.png", "labelTrainIds.png", "polygons.json")
_MOST_POLYGONS = 64 << 20  # bytes of JSON; the largest official file has less than 1 MB


def _is_fine(content: Content) -> bool:
    """With a part of the tree only, reading says how to get the rest."""
    if (content.root / "gtFine").is_dir():
        return True
    return (content.root / "leftImg8bit").is_dir() and not (content.root / "gtCoarse").is_dir()


def _is_coarse_only(content: Content) -> bool:
    return (content.root / "gtCoarse").is_dir() and not (content.root / "gtFine").is_dir()


def _read(content: Content, *, categories: bool, coarse: bool = False) -> PictureReading:
    photos, masks = content.root / "leftImg8bit", content.root / ("gtCoarse" if coarse else "gtFine")
    for folder in (photos, masks):
        if not folder.is_dir():
            raise ENTRY.missing(content, f"it has no {folder.name}/")
    present = [entry.name for entry in sorted(masks.iterdir()) if entry.is_dir()]
    # Of the test images only dummy labels are published.
    folders = [name for name in ("train", "train_extra", "val") if name in present]
    kind = next((kind for kind in _KINDS if any(_has(masks / name, kind) for name in folders)), None)
    if kind is None:
        raise ENTRY.missing(content, f"{masks.name}/ has no masks (..._{masks.name}_labelIds.png) of train or val")
    ending = f"_{masks.name}_{kind}"
    parts = [
        by_name("val" if name == "val" else "train", photos / name, masks / name, partial(_mask_name, ending=ending))
        for name in folders
    ]
    space = CITYSCAPES_7 if categories else CITYSCAPES
    pairs = pairs_of(*([([*map(_short, matched)], left) for matched, left in parts]))
    quality = "coarse" if coarse else "fine"
    what = f"{len(space)} {'categories' if categories else 'classes'}"
    note = f"Cityscapes, {quality} labels ({kind}), {what}; the other labels are ignored."
    reader = _drawn if kind == "polygons.json" else plain_mask
    return PictureReading(space, _coding(space, kind), pairs, (note,), reader, dict(_instances(pairs.matched, kind)))


def _short(entry: Matched) -> Matched:
    """The item without the "_leftImg8bit" that every picture's name ends in."""
    return entry[0], entry[1].removesuffix("_leftImg8bit"), *entry[2:]


def _mask_name(photo: Path, *, ending: str) -> Path:
    return photo.with_name(photo.name.removesuffix(_IMAGE) + ending)


def _has(folder: Path, kind: str) -> bool:
    return folder.is_dir() and next(folder.glob(f"*/*_{kind}"), None) is not None


def _coding(space: LabelSpace, kind: str) -> MaskCoding:
    """From stored ids to the classes or categories of a space."""
    if kind == "labelTrainIds.png":
        known = dict(enumerate(EVALUATED))
        values = {number: _target(label, space) for number, label in known.items()}
        return MaskCoding(values=values | {255: space.ignore_index})
    return MaskCoding(values={label.id: _target(label, space) for label in LABELS})


def _target(label: Label, space: LabelSpace) -> int:
    if not label.evaluated:
        return space.ignore_index
    return space.index(label.category if space is CITYSCAPES_7 else label.name)


def _instances(matched: tuple[Matched, ...], kind: str) -> Iterator[tuple[str, Path]]:
    for _, name, _, mask in matched:
        if isinstance(mask, Path):
            found = mask.with_name(mask.name.removesuffix(kind) + "instanceIds.png")
            if found.exists():
                yield name, found


def _drawn(item: Item, size: Size | None) -> RawMask:
    return draw_polygons(Path(str(item.target)), size or image_size(item))


def draw_polygons(path: Path, size: Size) -> RawMask:
    """The labelIds of a polygons.json, in the painter's order, as cityscapesScripts draws them.

    Args:
        path: a ..._polygons.json.
        size: (H, W) of the image.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: broken JSON, an unknown label, or outlines for an image of another size.
    """
    from PIL import Image, ImageDraw

    try:
        if path.stat().st_size > _MOST_POLYGONS:
            raise DataError(f"{path}: refused: {path.stat().st_size:,} bytes are too many for one image's outlines")
        value: Any = json.loads(path.read_bytes())
        said = int(value["imgHeight"]), int(value["imgWidth"])
        objects = [
            (str(one["label"]), [(float(x), float(y)) for x, y in one["polygon"]])
            for one in value["objects"]
            if not one.get("deleted")
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: not Cityscapes' outlines ({error!r}); download it again") from error
    if said != size:
        raise DataError(
            f"{path}: it was drawn on an image of {said[1]}x{said[0]} pixels, but its image has {size[1]}x{size[0]}"
        )
    numbers = {label.name: label.id for label in LABELS}
    canvas = Image.new("L", size[::-1], numbers["unlabeled"])
    pen = ImageDraw.Draw(canvas)
    for name, outline in objects:
        label = name if name in numbers else name.removesuffix("group")
        if label == "license plate":
            continue
        if label not in numbers:
            raise DataError(f"{path}: Cityscapes has no label {name!r}; download it again")
        if len(outline) < 3 or not np.isfinite(outline).all():
            raise DataError(f"{path}: an outline of {name!r} is no polygon; download it again")
        pen.polygon(outline, fill=numbers[label])
    return np.asarray(canvas)


@dataclass(frozen=True)
class Snippet:
    """A video of 30 frames, of which one is labelled.

    Attributes:
        id: city, sequence and number of the labelled frame.
        frames: pictures in the order of time.
        labelled: index of the labelled frame; 19 in the official snippets.
        mask: its labelIds.
    """

    id: str
    frames: tuple[Path, ...]
    labelled: int
    mask: Path


def snippets(root: Path, split: str) -> list[Snippet]:
    """The video snippets of leftImg8bit_sequence whose labelled frame has a mask in gtFine.

    Args:
        root: Cityscapes' folder.
        split: "train" or "val".

    Raises:
        DataError: there are no sequences, or no masks for them; says how to get them.
    """
    folder = root / "leftImg8bit_sequence" / split
    frames: dict[tuple[Path, str], dict[int, Path]] = {}
    for picture in pictures(folder):
        stem, _, number = picture.name.removesuffix(_IMAGE).rpartition("_")
        if number.isdecimal():
            frames.setdefault((relative(picture.parent, folder), stem), {})[int(number)] = picture
    found = []
    for mask in sorted((root / "gtFine" / split).glob("*/*_gtFine_labelIds.png"), key=lambda path: natural(path.name)):
        stem, _, number = mask.name.removesuffix("_gtFine_labelIds.png").rpartition("_")
        series = frames.get((Path(mask.parent.name), stem), {})
        if number.isdecimal() and int(number) in series:
            found.append(_snippet(f"{split}/{mask.parent.name}/{stem}_{number}", series, int(number), mask))
    if not found:
        what = f"leftImg8bit_sequence/{split} has no frames of masks in gtFine/{split}"
        raise ENTRY.missing(Content(root), what)
    return found


def _snippet(name: str, series: dict[int, Path], labelled: int, mask: Path) -> Snippet:
    """The unbroken run of frames around the labelled one; one sequence number can hold several snippets."""
    first = last = labelled
    while first - 1 in series and labelled - first < 19:
        first -= 1
    while last + 1 in series and last - labelled < 10:
        last += 1
    return Snippet(name, tuple(series[number] for number in range(first, last + 1)), labelled - first, mask)


_KITTI_PLACES = ("training", "data_semantics/training", "")


def _is_kitti(content: Content) -> bool:
    """With or without masks: where they are missing, reading says how to get them."""
    return any(find(content, *_KITTI_PLACES, holding=("image_2", kind)) for kind in ("semantic", "instance"))


def _kitti(content: Content) -> Path | None:
    return find(content, *_KITTI_PLACES, holding=("image_2", "semantic"))


def _read_kitti(content: Content) -> PictureReading:
    folder = _kitti(content)
    if folder is None:
        raise KITTI_ENTRY.missing(content, "it has no training/image_2 with training/semantic")
    pairs = pairs_of(by_name("train", folder / "image_2", folder / "semantic", lambda photo: photo))
    instances = {
        name: folder / "instance" / mask.name
        for _, name, _, mask in pairs.matched
        if isinstance(mask, Path) and (folder / "instance" / mask.name).exists()
    }
    note = "KITTI semantics with Cityscapes' 19 classes; the rest is ignored."
    return PictureReading(CITYSCAPES, _coding(CITYSCAPES, "labelIds.png"), pairs, (note,), instances=instances)


ENTRIES = (ENTRY, KITTI_ENTRY)
LAYOUTS: dict[str, Layout] = {
    "cityscapes": layout(
        ENTRY, "Cityscapes, fine labels, 19 classes: leftImg8bit, gtFine", _is_fine, partial(_read, categories=False)
    ),
    "cityscapes-7": layout(ENTRY, "Cityscapes, fine labels, 7 categories", None, partial(_read, categories=True)),
    "cityscapes-coarse": layout(
        ENTRY,
        "Cityscapes, coarse labels, 19 classes: leftImg8bit, gtCoarse",
        _is_coarse_only,
        partial(_read, categories=False, coarse=True),
    ),
    "kitti-semantics": layout(
        KITTI_ENTRY,
        "KITTI semantics 2015, Cityscapes' 19 classes: training/image_2, semantic",
        _is_kitti,
        _read_kitti,
    ),
}

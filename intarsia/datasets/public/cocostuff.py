"""COCO-Stuff: things and stuff on the photos of COCO; 164 thousand, or the first 10 thousand."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.matfile import read_mat
from intarsia.datasets.public.entry import (
    Entry,
    Matched,
    by_list,
    by_name,
    find,
    layout,
    listed,
    pairs_of,
    space_of,
    under,
)
from intarsia.datasets.public.protocol import EvaluationProtocol, averages
from intarsia.datasets.splits import Item, Size
from intarsia.labels import LabelSpace

UNUSED = (
    "street sign", "hat", "shoe", "eye glasses", "plate", "mirror", "window", "desk", "door", "blender", "hair brush",
)  # fmt: skip
"""Things that have a number but no outlines in COCO."""


def all_labels() -> LabelSpace:
    """The 182 numbered labels: 91 things, then 91 stuff."""
    return space_of("cocostuff182")


@cache
def used_labels() -> LabelSpace:
    """The 171 labels that occur: 80 things, then 91 stuff."""
    return LabelSpace(tuple(name for name in all_labels().names if name not in UNUSED))


PROTOCOL = EvaluationProtocol(
    "coco-stuff",
    "pixel and class accuracy, mean and frequency-weighted IoU of 171 classes",
    "Caesar et al. 2018, section 5",
    lambda: (used_labels(), all_labels()),
    averages(
        {
            "pixel accuracy": "pixel_accuracy",
            "class accuracy": "mean_accuracy",
            "mean IoU": "miou",
            "frequency-weighted IoU": "fwiou",
        }
    ),
)

ENTRY = Entry(
    name="coco-stuff",
    title="COCO-Stuff 164k",
    about="photos of COCO 2017 with 80 things and 91 kinds of stuff",
    space=used_labels,
    splits="train 118287, val 5000",
    ignored="value 255: unlabelled pixels",
    size="123287 labelled photos: 659 MB of labels, 19 GB of photos",
    license="labels CC BY 4.0; photos under Flickr's terms",
    citation="Caesar, Uijlings & Ferrari, COCO-Stuff: Thing and Stuff Classes in Context, CVPR 2018",
    homepage="https://github.com/nightrome/cocostuff",
    steps=(
        "fetch train2017.zip and val2017.zip from http://images.cocodataset.org/zips/",
        "fetch stuffthingmaps_trainval2017.zip from "
        "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/",
        "unpack the photos into images/ and the labels into annotations/",
        "intarsia train FOLDER",
    ),
    tree="""images/train2017/000000000009.jpg, images/val2017/000000000139.jpg
annotations/train2017/000000000009.png, annotations/val2017/000000000139.png  (or stuffthingmaps/ in place of
annotations/)""",
    protocol=PROTOCOL,
)

SMALL = Entry(
    name="coco-stuff-10k",
    title="COCO-Stuff 10K",
    about="the first 10 thousand photos of COCO-Stuff, version 1.1",
    space=used_labels,
    splits="train 9000, test 1000",
    ignored="value 0: unlabelled pixels",
    size="10000 labelled photos",
    license="labels CC BY 4.0; photos under Flickr's terms",
    citation="Caesar, Uijlings & Ferrari, COCO-Stuff: Thing and Stuff Classes in Context, CVPR 2018",
    homepage="https://github.com/nightrome/cocostuff10k",
    steps=("fetch cocostuff-10k-v1.1.zip as the homepage says, and unpack it", "intarsia train FOLDER"),
    tree="""images/COCO_train2014_000000000077.jpg
annotations/COCO_train2014_000000000077.mat  (S)
imageLists/train.txt, test.txt""",
    protocol=PROTOCOL,
)

_MASKS = ("annotations", "stuffthingmaps", "stuffthingmaps_trainval2017")
_SPLITS = {"train2017": "train", "val2017": "val"}


def _folders(content: Content) -> tuple[Path, Path] | None:
    """Photos and labels, each with train2017/ or val2017/ inside."""
    photos = next((content.root / name for name in ("images", "") if _divided(content.root / name)), None)
    masks = next((content.root / name for name in _MASKS if _divided(content.root / name)), None)
    return None if photos is None or masks is None else (photos, masks)


def _divided(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in _SPLITS)


def _matches(content: Content) -> bool:
    folders = _folders(content)
    return folders is not None and any(
        next((folders[1] / name).glob("[0-9]" * 12 + ".png"), None) is not None for name in _SPLITS
    )


def _read(content: Content, *, every: bool) -> PictureReading:
    folders = _folders(content)
    if folders is None:
        raise ENTRY.missing(content, "it has no images/train2017 with annotations/train2017")
    parts: list[tuple[list[Matched], list[Path]]] = [
        by_name(split, folders[0] / name, folders[1] / name, lambda photo: photo.with_suffix(".png"))
        for name, split in _SPLITS.items()
    ]
    space = all_labels() if every else used_labels()
    return PictureReading(
        space, _coding(space, first=0, unlabelled=255), pairs_of(*parts), (_note(space, "164k", 255),)
    )


def _read_small(content: Content, *, every: bool) -> PictureReading:
    folder = find(content, *_SMALL_PLACES, holding=_SMALL_HOLDS)
    if folder is None:
        raise SMALL.missing(content, f"it has no {', '.join(_SMALL_HOLDS)}")
    photo, mask = under(folder / "images", ".jpg"), under(folder / "annotations", ".mat")
    lists = [(split, folder / "imageLists" / f"{split}.txt") for split in ("train", "test")]
    parts = [by_list(split, listed(path), photo, mask) for split, path in lists]
    space = all_labels() if every else used_labels()
    coding = _coding(space, first=1, unlabelled=0)
    return PictureReading(space, coding, pairs_of(*parts), (_note(space, "10K", 0),), _label_map)


_SMALL_PLACES = ("", "cocostuff-10k-v1.1", "dataset")
_SMALL_HOLDS = ("images", "annotations", "imageLists")


def _coding(space: LabelSpace, *, first: int, unlabelled: int) -> MaskCoding:
    numbered = enumerate(all_labels().names, start=first)
    values = {number: space.index(name) if name in space.names else space.ignore_index for number, name in numbered}
    return MaskCoding(values=values | {unlabelled: space.ignore_index})


def _note(space: LabelSpace, version: str, unlabelled: int) -> str:
    name = ENTRY.name if version == "164k" else SMALL.name
    other = f"all 182 numbers: --layout {name}-182" if len(space) == 171 else f"those that occur: --layout {name}"
    return f"COCO-Stuff {version} with {len(space)} classes ({other}); mask value {unlabelled} (unlabelled) is ignored."


def _label_map(item: Item, size: Size | None) -> RawMask:
    return read_mat(Path(str(item.target)), "S")


def _is_small(content: Content) -> bool:
    folder = find(content, *_SMALL_PLACES, holding=_SMALL_HOLDS)
    return folder is not None and next((folder / "annotations").glob("*.mat"), None) is not None


ENTRIES = (ENTRY, SMALL)
LAYOUTS: dict[str, Layout] = {
    "coco-stuff": layout(ENTRY, "COCO-Stuff 164k, 171 classes: stuffthingmaps", _matches, partial(_read, every=False)),
    "coco-stuff-182": layout(ENTRY, "COCO-Stuff 164k, all 182 numbers", None, partial(_read, every=True)),
    "coco-stuff-10k": layout(SMALL, "COCO-Stuff 10K, 171 classes: .mat", _is_small, partial(_read_small, every=False)),
    "coco-stuff-10k-182": layout(SMALL, "COCO-Stuff 10K, all 182 numbers", None, partial(_read_small, every=True)),
}

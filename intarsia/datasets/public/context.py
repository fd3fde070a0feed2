"""Pascal Context: the photos of VOC 2010 with every pixel labelled; 59 classes, or 60 with the background."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.matfile import read_mat
from intarsia.datasets.public.entry import Entry, Matched, by_list, find, layout, listed, pairs_of, under
from intarsia.datasets.public.protocol import PLAIN, EvaluationProtocol
from intarsia.datasets.splits import Item, Size
from intarsia.labels import LabelSpace

# Number among the 459 labels of the .mat files, and name. The PNG files of the usual converter (PASCAL in Detail)
# count the same labels from 1 in this order, with 0 for everything else.
_LABELS = (
    (2, "aeroplane"), (9, "bag"), (18, "bed"), (19, "bedclothes"), (22, "bench"), (23, "bicycle"), (25, "bird"),
    (31, "boat"), (33, "book"), (34, "bottle"), (44, "building"), (45, "bus"), (46, "cabinet"), (59, "car"),
    (65, "cat"), (68, "ceiling"), (72, "chair"), (80, "cloth"), (85, "computer"), (98, "cow"), (104, "cup"),
    (105, "curtain"), (113, "dog"), (115, "door"), (144, "fence"), (158, "floor"), (159, "flower"), (162, "food"),
    (187, "grass"), (189, "ground"), (207, "horse"), (220, "keyboard"), (232, "light"), (258, "motorbike"),
    (259, "mountain"), (260, "mouse"), (284, "person"), (295, "plate"), (296, "platform"), (308, "pottedplant"),
    (324, "road"), (326, "rock"), (347, "sheep"), (349, "shelves"), (354, "sidewalk"), (355, "sign"), (360, "sky"),
    (366, "snow"), (368, "sofa"), (397, "table"), (415, "track"), (416, "train"), (420, "tree"), (424, "truck"),
    (427, "tvmonitor"), (440, "wall"), (445, "water"), (454, "window"), (458, "wood"),
)  # fmt: skip
_ALL = 459

CONTEXT_59 = LabelSpace(tuple(name for _, name in _LABELS))
"""The 59 commonest labels, in alphabetical order."""
CONTEXT_60 = LabelSpace(("background", *CONTEXT_59.names))
"""The same with everything else as a class of its own."""

PROTOCOL = EvaluationProtocol(
    "pascal-context",
    "mean IoU of 59 classes, or of 60 with the background",
    "Mottaghi et al. 2014",
    lambda: (CONTEXT_59, CONTEXT_60),
    PLAIN,
)

ENTRY = Entry(
    name="pascal-context",
    title="Pascal Context",
    about="whole scenes on the photos of Pascal VOC 2010: 59 classes of 459",
    space=lambda: CONTEXT_59,
    splits="train 4998, val 5105",
    ignored="pascal-context (59): all other labels; pascal-context-60: nothing, they are the class background",
    size="10103 labelled photos",
    license="photos under Flickr's terms; for research",
    citation="Mottaghi et al., The Role of Context for Object Detection and Semantic Segmentation, CVPR 2014",
    homepage="https://cs.stanford.edu/~roozbeh/pascal-context/",
    steps=(
        "fetch trainval.tar.gz (the labels) from the homepage, and VOCtrainval_03-May-2010.tar from "
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/",
        "unpack both into one folder",
        "intarsia train FOLDER, or with --layout pascal-context-60",
    ),
    tree="""trainval/2008_000002.mat  (LabelMap)
VOCdevkit/VOC2010/
  JPEGImages/2008_000002.jpg
  ImageSets/Main/train.txt, val.txt
or, as PASCAL in Detail is usually converted, VOCdevkit/VOC2010/
  SegmentationClassContext/2008_000002.png  (0 for other labels, 1-59)
  ImageSets/SegmentationContext/train.txt, val.txt""",
    protocol=PROTOCOL,
)

_PLACES = ("", "VOC2010", "VOCdevkit/VOC2010")


def _devkit(content: Content) -> Path | None:
    return find(content, *_PLACES, holding=("JPEGImages",))


def _matches(content: Content) -> bool:
    folder = _devkit(content)
    if folder is None:
        return False
    return _is_png(folder) or (folder.name == "VOC2010" and _mats(content, folder) is not None)


def _is_png(folder: Path) -> bool:
    return (folder / "SegmentationClassContext").is_dir() and (folder / "ImageSets/SegmentationContext").is_dir()


def _mats(content: Content, folder: Path) -> Path | None:
    """The folder of .mat files: beside the development kit, or inside it."""
    for place in (content.root, folder, folder.parent, folder.parent.parent):
        found = place / "trainval"
        if place.is_relative_to(content.root) and found.is_dir() and next(found.glob("*.mat"), None) is not None:
            return found
    return None


def _read(content: Content, *, background: bool) -> PictureReading:
    space = CONTEXT_60 if background else CONTEXT_59
    other = 0 if background else space.ignore_index
    folder = _devkit(content)
    if folder is None:
        raise ENTRY.missing(content, "it has no VOCdevkit/VOC2010/JPEGImages")
    note = (
        "Pascal Context with 60 classes; other labels are the class background. Ignored: --layout pascal-context."
        if background
        else "Pascal Context with 59 classes; other labels are ignored. As a class: --layout pascal-context-60."
    )
    if _is_png(folder):
        values = {0: other} | {place: space.index(name) for place, (_, name) in enumerate(_LABELS, start=1)}
        parts = _parts(folder, "SegmentationContext", folder / "SegmentationClassContext", ".png")
        return PictureReading(space, MaskCoding(values=values), pairs_of(*parts), (note,))
    mats = _mats(content, folder)
    if mats is None:
        raise ENTRY.missing(content, "it has neither trainval/*.mat nor SegmentationClassContext/")
    values = dict.fromkeys(range(_ALL + 1), other) | {number: space.index(name) for number, name in _LABELS}
    parts = _parts(folder, "Main", mats, ".mat")
    return PictureReading(space, MaskCoding(values=values), pairs_of(*parts), (note,), _label_map)


def _parts(folder: Path, lists: str, masks: Path, suffix: str) -> list[tuple[list[Matched], list[Path]]]:
    sets = folder / "ImageSets" / lists
    images = under(folder / "JPEGImages", ".jpg")
    return [by_list(split, listed(sets / f"{split}.txt"), images, under(masks, suffix)) for split in ("train", "val")]


def _label_map(item: Item, size: Size | None) -> RawMask:
    return read_mat(Path(str(item.target)), "LabelMap")


ENTRIES = (ENTRY,)
LAYOUTS: dict[str, Layout] = {
    "pascal-context": layout(
        ENTRY, "Pascal Context, 59 classes: .mat or PNG labels", _matches, partial(_read, background=False)
    ),
    "pascal-context-60": layout(
        ENTRY, "Pascal Context, 59 classes and background", None, partial(_read, background=True)
    ),
}

"""Pascal VOC 2012 and 2007, and the Semantic Boundaries Dataset that extends VOC's training set."""

from __future__ import annotations

import re
from pathlib import Path

from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.survey import survey
from intarsia.datasets.matfile import read_mat
from intarsia.datasets.parts import File
from intarsia.datasets.pictures import plain_mask
from intarsia.datasets.public.entry import Download, Entry, Matched, by_list, find, layout, listed, pairs_of, under
from intarsia.datasets.public.protocol import PLAIN, EvaluationProtocol
from intarsia.datasets.splits import Item, Size
from intarsia.labels import Color, LabelSpace

_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_PLACES = ("", "VOC2012", "VOC2007", "VOCdevkit/VOC2012", "VOCdevkit/VOC2007")
_HOLDS = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
_SBD_PLACES = ("benchmark_RELEASE/dataset", "dataset", "")


def colormap(count: int) -> tuple[Color, ...]:
    """VOC's colours: the index's bits, dealt to the high bits of red, green and blue (devkit, VOClabelcolormap)."""

    def channel(index: int, offset: int) -> int:
        return sum((index >> (3 * place + offset) & 1) << (7 - place) for place in range(8))

    return tuple((channel(i, 0), channel(i, 1), channel(i, 2)) for i in range(count))


VOC = LabelSpace(_NAMES, colormap(len(_NAMES)))
"""The 21 classes of Pascal VOC; 255 marks borders and difficult objects."""

PROTOCOL = EvaluationProtocol(
    "pascal-voc", "mean IoU of 21 classes, background included", "Everingham et al. 2015", lambda: (VOC,), PLAIN
)

ENTRY = Entry(
    name="pascal-voc",
    title="Pascal VOC 2012",
    about="photos of everyday things, 20 classes and background",
    space=lambda: VOC,
    splits="train 1464, val 1449 (test 1456, labels withheld); with SBD: train 10582. VOC 2007: 209, 213, test 210",
    ignored="value 255: borders of objects, 5 pixels wide, and difficult objects",
    size="2913 labelled photos (VOC 2012)",
    license="photos under Flickr's terms; for research",
    citation="Everingham et al., The Pascal Visual Object Classes Challenge: A Retrospective, IJCV 2015",
    homepage="http://host.robots.ox.ac.uk/pascal/VOC/",
    steps=(
        "intarsia data get pascal-voc -o FOLDER, or fetch VOCtrainval_11-May-2012.tar from the homepage and unpack it",
        "intarsia train FOLDER",
        "for the 10582 training images: intarsia data get sbd -o FOLDER, and then --layout pascal-voc-sbd",
    ),
    tree="""VOCdevkit/VOC2012/  (or VOC2007/; opened itself or from above)
  JPEGImages/2007_000032.jpg
  SegmentationClass/2007_000032.png
  ImageSets/Segmentation/train.txt, val.txt  (VOC 2007 also test.txt)
  SegmentationClassAug/*.png and ImageSets/Segmentation/trainaug.txt  (pascal-voc-sbd, or benchmark_RELEASE/ beside)""",
    protocol=PROTOCOL,
    downloads=(
        Download(
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "VOCtrainval_11-May-2012.tar",
            0,
            "6cd6e144f989b92b3379bac3b3de84fd",
        ),
    ),
)

SBD_ENTRY = Entry(
    name="sbd",
    title="Semantic Boundaries Dataset",
    about="class and instance masks for 11355 photos of VOC 2011, the classes of Pascal VOC",
    space=lambda: VOC,
    splits="train 8498, val 2857",
    ignored="nothing",
    size="11355 labelled photos",
    license="photos under Flickr's terms; for research",
    citation="Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011",
    homepage="http://home.bharathh.info/pubs/codes/SBD/download.html",
    steps=(
        "intarsia data get sbd -o FOLDER, or fetch benchmark.tgz from the homepage and unpack it",
        "intarsia train FOLDER",
    ),
    tree="""benchmark_RELEASE/dataset/
  img/2008_000002.jpg
  cls/2008_000002.mat  (GTcls.Segmentation)
  train.txt, val.txt""",
    protocol=PROTOCOL,
    downloads=(
        Download(
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
            "benchmark.tgz",
            0,
            "82b4d87ceb2ed10f6038a1cba92111cb",
        ),
    ),
)

_CODING = MaskCoding(values={i: i for i in (*range(len(VOC)), 255)})


def _voc(content: Content) -> Path | None:
    return find(content, *_PLACES, holding=_HOLDS)


def _is_voc(content: Content) -> bool:
    """The tree alone is used by many tools; the official names of the images tell VOC itself."""
    folder = _voc(content)
    if folder is None or content.classes is not None or (folder / "labelmap.txt").exists():
        return False
    style = r"\d{6}" if folder.name == "VOC2007" else r"\d{4}_\d{6}"
    lists = sorted((folder / "ImageSets/Segmentation").glob("*.txt"))
    names = [name for path in lists for name in listed(path)[:20]]
    return bool(names) and all(re.fullmatch(style, name) for name in names)


def _read_voc(content: Content) -> PictureReading:
    folder = _found(content)
    sets = folder / "ImageSets/Segmentation"
    parts = []
    for split in ("train", "val", "test"):
        if (sets / f"{split}.txt").exists():
            matched, left = _part(split, listed(sets / f"{split}.txt"), folder, folder / "SegmentationClass", ".png")
            # Test images come without masks, which is nothing to report.
            parts.append((matched, [] if split == "test" else left))
    note = f"Pascal VOC ({folder.name}) with its official splits; mask value 255 (borders) is ignored."
    coding = _coding([mask for matched, _ in parts for *_, mask in matched])
    if (sets / "trainaug.txt").exists() or _boundaries(content, folder) is not None:
        note += " With SBD's masks for training: --layout pascal-voc-sbd."
    return PictureReading(VOC, coding, pairs_of(*parts), (note,))


def _coding(masks: list[File]) -> MaskCoding:
    """Official masks hold indices; some tools write their colours instead, the border's (224, 224, 192) among them."""
    if not survey(masks[:1]).colors:
        return _CODING
    return MaskCoding(colors={color: index for index, color in enumerate(VOC.palette)} | {colormap(256)[255]: 255})


def _read_augmented(content: Content) -> PictureReading:
    folder = _found(content)
    sets, own = folder / "ImageSets/Segmentation", folder / "SegmentationClass"
    train, val = listed(sets / "train.txt"), listed(sets / "val.txt")
    official = _part("val", val, folder, own, ".png")
    if (sets / "trainaug.txt").exists() and (folder / "SegmentationClassAug").is_dir():
        augmented = _part("train", listed(sets / "trainaug.txt"), folder, folder / "SegmentationClassAug", ".png")
        return PictureReading(
            VOC, _CODING, pairs_of(augmented, official), ("Pascal VOC with SBD's masks (trainaug.txt).",)
        )
    boundaries = _boundaries(content, folder)
    if boundaries is None:
        what = "it has neither SegmentationClassAug with trainaug.txt nor benchmark_RELEASE beside VOCdevkit"
        raise ENTRY.missing(content, what)
    # The usual 10582 images: VOC's train, and all of SBD's that VOC's lists do not name.
    more = sorted({*listed(boundaries / "train.txt"), *listed(boundaries / "val.txt")} - {*train, *val})
    added = _part("train", more, folder, boundaries / "cls", ".mat")
    note = f"Pascal VOC with {len(added[0])} more training images from SBD."
    pairs = pairs_of(_part("train", train, folder, own, ".png"), added, official)
    return PictureReading(VOC, _CODING, pairs, (note,), _stored)


def _read_boundaries(content: Content) -> PictureReading:
    folder = find(content, *_SBD_PLACES, holding=("cls", "img"))
    if folder is None:
        raise SBD_ENTRY.missing(content, "it has no cls/ and img/")
    parts = [
        by_list(split, listed(folder / f"{split}.txt"), under(folder / "img", ".jpg"), under(folder / "cls", ".mat"))
        for split in ("train", "val")
    ]
    return PictureReading(
        VOC, _CODING, pairs_of(*parts), ("Semantic Boundaries Dataset with its own splits.",), _stored
    )


def _found(content: Content) -> Path:
    folder = _voc(content)
    if folder is None:
        raise ENTRY.missing(content, f"it has no {', '.join(_HOLDS)}")
    return folder


def _part(split: str, names: list[str], folder: Path, masks: Path, suffix: str) -> tuple[list[Matched], list[Path]]:
    return by_list(split, names, under(folder / "JPEGImages", ".jpg"), under(masks, suffix))


def _boundaries(content: Content, folder: Path) -> Path | None:
    """SBD's folder beside VOCdevkit/VOC2012, when what was opened holds both."""
    for place in (folder.parent, folder.parent.parent):
        dataset = place / "benchmark_RELEASE/dataset"
        if place.is_relative_to(content.root) and (dataset / "cls").is_dir():
            return dataset
    return None


def _stored(item: Item, size: Size | None) -> RawMask:
    if isinstance(item.target, Path) and item.target.suffix == ".mat":
        return read_mat(item.target, "GTcls.Segmentation")
    return plain_mask(item, size)


ENTRIES = (ENTRY, SBD_ENTRY)
LAYOUTS: dict[str, Layout] = {
    "pascal-voc": layout(
        ENTRY, "Pascal VOC 2012 or 2007: JPEGImages, SegmentationClass, ImageSets", _is_voc, _read_voc
    ),
    "pascal-voc-sbd": layout(ENTRY, "Pascal VOC 2012 with SBD's masks for training (trainaug)", None, _read_augmented),
    "sbd": layout(
        SBD_ENTRY,
        "Semantic Boundaries Dataset: img, cls (.mat)",
        lambda content: find(content, *_SBD_PLACES, holding=("cls", "img", "train.txt")) is not None,
        _read_boundaries,
    ),
}

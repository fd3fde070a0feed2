"""The kinds of data sets that are read, and looking up the public ones by name, for `intarsia data list` and `info`."""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.datasets.public import ENTRIES, LAYOUTS, PROTOCOLS, Entry, EvaluationProtocol
from intarsia.errors import UsageError, suggest


@dataclass(frozen=True)
class Kind:
    """One way in which data of your own may lie.

    Attributes:
        layout: the `layout` of `open_dataset` that reads it.
        about: what it is, in a line.
        files: how they lie.
    """

    layout: str
    about: str
    files: str


KINDS = (
    Kind(
        "folder",
        "images and masks",
        "images/ + masks/ (also labels, annotations, gt, ...), with or without train/val/test; or photo.jpg + "
        "photo_mask.png side by side; class names in classes.txt",
    ),
    Kind(
        "annotations",
        "the export of an annotation tool: LabelMe, CVAT, VIA, RectLabel, Labelbox, COCO",
        "the tool's files beside or above the images; or the file or zip archive itself",
    ),
    Kind(
        "voc",
        "the tree of Pascal VOC with other classes, as CVAT and others export it",
        "JPEGImages/, SegmentationClass/, ImageSets/Segmentation/*.txt, labelmap.txt",
    ),
    Kind(
        "manifest",
        "a list of files, wherever they lie below it",
        "manifest.csv or .jsonl with the columns image, mask and split (may be left out)",
    ),
    Kind(
        "parquet",
        "tables with encoded images and masks, as on the Hugging Face hub (intarsia[parquet])",
        "train-00000-of-00001.parquet, validation-..., also in data/; columns image and mask",
    ),
    Kind(
        "clouds",
        "labelled point clouds (intarsia[clouds]): LAS, LAZ, PLY, PCD, E57, tables, SemanticKITTI, nuScenes",
        "train/ + val/ (+ test/) of clouds that hold their classes, or all of them in one folder; class names in "
        "classes.txt (2: ground), standard ones for LAS",
    ),
)
"""The layouts of data of your own."""


def entry(name: str) -> Entry:
    """What is known about a public data set.

    Raises:
        UsageError: no such data set; the message suggests the closest name.
    """
    if name not in ENTRIES:
        raise UsageError(f"no data set is named {name!r}.{suggest(name, ENTRIES)}")
    return ENTRIES[name]


def find_protocol(name: str) -> EvaluationProtocol:
    """Look up the official evaluation of a public data set.

    Raises:
        UsageError: no such protocol; the message suggests the closest name.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"no evaluation protocol is named {name!r}.{suggest(name, PROTOCOLS)}")
    return PROTOCOLS[name]


def layouts_of(name: str) -> dict[str, str]:
    """The layouts that read a public data set, with a line on each; the first is the one found by itself."""
    return {layout: known.about for layout, known in LAYOUTS.items() if known.dataset == name}

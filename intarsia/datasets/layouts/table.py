"""The layouts in which labelled data sets lie on disk: telling them apart and reading each."""

from __future__ import annotations

from pathlib import Path

from intarsia.datasets.classfile import read_class_file
from intarsia.datasets.layouts import exports, manifest, parquet, volumes
from intarsia.datasets.layouts.contract import Content, Layout, Reading
from intarsia.datasets.layouts.pairing import Pairs, natural, pair
from intarsia.datasets.layouts.survey import detect
from intarsia.datasets.public import LAYOUTS as OFFICIAL
from intarsia.datasets.public.entry import by_list, listed, pairs_of, under
from intarsia.errors import DataError
from intarsia.media.images import IMAGE_SUFFIXES

_MASKS = "SegmentationClass"
_LISTS = Path("ImageSets/Segmentation")


def _read_folder(content: Content) -> Reading:
    pairs = pair(content.base, content.files)
    return _detected(content, pairs)


def _detected(content: Content, pairs: Pairs) -> Reading:
    """What the masks mean, found out from them."""
    masks = [mask for *_, mask in pairs.matched]
    try:
        space, coding, notes = detect(masks, content.classes, content.ignore, tolerant=content.tolerant)
    except DataError as error:
        raise DataError(f"{content.root}: {error}") from error
    return Reading(space, coding, pairs, tuple(notes))


def _voc_like(content: Content) -> Path | None:
    """The folder with VOC's tree; masks lie in SegmentationClass, and lists divide them."""
    for folder in (content.root, content.root / "VOCdevkit"):
        places = [folder, *(entry for entry in folder.iterdir() if entry.is_dir())] if folder.is_dir() else []
        for place in places:
            if (place / _MASKS).is_dir() and ((place / _LISTS).is_dir() or (place / "JPEGImages").is_dir()):
                return place
    return None


def _read_voc_like(content: Content) -> Reading:
    folder = _voc_like(content)
    if folder is None:
        raise DataError(
            f"{content.root}: not VOC's tree: JPEGImages/, {_MASKS}/ and {_LISTS.as_posix()}/*.txt are needed"
        )
    labelmap = folder / "labelmap.txt"
    if content.classes is None and labelmap.is_file():
        content = _with_classes(content, labelmap)
    photos = {path.relative_to(folder / "JPEGImages").with_suffix("").as_posix(): path for path in _photos(folder)}
    parts = []
    for split in ("train", "val", "test"):
        names = folder / _LISTS / f"{split}.txt"
        if names.is_file():
            wanted = [name for name in listed(names, spaces=True) if name in photos]
            parts.append(by_list(split, wanted, photos.__getitem__, under(folder / _MASKS, ".png")))
    if not any(matched for matched, _ in parts):
        default = folder / _LISTS / "default.txt"  # as CVAT names the list of an undivided task
        names_found = listed(default, spaces=True) if default.is_file() else sorted(photos, key=natural)
        wanted = [name for name in names_found if name in photos]
        parts = [by_list(None, wanted, photos.__getitem__, under(folder / _MASKS, ".png"))]
    pairs = pairs_of(*parts)
    if not pairs.matched:
        raise DataError(
            f"{folder}: none of the {len(photos)} images in JPEGImages has a mask in {_MASKS} (same name, .png)"
        )
    return _detected(content, pairs)


def _photos(folder: Path) -> list[Path]:
    images = folder / "JPEGImages"
    return [path for path in images.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES] if images.is_dir() else []


def _with_classes(content: Content, labelmap: Path) -> Content:
    """The content with the classes and colours of CVAT's labelmap.txt."""
    from dataclasses import replace

    return replace(content, classes=read_class_file(labelmap))


LAYOUTS: dict[str, Layout] = {
    "lits": OFFICIAL["lits"],  # before the layouts that look for pictures, and say that there are none
    **volumes.LAYOUTS,
    **OFFICIAL,
    "manifest": Layout(
        "a CSV or JSON Lines file with the columns image, mask and split",
        lambda content: manifest.find_manifest(content) is not None,
        manifest.read_manifest,
    ),
    "parquet": Layout(
        "Parquet files with encoded images and masks, as on the Hugging Face hub",
        lambda content: bool(parquet.find_tables(content)),
        parquet.read_tables,
    ),
    "voc": Layout(
        "the tree of Pascal VOC with classes of your own: JPEGImages, SegmentationClass, ImageSets",
        lambda content: content.table is None and _voc_like(content) is not None,
        _read_voc_like,
    ),
    "annotations": Layout(
        "the export of an annotation tool: LabelMe, CVAT, VIA, RectLabel, Labelbox, COCO",
        exports.is_export,
        exports.read_export,
    ),
    "folder": Layout(
        "images/ and masks/ (or the like), or masks beside images",
        lambda content: content.table is None,
        _read_folder,
    ),
}
"""Every layout by name; "auto" takes the first that recognises the folder."""

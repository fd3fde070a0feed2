"""The tree of Pascal VOC with classes of your own, as CVAT and others export it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from intarsia.classlists import read_class_file
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import natural
from intarsia.datasets.layouts.folder import detected
from intarsia.datasets.public.entry import by_list, listed, pairs_of, under
from intarsia.errors import DataError
from intarsia.files import below
from intarsia.media.images import IMAGE_SUFFIXES

_MASKS = "SegmentationClass"
_LISTS = Path("ImageSets/Segmentation")


def _tree(content: Content) -> Path | None:
    """The folder with VOC's tree; masks lie in SegmentationClass, and lists divide them."""
    for folder in (content.root, content.root / "VOCdevkit"):
        places = [folder, *(entry for entry in folder.iterdir() if entry.is_dir())] if folder.is_dir() else []
        for place in places:
            if (place / _MASKS).is_dir() and ((place / _LISTS).is_dir() or (place / "JPEGImages").is_dir()):
                return place
    return None


def _read(content: Content) -> PictureReading:
    folder = _tree(content)
    if folder is None:
        raise DataError(
            f"{content.root}: not VOC's tree: JPEGImages/, {_MASKS}/ and {_LISTS.as_posix()}/*.txt are needed"
        )
    labelmap = folder / "labelmap.txt"
    if content.classes is None and labelmap.is_file():
        content = replace(content, classes=read_class_file(labelmap))
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
    return detected(content, pairs)


def _photos(folder: Path) -> list[Path]:
    images = folder / "JPEGImages"
    return [path for path in below(images) if path.suffix.lower() in IMAGE_SUFFIXES] if images.is_dir() else []


LAYOUTS: dict[str, Layout] = {
    "voc": Layout(
        "the tree of Pascal VOC with classes of your own: JPEGImages, SegmentationClass, ImageSets",
        lambda content: content.table is None and _tree(content) is not None,
        _read,
        files="JPEGImages/, SegmentationClass/, ImageSets/Segmentation/*.txt, labelmap.txt",
    ),
}

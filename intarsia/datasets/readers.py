"""The layouts in which labelled data sets lie on disk: telling them apart and reading each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intarsia.annotations import labelme
from intarsia.annotations.document import AnnotatedImage, background_label, class_names
from intarsia.datasets.classfile import ClassList
from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.pairing import SPLITS, Pairs, classify, natural, pair
from intarsia.datasets.survey import detect, survey, without_ignored
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES

CAMVID = LabelSpace(
    (
        "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist",
    ),
    (
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (0, 0, 192), (128, 128, 0), (192, 128, 128),
        (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
)  # fmt: skip
"""The 11 classes of CamVid as in Badrinarayanan et al. (SegNet, 2017); stored value 11 is void."""

_CAMVID_MASKS = frozenset(f"{split}annot" for split in SPLITS)
_CAMVID_FOLDERS = _CAMVID_MASKS | SPLITS.keys()


@dataclass(frozen=True)
class Content:
    """The files of a folder (relative names start at `base`), and what the user said about them."""

    root: Path
    base: Path
    files: list[Path]
    classes: ClassList | None
    ignore: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What a layout's reader makes of a folder's content."""

    space: LabelSpace
    coding: MaskCoding
    pairs: Pairs
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One way to lay out a data set: a line on it, whether a folder looks like it, and its reader."""

    about: str
    matches: Callable[[Content], bool]
    read: Callable[[Content], Reading]


def _read_folder(content: Content) -> Reading:
    pairs = pair(content.base, content.files)
    try:
        space, coding, notes = detect([mask for *_, mask in pairs.matched], content.classes, content.ignore)
    except DataError as error:
        raise DataError(f"{content.root}: {error}") from error
    return Reading(space, coding, pairs, tuple(notes))


def _is_camvid(content: Content) -> bool:
    folders = {path.relative_to(content.base).parts[0].lower() for path in content.files}
    masks = [path for path in content.files if path.parent.name.lower() in _CAMVID_MASKS]
    if content.classes is not None or not masks or not folders <= _CAMVID_FOLDERS:
        return False
    # Other data sets use the same folder names; CamVid's masks hold 0..11, void included, and nothing else.
    found = survey(masks[:: max(1, len(masks) // 20)])
    return not found.colors and max(found.values, default=0) == len(CAMVID)


def _read_camvid(content: Content) -> Reading:
    if content.classes is not None:
        raise UsageError("the camvid layout has its own classes; for others use the layout folder")
    coding = MaskCoding(values={**{i: i for i in range(len(CAMVID))}, len(CAMVID): CAMVID.ignore_index})
    note = f"CamVid with {len(CAMVID)} classes; mask value {len(CAMVID)} (void) is ignored."
    return Reading(CAMVID, coding, pair(content.base, content.files), (note,))


def _is_labelme(content: Content) -> bool:
    documents = [path for path in content.files if path.suffix.lower() == ".json"]
    if not any(labelme.is_labelme(path) for path in documents[:20]):
        return False
    # LabelMe's own exporters write mask folders; where there are some, they are what the user prepared last.
    return not any(classify(path, content.base).role == "mask" for path in content.files if path not in documents)


def _read_labelme(content: Content) -> Reading:
    documents: list[AnnotatedImage] = []
    matched: list[tuple[str | None, str, Path, Path]] = []
    broken: list[str] = []
    for path in content.files:
        if path.suffix.lower() != ".json" or not labelme.is_labelme(path):
            continue
        image: Path | None
        try:
            documents.append(labelme.read(path, within=content.base))
            image = documents[-1].image
        except DataError as error:
            # It stays in the data set where its image is known: reading it names the file again, and so does a check.
            broken.append(str(error))
            image = labelme.beside(path)
        if image is not None:
            name = image.relative_to(content.base).with_suffix("").as_posix()
            matched.append((classify(image, content.base).split, name, image, path))
    if not documents:
        raise DataError(broken[0] if broken else f"{content.root}: no LabelMe files (.json with shapes) in this folder")
    notes = [f"Annotation files that cannot be used: {len(broken)}; the first: {broken[0]}."] if broken else []
    labels = sorted(set().union(*(document.labels() for document in documents)))
    if content.classes is None:
        space = LabelSpace(class_names(labels))
        notes.append(f"Classes from the annotations: {', '.join(space.names)}; pixels without a shape are background.")
    else:
        space = without_ignored(content.classes)
        rest = background_label(space)
        what = "ignored" if rest == space.ignore_index else space.names[rest]
        notes.append(f"Classes from {content.classes.source}; pixels without a shape are {what}.")
    used = {image for _, _, image, _ in matched}
    images = tuple(p for p in content.files if p.suffix.lower() in IMAGE_SUFFIXES and p not in used)
    matched.sort(key=lambda entry: natural(entry[1]))
    coding = MaskCoding(values={i: i for i in (*range(len(space)), space.ignore_index)})
    return Reading(space, coding, Pairs(tuple(matched), images, (), ()), tuple(notes))


LAYOUTS: dict[str, Layout] = {
    "labelme": Layout("images with LabelMe's JSON files", _is_labelme, _read_labelme),
    "camvid": Layout("CamVid as prepared for SegNet: train/ and trainannot/ ...", _is_camvid, _read_camvid),
    "folder": Layout("images/ and masks/ (or the like), or masks beside images", lambda content: True, _read_folder),
}
"""Every layout by name; "auto" takes the first whose `matches` says yes."""

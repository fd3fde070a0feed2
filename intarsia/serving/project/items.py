"""The items of a project: what lies in a folder that was given, or in a workspace of the studio's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from intarsia.annotations.archive import is_zip, unpack
from intarsia.datasets import Dataset, Split, open_dataset
from intarsia.datasets.layouts.filenames import folder_meaning
from intarsia.datasets.parts import File, Page, path_of, place
from intarsia.errors import DataError
from intarsia.files import below, listed_once
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.header import opened, own_frames
from intarsia.media.medium import BY_NAME, MEDIA, Form, Medium, expand, families

MediumName = Literal["picture", "raster", "volume", "video", "cloud"]
FOLDERS: dict[MediumName, str] = {
    "picture": "images", "raster": "images", "volume": "volumes/images", "video": "videos", "cloud": "clouds",
}  # fmt: skip
"""Where a workspace keeps the files of each medium."""
_SHARING = {folder: [name for name, place in FOLDERS.items() if place == folder] for folder in FOLDERS.values()}
_PHOTOS = (".jpg", ".jpeg")  # nobody keeps masks so, as it blurs them


@dataclass(frozen=True)
class Truth:
    """Labels that a data set brings along.

    Attributes:
        split: that reads them, by the data set's own rules.
        places: of the item in it; of a volume those of its slices, by number.
    """

    split: Split
    places: tuple[int, ...]

    def read(self, frame: int) -> LabelArray:
        """The labels (H, W) in the data set's classes.

        Raises:
            DataError: damaged, or of another size than the picture.
        """
        return self.split.target(self.split.items[self.places[frame]])


@dataclass(frozen=True)
class Found:
    """Something that can be labelled.

    Attributes:
        place: its name in its folder, with forward slashes: what it is known by from one day to the next.
        medium: what it is.
        source: where it is read from.
        truth: labels that the data set brings along; None where it has none.
        lasting: whether its file outlives the process; what an archive was unpacked to does not.
        coded: whether its own file says the classes, as the clouds of a labelled data set do.
    """

    place: str
    medium: MediumName
    source: File
    truth: Truth | None = None
    lasting: bool = True
    coded: bool = False

    @property
    def file(self) -> Path:
        """The file (or folder) that it lies in."""
        return path_of(self.source)


class Content(NamedTuple):
    """What a folder holds.

    Attributes:
        found: its items, in the order of their names.
        space: the classes of its labels; None where it brings none.
        notes: what was decided or left out, in sentences.
    """

    found: tuple[Found, ...]
    space: LabelSpace | None
    notes: tuple[str, ...]


@listed_once()
def content_of(data: Path) -> Content:
    """Find what a folder holds: pictures, a labelled data set, or an annotation tool's export; or a single file.

    Labels that cannot be used are no reason to refuse the pictures: the notes say why they are left out.

    Raises:
        DataError: there is nothing that can be labelled.
    """
    if not data.exists():
        raise DataError(f"{data}: no such file or folder")
    photos = _photos_alone(data)
    if photos:
        return Content(tuple(Found(place(path, data), "picture", path) for path in photos), None, ())
    try:
        dataset = open_dataset(data, val_fraction=0)
    except DataError as error:
        notes = () if "but no masks" in str(error) else (f"Its labels are not shown: {error}",)
        found = tuple(_unlabelled(data))
        if not found:
            raise
        return Content(found, None, notes)
    labelled = list(_labelled(dataset))
    others = [Found(place(path, dataset.root), "picture", path) for path in dataset.unpaired_images]
    every = sorted([*labelled, *others], key=lambda one: one.place)
    if is_zip(data):
        root = unpack(data).folder.resolve()  # where the data set lies as long as it is in use; another one every time
        every = [replace(one, place=place(one.file.resolve(), root), lasting=False) for one in every]
    return Content(tuple(every), dataset.space, dataset.notes)


def _photos_alone(data: Path) -> list[Path]:
    """The photos of a folder that holds nothing else, so that no file of it could be a label; else nothing.

    However many there are, that is told at once, where opening a data set looks into all of them.
    """
    every = list(below(data)) if data.is_dir() else []
    photos = [path for path in every if path.suffix.lower() in _PHOTOS]
    others = (path for path in every if path.suffix.lower() not in _PHOTOS)
    return photos if all(path.is_dir() and folder_meaning(path.name)[1] != "mask" for path in others) else []


def _labelled(dataset: Dataset) -> Iterator[Found]:
    for split in dataset.splits.values():
        for file, items in split.files():
            truth = Truth(split, tuple(items)) if split.has_maps else None
            yield Found(place(file, dataset.root), split.medium, file, truth, coded=truth is None)


def _unlabelled(data: Path) -> Iterator[Found]:
    """What can be labelled, whatever it is."""
    seen: set[Path] = set()
    for media in families(MEDIA):
        try:
            sources = expand(data, media=media)
        except DataError:
            continue
        for item in sources.items:
            path = Path(os.path.abspath(item.source))
            if path not in seen:
                seen.add(path)
                yield from parts_of(path, item.name.as_posix(), item.medium)


def parts_of(path: Path, name: str, medium: Medium) -> Iterator[Found]:
    """A file as one item, or the pages of a stack as one each."""
    return _PARTS.get(medium.form, _whole)(path, name, medium)


def _whole(path: Path, name: str, medium: Medium) -> Iterator[Found]:
    yield Found(name, called(medium), path)


def _pages(path: Path, name: str, medium: Medium) -> Iterator[Found]:
    with opened(path, str(path)) as stack:
        pages = own_frames(stack)
    yield from (Found(f"{name} page {number + 1}", called(medium), Page(path, number)) for number in pages)


_PARTS: dict[Form, Callable[[Path, str, Medium], Iterator[Found]]] = {"pages": _pages}
"""What is labelled by parts; all else is one item."""


def called(medium: Medium) -> MediumName:
    """What the studio calls a medium; a stack of pages is a picture to it, which its reader may refuse."""
    return _NAMES[medium.name]


_NAMES: dict[str, MediumName] = {
    "picture": "picture", "stack": "picture", "raster": "raster", "volume": "volume", "video": "video",
    "cloud": "cloud",
}  # fmt: skip


def workspace_content(folder: Path) -> Content:
    """What a workspace holds: the files in its own folders, whose stems are their ids."""
    found = []
    for place_, media in _SHARING.items():
        if not (folder / place_).is_dir():
            continue
        with os.scandir(folder / place_) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        for name in names:
            path = folder / place_ / name
            found.append(Found(name, _kept_as(path, media), path))
    return Content(tuple(found), None, ())


def _kept_as(path: Path, media: Sequence[MediumName]) -> MediumName:
    """Of the media that share a folder, what a file is: the first, unless a look into it proves another."""
    proven = (name for name in media[1:] if BY_NAME[name].claims(path) and BY_NAME[name].sniff(path))
    return next(proven, media[0])


def labels_as(space: LabelSpace, of: LabelSpace) -> Callable[[LabelArray], LabelArray]:
    """From labels of one space to those of another, by the names of the classes."""
    if space.names == of.names[: len(space)] and of.names == space.names and space.ignore_index == of.ignore_index:
        return lambda labels: labels
    table = space.lookup_from(of)

    def mapped(labels: LabelArray) -> LabelArray:
        turned: LabelArray = table[np.minimum(labels, of.ignore_index)]
        return turned

    return mapped

"""What was corrected, as a data set that `intarsia train` reads as it is: images/, masks/, classes.json."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from intarsia.datasets.parts import read_picture
from intarsia.files import atomic_path, make_folder, write_json
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import write_image
from intarsia.media.png import encode_mask
from intarsia.media.volumes import open_volume
from intarsia.serving.project.items import Found
from intarsia.serving.project.names import known_suffix, stem_of
from intarsia.serving.project.painting import painted

VOLUMES, FRAMES, POINTS = "volumes", "frames", "points"
"""Folders of a project that are data sets of their own: what lies in one is of one kind."""


class Labels(NamedTuple):
    """A label map.

    Attributes:
        png: as it was saved.
        read: decodes it to (H, W) of the project's classes.
    """

    png: bytes
    read: Callable[[], LabelArray]


def write_classes(folder: Path, space: LabelSpace) -> None:
    """Write classes.json, with the masks' values and the colours."""
    write_json(folder / "classes.json", space.to_json())


def withdraw(folder: Path, name: str, frames: list[int]) -> None:
    """Remove what was written of an item, the user's own file excepted."""
    names = [(place / part, name) for place in (folder, folder / VOLUMES) for part in ("masks", "images")]
    names.append((folder / POINTS, name))
    for frame in frames:
        names += [(folder / FRAMES / part, frame_name(name, frame)) for part in ("images", "masks")]
    for place, stem in names:
        for path in place.glob("*"):
            if stem_of(path.name) == stem:
                path.unlink(missing_ok=True)


def frame_name(name: str, frame: int) -> str:
    """The name of a frame as a picture."""
    return f"{name}_{frame:06d}"


def write_mask(path: Path, labels: Labels, space: LabelSpace) -> None:
    """Write an index mask in the project's colours, from the very pixels that were saved where it can be."""
    make_folder(path.parent)
    mask = painted(labels.png, space) or encode_mask(labels.read(), space)
    with atomic_path(path) as temporary:
        temporary.write_bytes(mask)


def bring(place: Path, name: str, item: Found) -> None:
    """Link an item's picture into a folder, under its id."""
    make_folder(place)
    if item.file.parent == place:
        return
    if not isinstance(item.source, Path):  # a page of a stack, a cell of a table
        target = place / f"{name}.png"
        if not target.exists():
            write_image(target, read_picture(item.source), encoding={"compress_level": 1})
        return
    if item.file.is_dir():  # a series of slices, which no data set takes
        target = place / f"{name}.nii.gz"
        if not target.exists():
            open_volume(item.file).write_values(target)
        return
    target = place / f"{name}{known_suffix(item.file.name).lower() or '.png'}"
    if target.exists():
        return
    with suppress(FileExistsError):
        if item.lasting:
            try:
                os.symlink(item.file.absolute(), target)
                return
            except FileExistsError:
                raise
            except OSError:  # a file system, or a Windows, without links
                pass
        with atomic_path(target) as temporary:
            shutil.copyfile(item.file, temporary)

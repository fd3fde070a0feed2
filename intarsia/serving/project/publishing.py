"""What was corrected, as a data set that `intarsia train` reads as it is: images/, masks/, classes.json."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from intarsia.datasets.parts import read_picture
from intarsia.files import atomic_path, make_folder, write_json
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import read_mask, write_image
from intarsia.media.medium import RASTER
from intarsia.media.pixels import RGB
from intarsia.media.png import encode_mask
from intarsia.media.rasters import open_raster
from intarsia.media.volumes import open_volume
from intarsia.serving.project.items import Found
from intarsia.serving.project.names import known_suffix, stem_of
from intarsia.serving.project.painting import painted
from intarsia.serving.project.revisions import Saved

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


def publish(folder: Path, name: str, item: Found, labels: Labels, space: LabelSpace) -> None:
    """Write the labels of a still picture where trainings look for them; of a GeoTIFF with its place on the map.

    The picture itself is linked to where it lies, unless it is there already; where links cannot be made, or the file
    does not last, it is copied.

    Args:
        folder: of the project.
        name: the item's id.
        item: a picture or raster.
        labels: as PNG, and how they are read as (H, W) of the project's classes.
        space: these.
    """
    _bring(folder / "images", name, item)
    target = mask_path(folder, name, item, 0)
    if item.medium != "raster":
        _write_mask(target, labels, space)
        return
    make_folder(target.parent)
    reader = open_raster(item.file, bands=(1, 1, 1), windows=((0.0, 1.0),))  # only where it lies is asked for
    assert RASTER.writer is not None
    with RASTER.writer(target, reader, space) as rows:
        rows.write(labels.read())


def publish_frame(folder: Path, name: str, picture: RGB, labels: Labels, space: LabelSpace) -> None:
    """Write one frame of a video with its labels, as a picture of its own."""
    image = folder / FRAMES / "images" / f"{name}.png"
    make_folder(image.parent)
    if not image.exists():
        write_image(image, picture, encoding={"compress_level": 1})
    _write_mask(folder / FRAMES / "masks" / f"{name}.png", labels, space)


def publish_volume(
    folder: Path, name: str, item: Found, slices: dict[int, Saved], base: LabelArray | None, space: LabelSpace
) -> Path:
    """Write the labels of a volume on its own grid, with its affine: slices that nobody labelled are unlabelled.

    Args:
        folder: of the project.
        name: the item's id.
        item: the volume.
        slices: what was saved, by number.
        base: labels that the data set brings along, (D, H, W) in the project's classes.
        space: the classes.
    """
    reader = open_volume(item.file)
    view = reader.grid.view(np.broadcast_to(np.uint8(0), reader.grid.shape), "axial")
    labels: LabelArray = np.full(view.shape, space.ignore_index, space.dtype) if base is None else base
    for number, saved in slices.items():
        labels[number] = read_mask(saved.path)
    _bring(folder / VOLUMES / "images", name, item)
    target = mask_path(folder, name, item, 0)
    make_folder(target.parent)
    reader.write(target, np.ascontiguousarray(reader.grid.stored(labels, "axial")), space)
    for place in (folder, folder / VOLUMES):
        write_classes(place, space)
    return target


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


def mask_path(folder: Path, name: str, item: Found, frame: int) -> Path:
    """Where the labels of an item (or of one of its frames) lie for trainings."""
    if item.medium == "volume":
        return folder / VOLUMES / "masks" / f"{name}.nii.gz"
    if item.medium == "video":
        return folder / FRAMES / "masks" / f"{frame_name(name, frame)}.png"
    return folder / "masks" / f"{name}{'.tif' if item.medium == 'raster' else '.png'}"


def frame_name(name: str, frame: int) -> str:
    """The name of a frame as a picture."""
    return f"{name}_{frame:06d}"


def _write_mask(path: Path, labels: Labels, space: LabelSpace) -> None:
    """Write an index mask in the project's colours, from the very pixels that were saved where it can be."""
    make_folder(path.parent)
    mask = painted(labels.png, space) or encode_mask(labels.read(), space)
    with atomic_path(path) as temporary:
        temporary.write_bytes(mask)


def _bring(place: Path, name: str, item: Found) -> None:
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

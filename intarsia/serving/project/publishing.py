"""What was corrected, as a data set that `intarsia train` reads as it is: images/, masks/, classes.json."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from intarsia.datasets.parts import read_picture
from intarsia.errors import DataError
from intarsia.files import atomic_path, make_folder, write_json
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import read_mask, write_image
from intarsia.media.medium import PICTURE, RASTER
from intarsia.media.pixels import RGB
from intarsia.media.rasters import open_raster
from intarsia.media.volumes import open_volume
from intarsia.serving.project.items import Found
from intarsia.serving.project.names import known_suffix, stem_of
from intarsia.serving.project.revisions import Saved

VOLUMES, FRAMES = "volumes", "frames"
"""Folders of a project that are data sets of their own: what lies in one is of one kind."""


def write_classes(folder: Path, space: LabelSpace) -> None:
    """Write classes.json, with the masks' values and the colours."""
    write_json(folder / "classes.json", space.to_json())


def publish(folder: Path, name: str, item: Found, labels: LabelArray, space: LabelSpace) -> Path:
    """Write the labels of a still picture where trainings look for them; of a GeoTIFF with its place on the map.

    The picture itself is linked to where it lies, unless it is there already; where links cannot be made it is copied.

    Args:
        folder: of the project.
        name: the item's id.
        item: a picture or raster.
        labels: (H, W), of the project's classes.
        space: these.

    Returns:
        The mask.
    """
    _bring(folder / "images", name, item)
    raster, target = item.medium == "raster", mask_path(folder, name, item, 0)
    make_folder(target.parent)
    reader = _georeferenced(item.file) if raster else _Size(*labels.shape)
    writer = (RASTER if raster else PICTURE).writer
    assert writer is not None
    with writer(target, reader, space) as rows:
        rows.write(labels)
    return target


def publish_frame(folder: Path, name: str, picture: RGB, labels: LabelArray, space: LabelSpace) -> Path:
    """Write one frame of a video with its labels, as a picture of its own."""
    for part in ("images", "masks"):
        make_folder(folder / FRAMES / part)
    write_image(folder / FRAMES / "images" / f"{name}.png", picture, encoding={"compress_level": 1})
    target = folder / FRAMES / "masks" / f"{name}.png"
    write_mask(target, labels, space)
    return target


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
    places = [folder / "masks", folder / "images", folder / VOLUMES / "masks", folder / VOLUMES / "images"]
    names = [(place, name) for place in places]
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


def write_mask(path: Path, labels: LabelArray, space: LabelSpace) -> None:
    """Write an index mask as PNG, palette where it fits."""
    assert PICTURE.writer is not None
    with PICTURE.writer(path, _Size(*labels.shape), space) as writer:
        writer.write(labels)


class _Size:
    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width


def _georeferenced(path: Path) -> object:
    """A raster by its header, whatever its bands: only where it lies is asked for."""
    return open_raster(path, bands=(1, 1, 1), windows=((0.0, 1.0),))


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
    suffix = "" if item.file.is_dir() else known_suffix(item.file.name).lower() or ".png"
    target = place / f"{name}{suffix}"
    if target.exists():
        return
    with suppress(FileExistsError):
        try:
            os.symlink(item.file.absolute(), target, target_is_directory=item.file.is_dir())
        except FileExistsError:
            raise
        except OSError:  # a file system, or a Windows, without links
            if item.file.is_dir():
                raise DataError(f"cannot link {item.file} into {place}; choose a folder that takes links") from None
            with atomic_path(target) as temporary:
                shutil.copyfile(item.file, temporary)

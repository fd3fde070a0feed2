"""Which pictures a name stands for, and opening them."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from intarsia.bundle import Preprocessing
from intarsia.errors import DataError
from intarsia.media.dicom import is_series
from intarsia.media.images import IMAGE_SUFFIXES, ImageLike, open_image
from intarsia.media.rasters import is_raster, open_raster
from intarsia.media.source import PixelSource
from intarsia.media.volumes import VOLUME_SUFFIXES


@dataclass(frozen=True)
class Found:
    """Pictures and volumes found under one name.

    Attributes:
        base: the folder that their relative names start from.
        paths: the pictures, volume files and folders of DICOM series, sorted.
    """

    base: Path
    paths: tuple[Path, ...]


def find_images(source: str | os.PathLike[str]) -> Found | None:
    """The pictures and volumes in a folder (with its sub-folders, without hidden files) or under a glob pattern.

    Returns:
        None when the name stands for one picture or volume, such as the folder of one DICOM series.

    Raises:
        DataError: the folder or pattern holds no picture.
    """
    path = Path(source)
    if path.is_dir():
        inside = [file for file in path.rglob("*") if not _is_hidden(file.relative_to(path))]
        found = [file for file in inside if _is_picture(file) and file.is_file()]
        if not found:
            if is_series(path):
                return None
            found = [folder for folder in inside if folder.is_dir() and is_series(folder)]
        if not found:
            known = ", ".join((*IMAGE_SUFFIXES, *VOLUME_SUFFIXES))
            raise DataError(f"no pictures in {path}; it needs files ending in {known}, or folders of DICOM files")
        return Found(path, tuple(sorted(found)))
    pattern = os.fspath(source)
    if path.exists() or not glob.has_magic(pattern):
        return None
    fixed = next(index for index, part in enumerate(path.parts) if glob.has_magic(part))
    base = Path(*path.parts[:fixed])
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]
    found = [file for file in matches if _is_picture(file) and not _is_hidden(Path(file.name)) and file.is_file()]
    if not found:
        raise DataError(f"no picture matches {pattern}")
    return Found(base, tuple(sorted(found)))


def _is_picture(path: Path) -> bool:
    return path.name.lower().endswith((*IMAGE_SUFFIXES, *VOLUME_SUFFIXES))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def open_source(source: ImageLike, preprocessing: Preprocessing, *, raster: bool = False) -> PixelSource:
    """Open a picture or raster by its header, with the channels that a model wants.

    Args:
        source: what `open_image` takes.
        preprocessing: the model's.
        raster: open a file as raster whatever it looks like.

    Raises:
        DataError: it cannot be read, or lacks a band.
    """
    if isinstance(source, str | os.PathLike):
        chosen = preprocessing.slices is None and (preprocessing.bands or preprocessing.window)
        if raster or chosen or is_raster(source):
            return open_raster(source, bands=preprocessing.bands, windows=preprocessing.windows)
    return open_image(source)

"""Media: what a source can be, told once; nobody else asks "is this a video?"."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from intarsia.errors import DataError, UsageError
from intarsia.media.animations import Animation, is_animation
from intarsia.media.clouds import CLOUD_SUFFIXES, CloudReader, PointCloud, is_cloud, open_cloud
from intarsia.media.clouds.opening import UNNAMED
from intarsia.media.clouds.writing import TARGETS, kept_suffix
from intarsia.media.contract import Form, Item, Medium, Name, RowWriter, Sources, families
from intarsia.media.dicom import is_flat, is_series
from intarsia.media.finding import find, tell
from intarsia.media.geotiff import GeoTiffWriter
from intarsia.media.images import IMAGE_SUFFIXES, open_image
from intarsia.media.photos import WRITTEN_SUFFIXES as PHOTO_SUFFIXES
from intarsia.media.photos import PhotoReader
from intarsia.media.png import MaskWriter
from intarsia.media.rasters import RASTER_SUFFIXES, TIFF_SUFFIXES, is_raster, open_raster
from intarsia.media.sequence import PictureSequence
from intarsia.media.stacks import STACK_SUFFIXES, StackReader, is_stack
from intarsia.media.video import VIDEO_SUFFIXES, is_video, open_video
from intarsia.media.videowriter import WRITTEN_SUFFIXES
from intarsia.media.volumes import NIFTI_SUFFIXES, VOLUME_SUFFIXES, is_volume, open_volume, volume_stem

__all__ = [
    "BY_NAME",
    "CLOUD",
    "MEDIA",
    "PHOTO",
    "PICTURE",
    "RASTER",
    "ROWS",
    "STACK",
    "STILLS",
    "VIDEO",
    "VOLUME",
    "Form",
    "Item",
    "Medium",
    "Name",
    "RowWriter",
    "Sources",
    "check_options",
    "expand",
    "families",
    "medium_of",
]


def _open_frames(source: Name, preprocessing: Any, options: Mapping[str, Any]) -> Any:
    if options.get("fps") is None:
        return Animation(source) if is_animation(source) else open_video(source)
    found = expand(source, media=STILLS)
    if found.base is None:
        if not Path(source).exists():
            raise DataError(f"cannot read {source}: no such folder")
        raise UsageError(f"--fps is for folders and patterns of pictures, and {source} is a single file")
    return PictureSequence(
        [Path(item.source) for item in found.items], rate=options["fps"], windows=preprocessing.windows
    )


def _open_cloud(source: Any, _: Any, options: Mapping[str, Any]) -> CloudReader:
    columns = options.get("columns")
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else "a cloud in memory"
    if columns is not None and not name.lower().endswith(UNNAMED):
        raise UsageError(f"columns name those of plain tables and arrays ({', '.join(UNNAMED)}), and not of {name}")
    return open_cloud(source, columns=columns)


def _cloud_stem(path: Path) -> str:
    return path.name.removesuffix(".pcd.bin") if path.name.endswith(".pcd.bin") else path.stem


_GRID = frozenset({"tile", "overlap", "scales", "tta", "long_side", "refine", "decide"})
_NAMED = ("labels", "overlay")

VIDEO = Medium(
    "video", "videos", "pixel", "frames", "video", VIDEO_SUFFIXES, lambda name: is_video(name) or is_animation(name),
    _open_frames,
    labels=lambda path: ".mask.mkv", targets=WRITTEN_SUFFIXES, outputs=("overlay",), sequence="fps", parted=True,
    stem=lambda path: path.name.replace(":", "-") if path.name.startswith("camera:") else path.stem,
    ready=lambda predictor, schedule: predictor.filming(**schedule),
    takes=frozenset({"long_side", "video", "video_set", "fps", "limit", "deadline", "keep"}),
)  # fmt: skip
CLOUD = Medium(
    "cloud", "point clouds", "point", "points", "cloud", CLOUD_SUFFIXES, is_cloud,
    _open_cloud,
    labels=lambda path: f".labels{kept_suffix(path)}", targets=TARGETS, outputs=("labels",), parted=True,
    stem=_cloud_stem, folder=is_cloud, folder_first=True, types=(PointCloud, CloudReader),
    size=lambda reader: (reader.count,),
    takes=frozenset({"tta", "columns", "codes", "category", "confidence"}),
)  # fmt: skip
VOLUME = Medium(
    "volume", "volumes", "voxel", "volume", "picture", VOLUME_SUFFIXES, is_volume,
    lambda source, preprocessing, options: open_volume(source, series=options.get("series")),
    labels=lambda path: ".mask.nii.gz", targets=NIFTI_SUFFIXES, outputs=_NAMED, stem=volume_stem, folder=is_series,
    size=lambda reader: tuple(reader.grid.shape), by_name=True,
    takes=_GRID | {"window", "series", "instances"},
)  # fmt: skip
RASTER = Medium(
    "raster", "rasters", "pixel", "rows", "picture", RASTER_SUFFIXES, is_raster,
    lambda source, preprocessing, options: open_raster(
        source, bands=preprocessing.bands, windows=preprocessing.windows
    ),
    labels=lambda path: ".mask.tif", targets=TIFF_SUFFIXES, outputs=_NAMED, by_name=True, parted=True,
    reduced="the model sees the map reduced to {side} pixels, as it was trained; --long-side 0 keeps its own size.",
    writer=lambda path, reader, space: GeoTiffWriter(
        path, reader.frame, dtype=space.dtype, nodata=space.ignore_index, space=space
    ),
    takes=_GRID | {"bands", "window", "confidence", "instances", "keep", "outline_tolerance", "outline_least_area"},
)  # fmt: skip
STACK = Medium(
    "stack", "stacks", "pixel", "pages", "picture", STACK_SUFFIXES, is_stack,
    lambda source, preprocessing, options: StackReader(source, preprocessing.windows),
    labels=lambda path: ".mask.tif", targets=STACK_SUFFIXES, outputs=_NAMED, by_name=True,
    takes=_GRID | {"window", "keep"},
)  # fmt: skip
PICTURE = Medium(
    "picture", "pictures", "pixel", "rows", "picture", IMAGE_SUFFIXES, lambda name: True,
    lambda source, preprocessing, options: open_image(source, windows=preprocessing.windows),
    labels=lambda path: ".mask.png", targets=(".png",), outputs=_NAMED, types=(bytes, Image.Image, np.ndarray),
    by_name=True, alone=is_flat, light=True, photographic=True,
    writer=lambda path, reader, space: MaskWriter(path, reader.width, reader.height, space),
    takes=_GRID | {"window", "confidence", "instances", "keep", "annotations"},
)  # fmt: skip

PHOTO = replace(
    PICTURE, form="photo", open=lambda source, preprocessing, options: PhotoReader(source), targets=PHOTO_SUFFIXES,
    outputs=("overlay",), writer=None, takes=frozenset(),
)  # fmt: skip
"""Pictures that an app changes, and writes as they are but for that; no medium of `MEDIA`."""

MEDIA = (VIDEO, CLOUD, VOLUME, RASTER, STACK, PICTURE)
"""Every medium, in the order in which a source is tried; what is nothing else is taken for a picture."""
BY_NAME = {medium.name: medium for medium in MEDIA}
STILLS = (VOLUME, RASTER, PICTURE)
ROWS = (RASTER, PICTURE)


def medium_of(source: object, given: Collection[str] = (), *, media: Sequence[Medium] = MEDIA) -> Medium:
    """Tell what a source is.

    Args:
        source: a path or name; anything else is a picture in memory.
        given: names of the options that the user gave: a plain table with ``columns`` is a point cloud.
        media: those to choose from.
    """
    return tell(source, given, media)


def check_options(
    medium: Medium, given: Iterable[str], *, media: Sequence[Medium] = MEDIA, spell: Callable[[str], str] = str
) -> None:
    """Refuse options that mean nothing to a medium; none is ignored silently.

    Args:
        medium: what the source is, or the model is for.
        given: names of the options that the user gave.
        media: all that there are.
        spell: from a name to how the user writes it.

    Raises:
        UsageError: says what each option is for.
    """
    wrong = [name for name in given if name not in medium.takes]
    if not wrong:
        return
    said = []
    for name in wrong:
        takers = [other.things for other in reversed(media) if name in other.takes]
        said.append(f"{spell(name)} is for {' and '.join(takers)}" if takers else f"there is no option {spell(name)}")
    made = [
        f"; a folder of frames becomes a {other.name} by {spell(other.sequence)}"
        for other in media
        if other.sequence is not None and other.takes & {*wrong}
    ]
    raise UsageError(f"{', '.join(said)}, not for {medium.things}{''.join(made)}")


def expand(source: Name, given: Collection[str] = (), *, media: Sequence[Medium] = MEDIA) -> Sources:
    """Find the sources that a file, a folder (with its sub-folders, without hidden files) or a glob pattern stands for.

    Links to folders are followed, and the address of a file (``file:///...``) is its path. In a folder, the first
    family that occurs counts: pictures (with rasters and volumes), then clouds, then videos; what else it holds is
    noted.

    Args:
        source: the name.
        given: names of the options that the user gave; see `medium_of`.
        media: those that are looked for.

    Raises:
        DataError: the folder or pattern holds none.
        UsageError: an address of the network.
    """
    return find(source, given, media)

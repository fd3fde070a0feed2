"""Media: what a source can be, told once; nobody else asks "is this a video?"."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from PIL import Image

from intarsia.errors import DataError, UsageError, counted
from intarsia.files import below, local
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.animations import Animation, is_animation
from intarsia.media.clouds import CLOUD_SUFFIXES, CloudReader, PointCloud, is_cloud, open_cloud
from intarsia.media.clouds import foreign as foreign_clouds
from intarsia.media.clouds.opening import UNNAMED
from intarsia.media.clouds.writing import TARGETS, kept_suffix
from intarsia.media.dicom import is_flat, is_series
from intarsia.media.geotiff import GeoTiffWriter
from intarsia.media.header import DICOM_SUFFIXES, FOREIGN_SUFFIXES
from intarsia.media.images import IMAGE_SUFFIXES, open_image
from intarsia.media.photos import WRITTEN_SUFFIXES as PHOTO_SUFFIXES
from intarsia.media.photos import PhotoReader
from intarsia.media.png import MaskWriter
from intarsia.media.rasters import RASTER_SUFFIXES, is_raster, open_raster
from intarsia.media.stacks import STACK_SUFFIXES, StackReader, is_stack
from intarsia.media.video import VIDEO_SUFFIXES, PictureSequence, is_video, open_video
from intarsia.media.videowriter import WRITTEN_SUFFIXES
from intarsia.media.volumes import NIFTI_SUFFIXES, VOLUME_SUFFIXES, is_volume, open_volume, volume_stem

Name = str | os.PathLike[str]
Form = Literal["rows", "volume", "frames", "points", "pages", "photo", "whole"]
_SHOWN = 4


class RowWriter(Protocol):
    """Takes labels from top to bottom."""

    def write(self, rows: LabelArray) -> None:
        """Append rows (h, width)."""


@dataclass(frozen=True)
class Medium:
    """One kind of source.

    Attributes:
        name: in records and messages.
        things: several of them, in words.
        unit: one element of it, in words.
        form: how it is gone through: rows of pixels from top to bottom, a volume, frames, points, pages, a
            photo that is changed, or whatever gives one result as a whole.
        family: media that lie in one folder together and that the same models are for.
        suffixes: of files that can be one.
        sniff: from a name (and, where that does not tell, the first bytes) to whether it is one.
        folder: from a folder to whether it is a single one.
        sequence: option that makes one of a folder or pattern of pictures.
        open: from a source, the model's preprocessing and the user's options to a reader.
        stem: from a file to the name that its results start with.
        labels: from a file to how the name of its labels ends.
        targets: suffixes that a single file of its labels (of a video, its drawing) may have.
        types: of one in memory.
        parted: whether parts of one can be read without what comes before them, so that several workers share it.
        writer: of labels by rows, from a target, the reader and the classes; None where results save themselves.
        takes: options that mean something to it.
        outputs: what is written of it if nothing is said.
    """

    name: str
    things: str
    unit: str
    form: Form
    family: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Name], bool]
    open: Callable[[Any, Any, Mapping[str, Any]], Any]
    labels: Callable[[Path], str]
    takes: frozenset[str]
    outputs: tuple[str, ...]
    targets: tuple[str, ...] = ()
    stem: Callable[[Path], str] = lambda path: path.stem
    folder: Callable[[Path], bool] = lambda path: False
    sequence: str | None = None
    types: tuple[type, ...] = ()
    parted: bool = False
    writer: Callable[[Path, Any, LabelSpace], AbstractContextManager[RowWriter]] | None = None

    def claims(self, name: Name) -> bool:
        """Tell by the suffix alone whether a file can be one."""
        return Path(name).name.lower().endswith(self.suffixes)

    def can_take(self, item: Item) -> bool:
        """Tell whether what a source was taken for is this, or goes through as this all the same."""
        return self is item.medium or (self.form == item.medium.form and self.claims(item.source))


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
    takes=frozenset({"long_side", "video", "video_set", "fps", "limit", "deadline", "keep"}),
)  # fmt: skip
CLOUD = Medium(
    "cloud", "point clouds", "point", "points", "cloud", CLOUD_SUFFIXES, is_cloud,
    _open_cloud,
    labels=lambda path: f".labels{kept_suffix(path)}", targets=TARGETS, outputs=("labels",), parted=True,
    stem=_cloud_stem, folder=is_cloud, types=(PointCloud, CloudReader),
    takes=frozenset({"tta", "columns", "codes", "category", "confidence"}),
)  # fmt: skip
VOLUME = Medium(
    "volume", "volumes", "voxel", "volume", "picture", VOLUME_SUFFIXES, is_volume,
    lambda source, preprocessing, options: open_volume(source, series=options.get("series")),
    labels=lambda path: ".mask.nii.gz", targets=NIFTI_SUFFIXES, outputs=_NAMED, stem=volume_stem, folder=is_series,
    takes=_GRID | {"window", "series", "instances"},
)  # fmt: skip
RASTER = Medium(
    "raster", "rasters", "pixel", "rows", "picture", RASTER_SUFFIXES, is_raster,
    lambda source, preprocessing, options: open_raster(
        source, bands=preprocessing.bands, windows=preprocessing.windows
    ),
    labels=lambda path: ".mask.tif", targets=RASTER_SUFFIXES, outputs=_NAMED, parted=True,
    writer=lambda path, reader, space: GeoTiffWriter(
        path, reader.frame, dtype=space.dtype, nodata=space.ignore_index, space=space
    ),
    takes=_GRID | {"bands", "window", "confidence", "instances", "keep", "outline_tolerance", "outline_least_area"},
)  # fmt: skip
STACK = Medium(
    "stack", "stacks", "pixel", "pages", "picture", STACK_SUFFIXES, is_stack,
    lambda source, preprocessing, options: StackReader(source, preprocessing.windows),
    labels=lambda path: ".mask.tif", targets=STACK_SUFFIXES, outputs=_NAMED, takes=_GRID | {"window", "keep"},
)  # fmt: skip
PICTURE = Medium(
    "picture", "pictures", "pixel", "rows", "picture", IMAGE_SUFFIXES, lambda name: True,
    lambda source, preprocessing, options: open_image(source, windows=preprocessing.windows),
    labels=lambda path: ".mask.png", targets=(".png",), outputs=_NAMED, types=(bytes, Image.Image, np.ndarray),
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
STILLS = (VOLUME, RASTER, PICTURE)
ROWS = (RASTER, PICTURE)


def medium_of(source: object, given: Collection[str] = (), *, media: Sequence[Medium] = MEDIA) -> Medium:
    """Tell what a source is.

    Args:
        source: a path or name; anything else is a picture in memory.
        given: names of the options that the user gave: a plain table with ``columns`` is a point cloud.
        media: those to choose from.
    """
    if not isinstance(source, str | os.PathLike):
        return media[-1]
    found = next((medium for medium in media if medium.sniff(source)), media[-1])
    # No picture either, if only another medium has its suffix; of a .hdr alone the reader of pictures says what it is.
    if found is media[-1] and not found.claims(source) and Path(source).suffix.lower() != ".hdr":
        found = next((medium for medium in media if medium.claims(source)), found)
    wanted = set(given) & _PARTICULAR
    if not wanted or (wanted <= found.takes and found is not media[-1]):
        return found
    return next((medium for medium in media if medium.claims(source) and wanted <= medium.takes), found)


# Options that tell what the user takes a file for.
_PARTICULAR = frozenset({"columns", "codes", "category", "bands", "window", "series"})


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
    frames = f"; a folder of frames becomes a video by {spell('fps')}" if "video" in " ".join(said) else ""
    raise UsageError(f"{', '.join(said)}, not for {medium.things}{frames}")


class Item(NamedTuple):
    """One source (or something in memory), its name below the folder or pattern it was found under, what it is."""

    source: Any
    name: PurePosixPath
    medium: Medium


@dataclass(frozen=True)
class Sources:
    """What one name stands for.

    Attributes:
        base: the folder that names start from; None when the name stands for a single source.
        items: the sources, sorted.
        deep: whether sub-folders of the base were looked into.
        notes: what lies in the folder as well and is left out, in sentences.
    """

    base: Path | None
    items: tuple[Item, ...]
    deep: bool = True
    notes: tuple[str, ...] = ()


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
    source = local(source)
    path, text = Path(source), os.fspath(source)
    sequence = next((medium for medium in media if medium.sequence in given), None)
    if sequence is not None:
        name = _fixed(path).resolve().name if glob.has_magic(text) and not path.exists() else path.resolve().name
        return Sources(None, (Item(source, PurePosixPath(name), sequence),))
    if path.is_dir():
        inside = sorted(below(path))
        return _in_folder(path, inside, given, media)
    if path.exists() or not glob.has_magic(text):
        if path.is_file() and (told := foreign_clouds.advice(path)):
            raise DataError(f"cannot use {source}: it is {told}")
        return _single(source, medium_of(source, given, media=media))
    base = _fixed(path)
    matches = _matching(path, base)
    found = _of_one_family(matches, media)
    if not found:
        raise DataError(f"no {_named(media)} matches {source}")
    return replace(_many(base, found, given, media), deep=len(path.parts) > len(base.parts) + 1)


def _fixed(pattern: Path) -> Path:
    """The folders in front of a pattern's first magic part."""
    first = next(index for index, part in enumerate(pattern.parts) if glob.has_magic(part))
    return Path(*pattern.parts[:first])


def _in_folder(path: Path, inside: list[Path], given: Collection[str], media: Sequence[Medium]) -> Sources:
    files = _of_one_family([file for file in inside if file.is_file()], media)
    single = next((medium for medium in media if medium.folder(path)), None)
    if single is not None and (not files or single.name == "cloud"):
        return _single(path, single)
    found = sorted([*files, *_folders(inside, files, media)])
    # What may be anything, as tables may, is taken for what it can be where nothing else lies.
    found = found or [file for file in inside if file.is_file() and medium_of(file, given, media=media).claims(file)]
    if not found:
        if told := next((f"{file.name}: it is {said}" for file in inside if (said := foreign_clouds.advice(file))), ""):
            raise DataError(f"nothing in {path} can be used; {told}")
        known = "; ".join(f"{medium.things}: {_some(medium.suffixes)}" for medium in reversed(media))
        raise DataError(f"no {_named(media)}s in {path}; it needs files ending in ({known}), or folders of DICOM files")
    return replace(_many(path, found, given, media), notes=_left_out(path, inside, found, media))


def _folders(inside: list[Path], files: list[Path], media: Sequence[Medium]) -> list[Path]:
    """Folders that are a single source, as a series of slices is, of the family of the files, if there are any."""
    taken = {file.parent for file in files}
    families = {medium.family for medium in media if any(_is_surely(file, medium) for file in files[:1])}
    able = [medium for medium in media if not files or medium.family in families]
    return [
        folder
        for folder in inside
        if folder.is_dir() and folder not in taken and any(medium.folder(folder) for medium in able)
    ]


def _left_out(base: Path, inside: list[Path], found: list[Path], media: Sequence[Medium]) -> tuple[str, ...]:
    """Say what else a folder holds that could have been meant."""
    taken = set(found)
    others = [path for path in inside if path not in taken and not path.is_dir()]
    notes = []
    for medium in media:
        same = [path for path in others if path.exists() and medium.claims(path) and _is_surely(path, medium)]
        if same:
            notes.append(
                f"{base} also holds {counted(len(same), medium.things.removesuffix('s'))}, for instance "
                f"{same[0].name}: segment {medium.things} by themselves"
            )
    foreign = Counter(path.suffix.lower() for path in others if path.suffix.lower() in FOREIGN_SUFFIXES)
    if foreign:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in foreign.most_common())
        notes.append(f"{base} also holds pictures that are not read ({kinds}): convert them to JPEG or PNG")
    clouds = [path for path in others if foreign_clouds.advice(path)]
    if clouds:
        notes.append(f"{base} also holds {clouds[0].name}: {foreign_clouds.advice(clouds[0])}")
    broken = [path for path in others if path.is_symlink() and not path.exists()]
    if broken:
        notes.append(f"{base} also holds {counted(len(broken), 'link')} to nothing, for instance {broken[0].name}")
    return tuple(notes)


def _matching(pattern: Path, base: Path) -> list[Path]:
    """The files that a pattern stands for, hidden ones left out."""
    parts = pattern.parts[len(base.parts) :]
    if "**" not in parts:
        found = (Path(match) for match in glob.glob(os.fspath(pattern)))
        return sorted(path for path in found if not path.name.startswith("."))
    # Not by glob, which goes in circles through links.
    return sorted(path for path in below(base) if _fits(path.parts[len(base.parts) :], parts))


def _fits(names: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return _fits(names, parts[1:]) or (bool(names) and _fits(names[1:], parts))
    return bool(names) and fnmatch.fnmatch(names[0], parts[0]) and _fits(names[1:], parts[1:])


def _of_one_family(files: Iterable[Path], media: Sequence[Medium]) -> list[Path]:
    """The files of the first family that occurs."""
    known = list(files)
    for family in dict.fromkeys(medium.family for medium in reversed(media)):
        members = [medium for medium in media if medium.family == family]
        found = [file for file in known if any(_is_surely(file, medium) for medium in members)]
        if found:
            return found
    return []


def _is_surely(file: Path, medium: Medium) -> bool:
    if file.name.lower().endswith((*DICOM_SUFFIXES, ".hdr")):  # also of slices, and of headers of other kinds
        return medium.claims(file) and (is_flat(file) if medium is PICTURE else medium.sniff(file))
    return medium.claims(file) and (medium.family == "picture" or medium.sniff(file))


def _some(suffixes: Sequence[str]) -> str:
    return ", ".join(suffixes[:_SHOWN]) + (", ..." if len(suffixes) > _SHOWN else "")


def _named(media: Sequence[Medium]) -> str:
    return "picture" if len({medium.family for medium in media}) > 1 else media[-1].things.removesuffix("s")


def _single(source: Name, medium: Medium) -> Sources:
    path = Path(source)
    return Sources(None, (Item(source, PurePosixPath(path.name or path.resolve().name), medium),))


def _many(base: Path, found: Iterable[Path], given: Collection[str], media: Sequence[Medium]) -> Sources:
    items = (
        Item(file, PurePosixPath(file.relative_to(base).as_posix()), _among_others(file, given, media))
        for file in found
    )
    return Sources(base, tuple(items))


def _among_others(file: Path, given: Collection[str], media: Sequence[Medium]) -> Medium:
    """What a file in a folder is: with options for pictures alone, an animation or a stack is a bad picture."""
    medium, plain = medium_of(file, given, media=media), media[-1]
    fits = plain.family == "picture" and plain.claims(file) and set(given) <= plain.takes
    return plain if fits and not set(given) <= medium.takes else medium

"""Counting the things in masks: from files to label images with a number a thing, and a table of all of them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from intarsia.classlists import ClassList
from intarsia.datasets.layouts.maskfolders import Side
from intarsia.datasets.layouts.survey import detect, survey_volumes
from intarsia.datasets.meaning import choose
from intarsia.errors import DataError, UsageError, suggest
from intarsia.files import write_text
from intarsia.instances import Instance, Numbers, measure_instances, number_instances, thing_classes
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.instancefile import MOST_IN_PNG, save_geotiff, save_nifti, save_png, save_tiff
from intarsia.media.maskfile import ARRAY_SUFFIX
from intarsia.media.medium import PICTURE, RASTER, STILLS, VOLUME, Item, expand
from intarsia.media.rasters import open_raster
from intarsia.media.volumes import open_volume

TABLE = "instances.csv"
_COLUMNS = ("mask", "instance", "class", "size", "x", "y", "z", "left", "top", "front", "width", "height", "depth")
_ENDING = ".instances"  # of the names of label images
_VIEWS = (".overlay", ".colors", ".outlines", ".confidence", ".alpha")  # what is written beside NAME.mask.png
_MOST_UNNAMED = 64  # classes; more are hardly meant


@dataclass(frozen=True)
class Counted:
    """The things of one mask.

    Attributes:
        mask: the file.
        name: its name in the table and among the outputs.
        instances: the things, in the order of their numbers.
        classes: index -> name, of the classes that were counted.
        labels: the label image that was written; None if none was.
    """

    mask: str
    name: str
    instances: tuple[Instance, ...]
    classes: dict[int, str]
    labels: Path | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Number of things by class."""
        found = Counter(one.label for one in self.instances)
        return {name: found[index] for index, name in self.classes.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        labels = None if self.labels is None else str(self.labels)
        return {"mask": self.mask, "instances": len(self.instances), "classes": self.counts, "labels": labels}


@dataclass(frozen=True)
class Count:
    """The things of some masks.

    Attributes:
        masks: those of each, in the order of their names.
        failures: mask -> reason, of masks that could not be read.
        notes: plain sentences on what was decided.
        table: the table that was written; None if none was.
    """

    masks: tuple[Counted, ...]
    failures: dict[str, str]
    notes: tuple[str, ...]
    table: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "masks": [one.to_json() for one in self.masks],
            "failures": self.failures,
            "notes": list(self.notes),
            "table": None if self.table is None else str(self.table),
        }


@dataclass(frozen=True)
class _Reading:
    """How masks of one medium are read: their classes, from a file to its labels, and what writes its numbers."""

    space: LabelSpace
    notes: tuple[str, ...]
    read: Callable[[Path], LabelArray]
    save: Callable[[Path, Path, Numbers], Path]


def count_instances(
    masks: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    classes: ClassList | None = None,
    of: Sequence[str] = (),
    ignore: Sequence[int] = (),
    neighbours: int | None = None,
    least: int = 1,
    distance: float | None = None,
    neck: float | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Count:
    """Count the separate things in masks of pictures, rasters and volumes.

    Args:
        masks: files, folders and glob patterns.
        out: folder for a label image of each mask, in which every thing has its number from 1 (16-bit PNG, 32-bit TIFF
            beyond 65,535 things; GeoTIFF of a raster, NIfTI of a volume), and the table ``instances.csv``.
        classes: what values or colours mean; None finds out.
        of: the classes whose things are counted; () for all but the background, which is the class of that name, or
            the first.
        ignore: stored values that mean "not labelled".
        neighbours: see `number_instances`.
        least: see `number_instances`.
        distance: see `number_instances`.
        neck: see `number_instances`.
        overwrite: replace an earlier table.
        progress: called after each mask with the number done and the number of all.

    Raises:
        UsageError: an option is out of range, a class is unknown, or there is an earlier table.
        DataError: there is no mask, no mask can be read, or what the values mean cannot be understood.
    """
    folder = None if out is None else Path(out)
    if folder is not None and folder.suffix and not folder.is_dir():
        raise UsageError(f"{folder}: is the name of a file; name a folder for the label images and {TABLE}")
    if folder is not None and (folder / TABLE).exists() and not overwrite:
        raise UsageError(f"{folder / TABLE} exists; name another folder, or replace it (--overwrite)")
    items = _found(masks)
    counted: list[Counted] = []
    failures: dict[str, str] = {}
    notes: list[str] = []
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.medium.name, []).append(item)
    for name, some in groups.items():
        reading = _READINGS[name]([Path(item.source) for item in some], classes, ignore)
        chosen = _chosen(reading.space, of)
        notes += reading.notes
        for item in some:
            try:
                labels = reading.read(Path(item.source))
            except DataError as error:
                failures[str(item.source)] = str(error)
            else:
                numbers = number_instances(
                    labels, chosen, neighbours=neighbours, least=least, distance=distance, neck=neck
                )
                written = folder and reading.save(Path(item.source), folder / f"{_stem(item)}{_ENDING}", numbers)
                things = measure_instances(numbers, labels)
                counted.append(Counted(str(item.source), _stem(item), things, chosen, written))
            if progress is not None:
                progress(len(counted) + len(failures), len(items))
    if not counted:
        raise DataError(f"none of the {len(items)} masks can be read; the first: {next(iter(failures.values()))}")
    table = None if folder is None else _write_table(folder / TABLE, counted)
    return Count(tuple(counted), failures, tuple(dict.fromkeys(notes)), table)


def _found(masks: Sequence[str | Path]) -> list[Item]:
    """The masks that the names stand for, no two with the same name."""
    items = [item for mask in masks for item in _expanded(Path(mask))]
    items = [item for item in items if not _stem(item).endswith(_ENDING)]  # what an earlier count left there
    if not items:
        raise DataError(f"no masks in {', '.join(map(str, masks))}, but label images of an earlier count")
    seen: dict[str, Item] = {}
    for item in items:
        other = seen.setdefault(_stem(item), item)
        if other is not item:
            raise UsageError(f"{other.source} and {item.source} have the same name; name the folder that holds both")
    return sorted(items, key=lambda item: item.name)


def _expanded(mask: Path) -> list[Item]:
    """The masks of one name; arrays are masks of pictures, and in a folder the views of a prediction are none."""
    if mask.suffix.lower() == ARRAY_SUFFIX:
        paths = sorted(mask.parent.glob(mask.name)) or [mask]
        return [Item(path, PurePosixPath(path.name), PICTURE) for path in paths]
    arrays = sorted(mask.rglob(f"*{ARRAY_SUFFIX}")) if mask.is_dir() else []
    found = [Item(path, PurePosixPath(path.relative_to(mask).as_posix()), PICTURE) for path in arrays]
    try:
        some = expand(mask, media=STILLS).items
        return [*found, *(item for item in some if not (mask.is_dir() and _stem(item).endswith(_VIEWS)))]
    except DataError:
        if found:
            return found
        raise


def _stem(item: Item) -> str:
    """The name of a mask without its suffix, folders included."""
    return (item.name.parent / item.medium.stem(Path(item.name.name))).as_posix()


def _pictures(paths: list[Path], classes: ClassList | None, ignore: Sequence[int]) -> _Reading:
    space, coding, notes = detect(paths, classes, ignore)
    if classes is None and len(space) > _MOST_UNNAMED:
        raise DataError(
            f"{paths[0].parent}: the pictures hold {len(space)} different values, as photographs and maps of instances "
            f"do; if they are masks of so many classes, name these (--classes)"
        )
    return _Reading(space, tuple(notes), Side(space, coding).read, _save_picture)


def _rasters(paths: list[Path], classes: ClassList | None, ignore: Sequence[int]) -> _Reading:
    return replace(_pictures(paths, classes, ignore), save=_save_raster)


def _volumes(paths: list[Path], classes: ClassList | None, ignore: Sequence[int]) -> _Reading:
    found, named = survey_volumes(paths)
    space, coding, notes = choose(found, classes or named, ignore)

    def read(path: Path) -> LabelArray:
        stored = open_volume(path).stored_labels()[0]
        return coding.decode(stored.reshape(len(stored), -1), space).reshape(stored.shape)

    return _Reading(space, tuple(notes), read, _save_volume)


def _chosen(space: LabelSpace, of: Sequence[str]) -> dict[int, str]:
    """The classes that are counted, by index.

    Raises:
        UsageError: a name is none of a class.
    """
    for name in of:
        if name not in space.names:
            raise UsageError(f"the masks have no class {name!r}.{suggest(name, space.names)}")
    indices = [space.names.index(name) for name in dict.fromkeys(of)] if of else thing_classes(space.names)
    return {index: space.names[index] for index in indices}


def _save_picture(source: Path, stem: Path, numbers: Numbers) -> Path:
    """16-bit PNG, or 32-bit TIFF where there are more things than it can number."""
    few = int(numbers.max(initial=0)) <= MOST_IN_PNG
    path = stem.with_name(f"{stem.name}{'.png' if few else '.tif'}")
    (save_png if few else save_tiff)(path, numbers)
    return path


def _save_raster(source: Path, stem: Path, numbers: Numbers) -> Path:
    """GeoTIFF at the mask's place on the map."""
    path = stem.with_name(f"{stem.name}.tif")
    save_geotiff(path, numbers, open_raster(source).frame)
    return path


def _save_volume(source: Path, stem: Path, numbers: Numbers) -> Path:
    """NIfTI on the mask's grid."""
    path = stem.with_name(f"{stem.name}.nii.gz")
    save_nifti(path, numbers, open_volume(source).grid)
    return path


def _write_table(path: Path, counted: Sequence[Counted]) -> Path:
    """One row a thing; centres and boxes in elements, from the first one along each axis."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for mask in counted:
        writer.writerows(_rows(mask))
    write_text(path, text.getvalue())
    return path


def _rows(mask: Counted) -> Iterator[list[Any]]:
    for one in mask.instances:
        # Pictures are (row, column), volumes as they are stored: (x, y, z).
        axes = (1, 0) if len(one.centre) == 2 else (0, 1, 2)
        blank = [""] * (3 - len(axes))
        centre = [f"{one.centre[axis]:.2f}" for axis in axes] + blank
        first = [one.box[axis][0] for axis in axes] + blank
        sides = [one.box[axis][1] - one.box[axis][0] for axis in axes] + blank
        yield [mask.name, one.number, mask.classes[one.label], one.size, *centre, *first, *sides]


_READINGS: dict[str, Callable[[list[Path], ClassList | None, Sequence[int]], _Reading]] = {
    PICTURE.name: _pictures,
    RASTER.name: _rasters,
    VOLUME.name: _volumes,
}
"""How the masks of each medium are read and their numbers written."""

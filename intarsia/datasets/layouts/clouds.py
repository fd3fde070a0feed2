"""Labelled point clouds on disk: which files belong to which split, and what their class codes mean."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from intarsia.bundle import CloudPreprocessing
from intarsia.datasets.checks.statistics import ClassCounts
from intarsia.datasets.classfile import FILE_NAMES, ClassList, find_class_file
from intarsia.datasets.layouts.pairing import SPLITS, walk
from intarsia.datasets.partition import partition
from intarsia.datasets.public import s3dis, shapenet_part
from intarsia.datasets.splits import Item
from intarsia.errors import DataError, UsageError, counted, suggest
from intarsia.labels import Color, LabelArray, LabelSpace
from intarsia.media.clouds import CLOUD_SUFFIXES, CloudReader, PointCloud, is_cloud, open_cloud, read_room
from intarsia.media.clouds.las import ASPRS, ASPRS_COLORS
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.clouds.rooms import ANNOTATIONS
from intarsia.media.clouds.scans import NUSCENES_LABELS
from intarsia.media.images import IMAGE_SUFFIXES

CLOUD_LAYOUTS = {
    "clouds": "clouds with the class of each point in the file (or, for .bin scans, in a label file)",
} | {name: known.about for name, known in (s3dis.LAYOUTS | shapenet_part.LAYOUTS).items()}
"""Name and description of every layout that `open_clouds` reads."""
# Codes of LAS that say nothing about what a point is: not yet classified, and noise.
_NO_CLASS = (0, 7, 18)
NO_CODES = "it has no class codes; name the field that holds them (train: --set cloud.label=NAME)"


@dataclass(frozen=True)
class CloudItem(Item):
    """One labelled cloud: a file, or the folder of a room, that holds its labels too.

    Attributes:
        reader: how it is read, where opening the file is not enough.
    """

    image: Path
    reader: Callable[[], PointCloud] | None = None


@dataclass(frozen=True)
class CloudSplit:
    """The clouds of one split, and how to read them.

    Args:
        name: "train", "val", "test", or "all" when the data set was not divided.
        space: label space of the targets.
        codes: class index of each stored code, or `ignore_index` where a code says nothing; points with other codes are
            ignored, too.
        items: the clouds, in a fixed order.
        root: the data set's folder.
        columns: names of the columns of arrays and tables.
        label: field of the class codes, where its name is not a usual one.
    """

    name: str
    space: LabelSpace
    codes: Mapping[int, int]
    items: tuple[CloudItem, ...]
    root: Path
    columns: str | None = None
    label: str | None = None

    medium: ClassVar[Literal["cloud"]] = "cloud"

    def __len__(self) -> int:
        return len(self.items)

    def for_input(self, preprocessing: CloudPreprocessing) -> CloudSplit:
        """The split as a model sees it; clouds are prepared where they are labelled."""
        return self

    def wholes(self) -> list[tuple[CloudItem, list[int]]]:
        """Every cloud, which is evaluated as a whole; see `Split.wholes`."""
        return [(item, [index]) for index, item in enumerate(self.items)]

    def open(self, item: CloudItem) -> CloudReader:
        """A cloud of the split, its points on demand.

        Raises:
            DataError: the file is missing or damaged; the message names it.
        """
        if item.reader is not None:
            return open_cloud(item.reader())
        return open_cloud(item.image, columns=self.columns, label=self.label)

    def read(self, index: int) -> tuple[PointCloud, LabelArray]:
        """The cloud, and the targets (N,) of its points, of `space.dtype`.

        Raises:
            DataError: the file is damaged or has no class codes; the message names it.
        """
        cloud = self.open(self.items[index]).read()
        if cloud.label is None:
            raise DataError(f"{cloud.source}: {NO_CODES}")
        return cloud, decode(cloud.label, self.codes, self.space)

    def remapped(self, space: LabelSpace, table: LabelArray) -> CloudSplit:
        """The same clouds with other classes: label `table[label]` of `space` where it is `label` now."""
        return replace(self, space=space, codes={code: int(table[label]) for code, label in self.codes.items()})

    def count(self) -> ClassCounts:
        """How many points each class has."""
        counts = ClassCounts(self.space)
        for index in range(len(self)):
            _, target = self.read(index)
            found = np.bincount(target, minlength=self.space.ignore_index + 1)
            classes = found[: len(self.space)]
            counts.add(np.array([*classes, len(target) - classes.sum(), 0], dtype=np.int64))
        return counts


@dataclass(frozen=True)
class CloudDataset:
    """A data set of point clouds; see `Dataset`."""

    root: Path
    layout: str
    space: LabelSpace
    splits: dict[str, CloudSplit]
    notes: tuple[str, ...] = ()

    def split(self, name: str) -> CloudSplit:
        """One split by name.

        Raises:
            UsageError: the data set has no such split.
        """
        if name not in self.splits:
            raise UsageError(f"{self.root} has no split {name!r}.{suggest(name, self.splits)}")
        return self.splits[name]


def description(dataset: CloudDataset) -> dict[str, Any]:
    """The data set's own facts and its points in numbers, as plain JSON; reads every cloud.

    Raises:
        DataError: a cloud is damaged or has no class codes.
    """
    splits = {}
    for name, split in dataset.splits.items():
        counts = split.count()
        points = int(counts.pixels.sum()) + counts.ignored
        splits[name] = {"points": points, **counts.to_json("cloud", "point")}
    return {
        "root": str(dataset.root),
        "layout": dataset.layout,
        "label_space": dataset.space.to_json(),
        "notes": list(dataset.notes),
        "splits": splits,
    }


def decode(stored: np.ndarray, codes: Mapping[int, int], space: LabelSpace) -> LabelArray:
    """Stored class codes to class indices; codes that belong to no class become `ignore_index`."""
    known = np.array(sorted(codes), dtype=np.int64)
    labels = np.array([codes[code] for code in known.tolist()], dtype=space.dtype)
    place = np.minimum(np.searchsorted(known, stored), len(known) - 1)
    target: LabelArray = np.where(known[place] == stored, labels[place], space.ignore_index).astype(space.dtype)
    return target


def holds_clouds(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds point clouds and no pictures."""
    root = Path(path)
    if not root.is_dir():
        return False
    files = list(walk(root))
    if any(file.suffix.lower() in IMAGE_SUFFIXES for file in files):
        return False
    if shapenet_part.form(root) is not None:
        return True
    return any(is_cloud(file) or file.parent.name == ANNOTATIONS for file in files)


def open_clouds(
    path: str | os.PathLike[str],
    *,
    layout: str = "auto",
    classes: Sequence[str] | None = None,
    palette: Sequence[Color] | None = None,
    ignore: Sequence[int] = (),
    val_fraction: float = 0.2,
    seed: int = 0,
    columns: str | None = None,
    label: str | None = None,
) -> CloudDataset:
    """Open labelled point clouds: files in train/, val/ and test/, or in one folder that is then divided by file.

    Args:
        path: the data set's folder.
        layout: a name from `CLOUD_LAYOUTS`, or "auto".
        classes: class names. For LAS and LAZ, ASPRS names (ground, low_vegetation, building, ...) choose the classes to
            learn; points of others are ignored. Elsewhere they are in the order of the codes 0, 1, ... None takes them
            from classes.txt or the like in the folder (which may name codes: ``2: ground``), or else from the codes
            that occur.
        palette: one RGB colour a class.
        ignore: stored codes that mean "not labelled".
        val_fraction: share of the files that becomes "val" where there is none; 0 divides nothing.
        seed: another seed divides differently.
        columns: names of the columns of arrays and tables, see `open_cloud`.
        label: field of the class codes, where its name is not a usual one.

    Raises:
        DataError: no such folder, no clouds in it, or no class codes in them.
        UsageError: unknown layout, class names that cannot be matched to codes, or some for data that have their own.
    """
    root = Path(os.path.abspath(path))
    if layout not in ("auto", *CLOUD_LAYOUTS):
        raise UsageError(f"no layout of clouds is named {layout!r}.{suggest(layout, ['auto', *CLOUD_LAYOUTS])}")
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; a data set is a folder with labelled clouds")
    objects = shapenet_part.form(root) if layout == "auto" else layout
    if objects is not None and objects in shapenet_part.LAYOUTS:
        return _open_objects(root, objects, classes, columns)
    rooms = sorted({file.parent.parent for file in walk(root) if file.parent.name == ANNOTATIONS})
    if layout in s3dis.LAYOUTS or (layout == "auto" and rooms):
        return _open_rooms(root, layout, rooms, val_fraction, seed)
    files = [file for file in walk(root) if _is_scan(file)]
    sure = [file for file in files if is_cloud(file)]
    files = sure or files
    if not files:
        raise DataError(f"{root}: no clouds in this folder (looked for {', '.join(CLOUD_SUFFIXES)})")
    items: dict[str | None, list[CloudItem]] = defaultdict(list)
    for file in files:
        inner = file.relative_to(root)
        split = SPLITS.get(inner.parts[0].lower()) if len(inner.parts) > 1 else None
        items[split or SPLITS.get(root.name.lower())].append(CloudItem(inner.with_suffix("").as_posix(), file, file))
    named = ClassList(tuple(classes), tuple(palette or ())) if classes is not None else find_class_file(root)
    reader = {"columns": columns, "label": label}
    space, codes, notes = _classes(files, named, ignore, reader)
    groups = _divide(items, val_fraction, seed, notes)
    splits = {
        name: CloudSplit(name, space, codes, tuple(members), root, columns, label) for name, members in groups.items()
    }
    return CloudDataset(root, "clouds", space, splits, tuple(notes))


def _is_scan(file: Path) -> bool:
    name = file.name.lower()
    return name.endswith(CLOUD_SUFFIXES) and name not in FILE_NAMES and not name.endswith(NUSCENES_LABELS)


def _classes(
    files: list[Path], named: ClassList | None, ignore: Sequence[int], reader: dict[str, str | None]
) -> tuple[LabelSpace, dict[int, int], list[str]]:
    las = all(file.suffix.lower() in LAS for file in files)
    silent = {*ignore, *(_NO_CLASS if las else ())}
    if named is not None:
        space = LabelSpace(named.names, named.palette or _palette(named.names))
        if named.values:
            return space, _meanings(named.values, space, silent), [f"Class codes from {named.source}."]
        known = {name: code for code, name in ASPRS.items()}
        if las and all(name in known for name in named.names):
            return space, _meanings([known[name] for name in named.names], space, silent), []
        if las:
            wrong = next(name for name in named.names if name not in known)
            raise UsageError(
                f"{wrong!r} is no standard class of LAS.{suggest(wrong, known)} For other codes write a classes.txt "
                "with lines such as: 64: lasting_above"
            )
        codes = [code for code in range(len(space) + len(ignore)) if code not in ignore]
        return space, _meanings(codes[: len(space)], space, silent), []
    counts: Counter[int] = Counter()
    for file in files:
        try:
            for chunk in open_cloud(file, **reader).chunks():
                if chunk.label is not None:
                    found, many = np.unique(chunk.label, return_counts=True)
                    counts.update(dict(zip(found.tolist(), many.tolist(), strict=True)))
        except DataError:
            continue  # reading it for training names it again
    codes = sorted(code for code in counts if code not in silent and code >= 0)
    if not codes:
        raise DataError(
            f"{files[0].parent}: no class codes in {counted(len(files), 'cloud')}; name the field that holds them "
            "(cloud.label)"
        )
    names = tuple(ASPRS.get(code, f"class_{code}") if las else f"class_{code}" for code in codes)
    space = LabelSpace(names, _palette(names))
    return space, _meanings(codes, space, silent), [f"Classes from the codes that occur: {', '.join(names)}."]


def _meanings(codes: Iterable[int], space: LabelSpace, silent: Iterable[int]) -> dict[int, int]:
    """The class index of each code, in order; codes that say nothing are ignored unless a class has them."""
    return dict.fromkeys(silent, space.ignore_index) | {code: index for index, code in enumerate(codes)}


def _palette(names: Sequence[str]) -> tuple[Color, ...]:
    """The usual colours of standard classes, or () when some have none."""
    return tuple(ASPRS_COLORS[name] for name in names) if all(name in ASPRS_COLORS for name in names) else ()


def _divide(
    items: dict[str | None, list[CloudItem]], fraction: float, seed: int, notes: list[str]
) -> dict[str, Sequence[CloudItem]]:
    named: dict[str, Sequence[CloudItem]] = {name: items[name] for name in ("train", "val", "test") if items.get(name)}
    loose = items.get(None, [])
    if loose and named:
        notes.append(f"Left out, outside the split folders: {counted(len(loose), 'cloud')}.")
    if named:
        return named
    if fraction == 0 or len(loose) < 2:
        if len(loose) < 2:
            notes.append("There is only one cloud, so there is no val split.")
        return {"all": loose} if fraction == 0 else {"train": loose}
    train, val = partition(loose, fraction, seed)
    notes.append(f"Set aside as val: {len(val)} of {len(loose)} clouds (by name, neighbours together, seed {seed}).")
    return {"train": train, "val": val}


def _open_rooms(root: Path, layout: str, folders: list[Path], fraction: float, seed: int) -> CloudDataset:
    """S3DIS as it is released, one area held out as "val"; or only some of its rooms, divided by name."""
    areas = {folder.parent.name for folder in folders}
    notes: list[str] = []
    if layout == "auto" and not ("Area_5" in areas and len(areas) > 1):
        groups = _divide({None: [_room(folder, root) for folder in folders]}, fraction, seed, notes)
    else:
        area = s3dis.TEST_AREA["s3dis" if layout == "auto" else layout]
        train, val = s3dis.divide(s3dis.rooms(root), area)
        groups = {name: [_room(one.folder, root) for one in half] for name, half in (("train", train), ("val", val))}
        notes.append(f"Area {area} is held out as val, the others are for training.")
    space = s3dis.S3DIS
    codes = {code: code for code in range(len(space))}
    splits = {name: CloudSplit(name, space, codes, tuple(members), root) for name, members in groups.items()}
    for folder in folders[:3]:
        notes += read_room(folder)[1]
    return CloudDataset(root, "s3dis" if layout == "auto" else layout, space, splits, tuple(notes))


def _open_objects(root: Path, layout: str, classes: Sequence[str] | None, columns: str | None) -> CloudDataset:
    """ShapeNet part, by its official lists."""
    space = shapenet_part.SHAPENET_PART
    if classes is not None and tuple(classes) != space.names:
        raise UsageError(f"ShapeNet part has its own classes ({', '.join(space.names[:3])}, ...): leave them out")
    found, notes = shapenet_part.shapes(root, layout, columns)
    codes = {code: code for code in range(len(space))}
    splits = {}
    for name, members in found.items():
        items = tuple(CloudItem(one.name, one.cloud, one.cloud, reader=one.read) for one in members)
        splits[name] = CloudSplit(name, space, codes, items, root)
    return CloudDataset(root, layout, space, splits, notes)


def _room(folder: Path, root: Path) -> CloudItem:
    return CloudItem(folder.relative_to(root).as_posix(), folder, folder)

"""Labelled point clouds: the split of clouds, and the layout of clouds that hold their classes themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np

from intarsia.classlists import ClassList
from intarsia.datasets.classfile import FILE_NAMES
from intarsia.datasets.counts import NO_CODES, ClassCounts, SplitFacts
from intarsia.datasets.layouts.contract import Content, Layout, Reading
from intarsia.datasets.layouts.filenames import SPLITS
from intarsia.datasets.meaning import without_ignored
from intarsia.datasets.parts import place
from intarsia.datasets.splits import Dataset, Item, Look, MediumName, Progress, Split
from intarsia.errors import DataError, UsageError, counted, suggest
from intarsia.labels import Color, LabelArray, LabelSpace
from intarsia.media.clouds import CLOUD_SUFFIXES, CloudReader, PointCloud, open_cloud
from intarsia.media.clouds.las import ASPRS, ASPRS_COLORS
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.clouds.render import draw, view
from intarsia.media.clouds.scans import NUSCENES_LABELS
from intarsia.media.medium import CLOUD
from intarsia.preprocessing import AnyPreprocessing, CloudPreprocessing, expect

if TYPE_CHECKING:
    from intarsia.datasets.checks.report import Report

# Codes of LAS that say nothing about what a point is: not yet classified, and noise.
_NO_CLASS = (0, 7, 18)

CloudOpener: TypeAlias = Callable[[Item], CloudReader]
"""From an item to its cloud, the points on demand. It can be pickled, because splits are."""


@dataclass(frozen=True)
class FileOpener:
    """The opener of clouds that are files, or the folders of rooms.

    Attributes:
        columns: names of the columns of arrays and tables.
        label: field of the class codes, where its name is not a usual one.
    """

    columns: str | None = None
    label: str | None = None

    def __call__(self, item: Item) -> CloudReader:
        """Open a cloud; see `open_cloud` for errors."""
        if not isinstance(item.input, Path):
            raise UsageError(f"{item.input}: a cloud is a file or a folder of its own")
        return open_cloud(item.input, columns=self.columns, label=self.label)


@dataclass(frozen=True)
class CloudSplit(Split):
    """The clouds of one split, and how to read them.

    Args:
        codes: class index of each stored code, or `ignore_index` where a code says nothing; points with other codes are
            ignored, too.
        opener: how an item becomes a cloud.
    """

    codes: Mapping[int, int]
    opener: CloudOpener = FileOpener()

    medium: ClassVar[MediumName] = "cloud"
    plural: ClassVar[str] = "point clouds"
    thing: ClassVar[str] = "cloud"
    unit: ClassVar[str] = "point"
    extent: ClassVar[str] = "Points"
    options: ClassVar[frozenset[str]] = frozenset({"columns", "label"})
    learners: ClassVar[frozenset[str]] = frozenset({"cloud"})
    unlabelled: ClassVar[Color] = (225, 225, 225)  # white is where there are no points

    def shows(self, index: int) -> np.ndarray:
        """The coordinates (N, 3) of a cloud."""
        return self.read(index)[0].xyz

    def open(self, item: Item) -> CloudReader:
        """A cloud of the split, its points on demand.

        Raises:
            DataError: the file is missing or damaged; the message names it.
        """
        return self.opener(item)

    def read(self, index: int) -> tuple[PointCloud, LabelArray]:
        """The cloud, and the targets (N,) of its points, of `space.dtype`.

        Raises:
            DataError: the file is damaged or has no class codes; the message names it.
        """
        cloud = self.open(self.items[index]).read()
        if cloud.label is None:
            raise DataError(f"{cloud.source}: {'; '.join((NO_CODES, *cloud.notes))}")
        return cloud, decode(cloud.label, self.codes, self.space)

    def count(self) -> ClassCounts:
        """How many points each class has; reads every cloud.

        Raises:
            DataError: a cloud is damaged or has no class codes.
        """
        counts = ClassCounts(self.space)
        for index in range(len(self)):
            _, target = self.read(index)
            found = np.bincount(target, minlength=self.space.ignore_index + 1)
            classes = found[: len(self.space)]
            counts.add(np.array([*classes, len(target) - classes.sum(), 0], dtype=np.int64))
        return counts

    def describe(self) -> SplitFacts:
        """Count the points, all and of each class; for errors see `count`."""
        counts = self.count()
        points = int(counts.pixels.sum()) + counts.ignored
        return SplitFacts(counts, len(self), f"{points:,}", {"points": points})

    def picture(self, index: int, side: int, *, opacity: float = 0.5) -> Look:
        """The cloud from above: in its own colours, or else the higher the brighter; and in those of its classes."""
        cloud, target = self.read(index)
        colors = self.space.colors()
        colors[len(self.space) :] = self.unlabelled
        seen = view(cloud.xyz[:, 0], cloud.xyz[:, 1], cloud.xyz[:, 2], side)
        labels = frozenset(np.unique(target).tolist())
        return Look(draw(seen, cloud.colors()), draw(seen, colors[target]), labels)

    def name_of(self, item: Item, root: Path) -> str:
        """Name an item in messages: its file below a folder, or its own name where a file holds several."""
        return place(item.input, root) if isinstance(self.opener, FileOpener) else item.id

    def check(self, dataset: Dataset, progress: Progress | None = None) -> Report:
        """Read every cloud once; see `intarsia.datasets.checks.cloudcheck`."""
        from intarsia.datasets.checks.cloudcheck import check_clouds

        return check_clouds(dataset, progress)

    def remapped(self, space: LabelSpace, table: LabelArray) -> CloudSplit:
        """The same clouds with other classes."""
        return replace(self, space=space, codes={code: int(table[label]) for code, label in self.codes.items()})

    def for_input(self, preprocessing: AnyPreprocessing) -> CloudSplit:
        """The split as a model sees it: unchanged, if the model is for clouds."""
        refusal = UsageError(f"the data in {self.root} are point clouds, and the model is for pictures")
        expect(preprocessing, CloudPreprocessing, refusal)
        return self


@dataclass(frozen=True)
class CloudReading(Reading):
    """Clouds with the classes of their points; what the reader of a layout of clouds returns.

    Attributes:
        space: the classes.
        codes: class index of each stored code; see `CloudSplit`.
        clouds: every cloud, and the split that it belongs to.
        notes: what was decided.
        opener: how an item becomes a cloud.
        complete: see `Reading`.
    """

    space: LabelSpace
    codes: Mapping[int, int]
    clouds: tuple[tuple[str | None, Item], ...]
    notes: tuple[str, ...] = ()
    opener: CloudOpener = FileOpener()
    complete: bool = False

    def items(self) -> list[tuple[str | None, Item]]:
        """Every cloud."""
        return list(self.clouds)

    def split(self, name: str, items: tuple[Item, ...], content: Content) -> CloudSplit:
        """Some of the clouds as a split."""
        return CloudSplit(name, self.space, items, content.root, self.codes, self.opener)


def decode(stored: np.ndarray, codes: Mapping[int, int], space: LabelSpace) -> LabelArray:
    """Stored class codes to class indices; codes that belong to no class become `ignore_index`."""
    known = np.array(sorted(codes), dtype=np.int64)
    labels = np.array([codes[code] for code in known.tolist()], dtype=space.dtype)
    place = np.minimum(np.searchsorted(known, stored), len(known) - 1)
    target: LabelArray = np.where(known[place] == stored, labels[place], space.ignore_index).astype(space.dtype)
    return target


def scans(content: Content) -> list[Path]:
    """The clouds below a folder: files that can only be clouds, or else also arrays and tables."""
    files = [file for file in content.below if _is_scan(file)]
    return [file for file in files if CLOUD.is_surely(file)] or files


def _matches(content: Content) -> bool:
    """Whether a folder holds clouds, or what may be some, and no pictures."""
    return content.table is None and not content.has_pictures and bool(scans(content))


def _read(content: Content) -> CloudReading:
    files = scans(content)
    if not files:
        raise DataError(f"{content.root}: no clouds in this folder (looked for {', '.join(CLOUD_SUFFIXES)})")
    clouds = []
    for file in files:
        inner = file.relative_to(content.root)
        split = next((SPLITS[part.lower()] for part in reversed(inner.parts[:-1]) if part.lower() in SPLITS), None)
        clouds.append((split, Item(inner.with_suffix("").as_posix(), file, file)))
    space, codes, notes = _classes(files, content)
    opener = FileOpener(content.options.columns, content.options.label)
    return CloudReading(space, codes, tuple(clouds), tuple(notes), opener)


def _is_scan(file: Path) -> bool:
    name = file.name.lower()
    return name.endswith(CLOUD_SUFFIXES) and name not in FILE_NAMES and not name.endswith(NUSCENES_LABELS)


def _classes(files: list[Path], content: Content) -> tuple[LabelSpace, dict[int, int], list[str]]:
    named, ignore = content.classes, content.options.ignore
    las = all(file.suffix.lower() in LAS for file in files)
    silent = {*ignore, *(_NO_CLASS if las else ())}
    if named is not None:
        if named.values:
            return _told(named, named.values, silent, f"Class codes from {named.source}.")
        known = {name: code for code, name in ASPRS.items()}
        if las and all(name in known for name in named.names):
            return _told(named, [known[name] for name in named.names], silent)
        if las:
            wrong = next(name for name in named.names if name not in known)
            raise UsageError(
                f"{wrong!r} is no standard class of LAS.{suggest(wrong, known)} For other codes write a classes.txt "
                "with lines such as: 64: lasting_above"
            )
        codes = [code for code in range(len(named.names) + len(ignore)) if code not in ignore]
        return _told(named, codes[: len(named.names)], silent)
    reader = partial(open_cloud, columns=content.options.columns, label=content.options.label)
    counts: Counter[int] = Counter()
    said: Counter[str] = Counter()
    for file in files:
        try:
            opened = reader(file)
            said.update(opened.notes)
            for chunk in opened.chunks():
                if chunk.label is not None:
                    found, many = np.unique(chunk.label, return_counts=True)
                    counts.update(dict(zip(found.tolist(), many.tolist(), strict=True)))
        except DataError:
            continue  # reading it for training names it again
    codes = sorted(code for code in counts if code not in silent and code >= 0)
    if not codes:
        raise DataError(
            f"{files[0].parent}: no class codes in {counted(len(files), 'cloud')}; name the field that holds them "
            "(--label, recipe: data.label), of tables without names the columns (--columns 'x y z _ label', recipe: "
            f"data.columns){_in_words(said, len(files), '. ')}"
        )
    names = tuple(ASPRS.get(code, f"class_{code}") if las else f"class_{code}" for code in codes)
    space = LabelSpace(names, _palette(names))
    notes = [f"Classes from the codes that occur: {', '.join(names)}.", _in_words(said, len(files))]
    return space, _meanings(codes, space, silent), [note for note in notes if note]


def _told(
    named: ClassList, codes: Sequence[int], silent: Iterable[int], *notes: str
) -> tuple[LabelSpace, dict[int, int], list[str]]:
    """Classes as a list names them, each with its code; those called void and the like are not labelled."""
    known = dict(zip(named.names, codes, strict=True))
    space = without_ignored(named)
    if not named.palette:
        space = LabelSpace(space.names, _palette(space.names))
    left = [name for name in named.names if name not in space.names]
    ignored = [f"The class {', '.join(left)} of {named.source} is ignored (not labelled)."] if left else []
    meanings = _meanings([known[name] for name in space.names], space, [*silent, *(known[name] for name in left)])
    return space, meanings, [*notes, *ignored]


def _in_words(said: Counter[str], files: int, before: str = "") -> str:
    """What was decided when the clouds were read, and of how many."""
    notes = [f"{note} (in {number:,} of {counted(files, 'cloud')})" for note, number in said.items()]
    return f"{before}Decided: {'; '.join(notes)}." if notes else ""


def _meanings(codes: Iterable[int], space: LabelSpace, silent: Iterable[int]) -> dict[int, int]:
    """The class index of each code, in order; codes that say nothing are ignored unless a class has them."""
    return dict.fromkeys(silent, space.ignore_index) | {code: index for index, code in enumerate(codes)}


def _palette(names: Sequence[str]) -> tuple[Color, ...]:
    """The usual colours of standard classes, or () when some have none."""
    return tuple(ASPRS_COLORS[name] for name in names) if all(name in ASPRS_COLORS for name in names) else ()


LAYOUTS: dict[str, Layout] = {
    "clouds": Layout(
        "labelled point clouds (intarsia[clouds]): LAS, LAZ, PLY, PCD, E57, tables, SemanticKITTI, nuScenes",
        _matches,
        _read,
        files="train/ + val/ (+ test/) of clouds that hold their classes (.bin scans: beside them), or all of them in "
        "one folder; class names in classes.txt (2: ground), standard ones for LAS",
        kind=CloudSplit,
        listed=True,
    ),
}

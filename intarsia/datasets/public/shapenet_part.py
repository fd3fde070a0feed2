"""ShapeNet part: objects of sixteen categories as points with their parts, in the three forms that are in use."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.layouts.clouds import CloudReading, CloudSplit
from intarsia.datasets.layouts.contract import Content, Layout
from intarsia.datasets.public.entry import Entry, find, layout
from intarsia.datasets.public.protocol import EvaluationProtocol, Findings, ScoreTable, nothing
from intarsia.datasets.splits import Item
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import CloudReader, PointCloud, open_cloud, read_cloud
from intarsia.media.clouds.tables import read_hdf5
from intarsia.metrics.arrays import mean
from intarsia.transforms.clouds.categories import CATEGORIES, FIELD, PARTS, part_names

SHAPENET_PART = LabelSpace(tuple(name for category in CATEGORIES for name in part_names(category)))
"""The 50 parts. The data set numbers them and has no words for them: airplane_0 to airplane_3, ..., table_2."""

SPLITS = ("train", "val", "test")
_SYNSETS = "synsetoffset2category.txt"
_COLUMNS = "x y z nx ny nz label"
_MOST_SHOWN = 3


class PartScores:
    """ShapeNet part: the mean IoU of an object's parts, averaged over all objects, and over the categories' means.

    A part that neither an object nor its prediction has counts 1 (charlesq34/pointnet, part_seg/test.py). There, only
    parts of the object's own category can be predicted; `CloudPredictor` sees to that, because the data set says what
    each object is.
    """

    def __init__(self, space: LabelSpace, spacing: Sequence[float] | None) -> None:
        self._space = space
        self._parts = {name: [space.index(part) for part in part_names(name)] for name in CATEGORIES}
        self._ious: dict[str, list[float]] = defaultdict(list)

    def add(self, item: Item, prediction: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one object; see `Extra`."""
        known = target != self._space.ignore_index
        size = self._space.ignore_index + 1
        true, found, both = (
            np.bincount(labels, minlength=size)
            for labels in (target[known], prediction[known], target[known & (prediction == target)])
        )
        categories = [name for name, parts in self._parts.items() if true[parts].any()]
        if len(categories) != 1:
            raise DataError(f"{item.id}: its parts are of {len(categories)} categories; an object has one")
        parts = self._parts[categories[0]]
        union = (true + found - both)[parts]
        self._ious[categories[0]].append(float(np.where(union, both[parts] / np.maximum(union, 1), 1.0).mean()))

    def finish(self) -> Findings:
        found = {name: np.array(self._ious[name]) for name in CATEGORIES if self._ious[name]}
        every = np.concatenate([*found.values(), np.empty(0)])
        rows = tuple((name, (mean(ious),)) for name, ious in found.items())
        values = {"instance mIoU": mean(every), "class mIoU": mean(np.array([iou for _, (iou,) in rows]))}
        return Findings(values, (ScoreTable("categories", ("mIoU",), rows),))


PROTOCOL = EvaluationProtocol(
    "shapenet-part",
    "mean IoU of the parts of an object: over all objects, and over 16 categories",
    "Yi et al. 2016; charlesq34/pointnet, part_seg/test.py",
    lambda: (SHAPENET_PART,),
    nothing,
    PartScores,
)

ENTRY = Entry(
    name="shapenet-part",
    title="ShapeNet part",
    about="16,881 objects of 16 categories as points, 50 parts",
    space=lambda: SHAPENET_PART,
    splits="train, val, test",
    ignored="nothing",
    size="about 2,600 points an object, with normals; 2,048 and none as HDF5",
    license="ShapeNet's terms: non-commercial research, registration",
    citation="Yi et al., A Scalable Active Framework for Region Annotation in 3D Shape Collections, SIGGRAPH Asia 2016",
    homepage="https://shapenet.org/",
    steps=(
        "register at the homepage and fetch shapenetcore_partanno_segmentation_benchmark_v0_normal.zip (points with "
        "normals), or shapenet_part_seg_hdf5_data.zip, and unpack it",
        "intarsia train FOLDER --recipe object-parts",
    ),
    tree="""synsetoffset2category.txt  (Airplane 02691156)
train_test_split/shuffled_train_file_list.json  (and _val_, _test_: shape_data/02691156/NAME)
02691156/NAME.txt  (x y z nx ny nz part, a point a line)
or, as of v0:  02691156/points/NAME.pts with 02691156/points_label/NAME.seg
or, as HDF5:  train_hdf5_file_list.txt with ply_data_train0.h5 (data, label, pid)""",
    protocol=PROTOCOL,
)


@dataclass(frozen=True)
class Shape:
    """One object.

    Attributes:
        name: unique in the data set, "chair/1a6f615e8b1b5ae4dbbc9440457e303e"; the category comes first.
        category: its index.
        cloud: file of its points; of HDF5, that of many objects.
        parts: file of its parts, where they have one of their own (v0).
        row: its place in an HDF5 file.
        columns: of the text with normals.
    """

    name: str
    category: int
    cloud: Path
    parts: Path | None = None
    row: int | None = None
    columns: str = _COLUMNS

    def read(self) -> PointCloud:
        """Its points, with the class of each (0 to 49) and the field "category".

        Raises:
            DataError: the file is damaged, has no points, or a part that is none of its category's.
        """
        if self.row is not None:
            cloud = self._from_row(self.row)
        elif self.parts is not None:
            cloud = self._from_two(self.parts)
        else:
            _require_content(self.cloud)
            cloud = read_cloud(self.cloud, columns=self.columns)
        if not len(cloud):
            raise DataError(f"{cloud.source}: the object has no points; unpack it again")
        category, first = CATEGORIES[self.category], self._first
        last = first + PARTS[category] - 1
        if cloud.label is not None and len(wrong := cloud.label[(cloud.label < first) | (cloud.label > last)]):
            raise DataError(
                f"{cloud.source}: it has the part {wrong[0]}, but the parts of the category {category} are {first} to "
                f"{last}; it is damaged or in the wrong folder, unpack it again"
            )
        cloud.fields[FIELD] = np.full(len(cloud), self.category, dtype=np.uint8)
        return cloud

    @property
    def _first(self) -> int:
        """The number of its category's first part."""
        return SHAPENET_PART.index(part_names(CATEGORIES[self.category])[0])

    def _from_two(self, parts: Path) -> PointCloud:
        """The form v0: coordinates, and parts numbered from 1 in each category."""
        for file in (self.cloud, parts):
            _require_content(file)
        cloud = read_cloud(self.cloud, columns="x y z")
        try:
            numbers = np.loadtxt(parts, dtype=np.int64, ndmin=1)
        except (OSError, ValueError) as error:
            raise DataError(f"{parts}: not a list of part numbers ({error}); unpack it again") from error
        if numbers.shape != (len(cloud),):
            raise DataError(f"{parts}: {numbers.size} parts for the {len(cloud)} points of {self.cloud}; unpack again")
        return PointCloud(cloud.xyz, {}, self._first + numbers - 1, source=str(self.cloud))

    def _from_row(self, row: int) -> PointCloud:
        arrays = _objects(self.cloud)
        return PointCloud(
            arrays["data"][row].astype(np.float64), {}, arrays["pid"][row].astype(np.int64),
            source=f"{self.cloud} row {row}",
        )  # fmt: skip


def _require_content(file: Path) -> None:
    try:
        empty = file.stat().st_size == 0
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); unpack it again") from error
    if empty:
        raise DataError(f"{file}: the file is empty, the object has no points; unpack it again")


def _objects(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an HDF5 file: data (n, P, 3), label (n,) and pid (n, P).

    Raises:
        DataError: it is missing or damaged, or lacks one of them; names it.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), but a list names it; unpack it again") from error
    return _decoded(path, changed)


# Objects are read in order: the last file is all that has to be kept.
@lru_cache(maxsize=1)
def _decoded(path: Path, changed: int) -> dict[str, NDArray[Any]]:
    arrays = read_hdf5(path)
    missing = [name for name in ("data", "label", "pid") if name not in arrays]
    if missing:
        raise DataError(f"{path}: it has no {' and no '.join(missing)}, but: {', '.join(arrays) or 'nothing'}")
    data, pid = arrays["data"], arrays["pid"]
    label = arrays["label"].reshape(-1)
    if data.ndim != 3 or data.shape[2] != 3 or pid.shape != data.shape[:2] or label.shape != data.shape[:1]:
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in ("data", "label", "pid"))
        raise DataError(f"{path}: data (n, points, 3), label (n, 1) and pid (n, points) are needed, these are {shapes}")
    if not data.shape[1]:
        raise DataError(f"{path}: its objects have no points; unpack it again")
    if any(arrays[name].dtype.kind not in "iu" for name in ("label", "pid")):
        raise DataError(f"{path}: label and pid have to be whole numbers")
    wrong = label[(label < 0) | (label >= len(CATEGORIES))]
    if len(wrong):
        raise DataError(f"{path}: it has the category {wrong[0]}; ShapeNet part has 0 to {len(CATEGORIES) - 1}")
    return {"data": data, "label": label, "pid": pid}


def _text_folder(content: Content) -> Path | None:
    name = "shapenetcore_partanno_segmentation_benchmark_v0"
    return find(content, "", f"{name}_normal", name, holding=(_SYNSETS,))


def _hdf5_folder(content: Content) -> Path | None:
    places = ("", "hdf5_data", "shapenet_part_seg_hdf5_data", "shapenet_part_seg_hdf5_data/hdf5_data")
    found = (find(content, *places, holding=(f"{split}_hdf5_file_list.txt",)) for split in SPLITS)
    return next((folder for folder in found if folder is not None), None)


def form(root: Path) -> str | None:
    """The layout that a folder has, or None if it is not ShapeNet part."""
    content = Content(root)
    folder = _text_folder(content)
    if folder is not None:
        return "shapenet-part-v0" if next(folder.glob("*/points_label"), None) else "shapenet-part"
    return "shapenet-part-hdf5" if _hdf5_folder(content) is not None else None


def shapes(root: Path, name: str, columns: str | None = None) -> tuple[dict[str, tuple[Shape, ...]], tuple[str, ...]]:
    """The objects of each split by its official list, and what was noticed.

    Args:
        root: the folder.
        name: one of `LAYOUTS`.
        columns: other names for the columns of the text with normals; "x y z _ _ _ label" leaves the normals out.

    Raises:
        DataError: there are no lists, or one is damaged, names an unknown synset, or objects that are missing.
    """
    content = Content(root)
    hdf5 = name == "shapenet-part-hdf5"
    folder = _hdf5_folder(content) if hdf5 else _text_folder(content)
    if folder is None:
        raise ENTRY.missing(content, f"it has no {'train_hdf5_file_list.txt' if hdf5 else _SYNSETS}")
    files = {
        split: folder / (f"{split}_hdf5_file_list.txt" if hdf5 else f"train_test_split/shuffled_{split}_file_list.json")
        for split in SPLITS
    }
    present = {split: file for split, file in files.items() if file.is_file()}
    if not present:
        raise ENTRY.missing(content, f"the lists of its splits are missing, such as {files['train']}")
    notes = tuple(f"No split {split}: {file} is missing." for split, file in files.items() if split not in present)
    if hdf5:
        return {split: tuple(_in_files(file)) for split, file in present.items()}, notes
    synsets = _synsets(folder / _SYNSETS)
    found = {}
    for split, file in present.items():
        members = _in_folders(file, folder, synsets, name)
        found[split] = tuple(replace(one, columns=columns or _COLUMNS) for one in members)
    return found, notes


def _synsets(path: Path) -> dict[str, int]:
    """From a synset, the name of a folder, to the index of its category."""
    found = {}
    for number, line in enumerate(_lines(path), start=1):
        category, _, synset = line.partition("\t") if "\t" in line else line.partition(" ")
        if category.lower() not in CATEGORIES or not _is_plain(synset.strip()):
            raise DataError(
                f"{path}:{number}: {line!r} is no category of ShapeNet part with its synset (Airplane 02691156); "
                f"categories are {', '.join(CATEGORIES)}"
            )
        found[synset.strip()] = CATEGORIES.index(category.lower())
    return found


def _in_folders(file: Path, folder: Path, synsets: dict[str, int], name: str) -> Iterable[Shape]:
    """The objects of a list of "shape_data/SYNSET/NAME"."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: not a JSON list of objects ({error}); unpack it again") from error
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise DataError(f"{file}: not a list of texts such as shape_data/02691156/NAME; unpack it again")
    missing = []
    for entry in entries:
        synset, _, own = entry.removeprefix("shape_data/").partition("/")
        if synset not in synsets:
            raise DataError(f"{file}: {entry!r}: {_SYNSETS} has no synset {synset!r}; unpack both again")
        if not _is_plain(own):
            raise DataError(f"{file}: {entry!r} leads out of the folder of its synset; unpack it again")
        place, parts = folder / synset, None
        if name == "shapenet-part-v0":
            cloud, parts = place / "points" / f"{own}.pts", place / "points_label" / f"{own}.seg"
        else:
            cloud = place / f"{own}.txt"
        missing += [one for one in (cloud, parts) if one is not None and not one.is_file()]
        yield Shape(f"{CATEGORIES[synsets[synset]]}/{own}", synsets[synset], cloud, parts)
    if missing:
        shown = ", ".join(str(one) for one in missing[:_MOST_SHOWN]) + (", ..." if len(missing) > _MOST_SHOWN else "")
        raise DataError(f"{file}: {len(missing)} files that it names are missing: {shown}; unpack the data set again")


def _in_files(file: Path) -> Iterable[Shape]:
    """The objects of a list of HDF5 files, which lie beside it."""
    for line in _lines(file):
        path = file.parent / Path(line).name
        for row, category in enumerate(_objects(path)["label"].tolist()):
            yield Shape(f"{CATEGORIES[category]}/{path.stem}-{row:04d}", category, path, None, row)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list ({error}); unpack it again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _is_plain(name: str) -> bool:
    """Whether a text is the name of a file or folder, and no way to another place."""
    return name not in ("", ".", "..") and not any(mark in name for mark in "/\\:\0")


def _read(content: Content, *, name: str) -> CloudReading:
    found, notes = shapes(content.root, name, content.options.columns)
    every = [(split, shape) for split, members in found.items() for shape in members]
    clouds = tuple((split, Item(shape.name, shape.cloud, shape.parts or shape.cloud)) for split, shape in every)
    codes = {code: code for code in range(len(SHAPENET_PART))}
    opener = ShapeOpener({shape.name: shape for _, shape in every})
    return CloudReading(SHAPENET_PART, codes, clouds, notes, opener, complete=True)


@dataclass(frozen=True)
class ShapeOpener:
    """The opener of objects, by the ids of their items."""

    shapes: Mapping[str, Shape]

    def __call__(self, item: Item) -> CloudReader:
        """Open an object; see `Shape.read` for errors."""
        return open_cloud(self.shapes[item.id].read())


_ABOUT = {
    "shapenet-part": "ShapeNet part, points with normals: SYNSET/NAME.txt",
    "shapenet-part-v0": "ShapeNet part v0: SYNSET/points/NAME.pts with SYNSET/points_label/NAME.seg",
    "shapenet-part-hdf5": "ShapeNet part as HDF5: ply_data_train0.h5, ... with train_hdf5_file_list.txt",
}


def _matches(content: Content, *, name: str) -> bool:
    return form(content.root) == name


ENTRIES = (ENTRY,)
LAYOUTS: dict[str, Layout] = {
    name: layout(
        ENTRY, about, partial(_matches, name=name), partial(_read, name=name),
        kind=CloudSplit, sole=True, recipe="object-parts",
    )
    for name, about in _ABOUT.items()
}  # fmt: skip

"""Labelled volumes as data sets: divided by volume, trained and looked at slice by slice, evaluated whole."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.classlists import ClassList
from intarsia.datasets.layouts import nnunet, voxels
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import folder_meaning, natural
from intarsia.datasets.layouts.pairing import Pairs
from intarsia.datasets.layouts.survey import counted
from intarsia.datasets.meaning import Survey, choose
from intarsia.datasets.parts import File
from intarsia.datasets.pictures import PictureSplit
from intarsia.datasets.splits import Item
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelArray
from intarsia.media.grids import Axis
from intarsia.media.medium import VOLUME
from intarsia.media.source import Pixels
from intarsia.media.volumes import open_volume, stack, volume_stem
from intarsia.preprocessing import AnyPreprocessing, Preprocessing

_SURVEYED = 30
"""Label volumes that are read to find out which values occur."""

_LOOKED_AT = 8
_SAMPLE = 100_000  # values of a slab that count
_AIR = -200  # a volume with smaller values is a CT in Hounsfield units, air at -1000

_MASK_WORDS = re.compile(r"(^|[_\-. ])(segmentation|seg|mask|label|labels|gt|groundtruth|annotation)(?=$|[_\-. ])")
_IMAGE_WORDS = re.compile(r"(^|[_\-. ])(volume|image|img|ct|mr|scan|0000)(?=$|[_\-. ])")
_IMAGE_FOLDERS, _MASK_FOLDERS = ("imagestr", "volumes", "ct"), ("labelstr",)  # besides the names that pictures have


@dataclass(frozen=True)
class Slice:
    """One slice of a volume, shown in the volume's own range of values.

    Attributes:
        path: the volume.
        number: from 0.
        axis: the plane.
    """

    path: Path
    number: int
    axis: Axis = "axial"

    def __str__(self) -> str:
        return f"{self.path}, {self.axis} slice {self.number + 1}"

    def load(self) -> Image.Image:
        """The slice as a grey picture."""
        return Image.fromarray(voxels.slices(self.path, None, self.axis)[self.number])


@dataclass(frozen=True)
class LabelSlice:
    """One slice of a label volume, as it is stored.

    Attributes:
        path: the label volume.
        volume: the volume that it labels, in whose slices it is cut.
        number: from 0.
        axis: the plane.
    """

    path: Path
    volume: Path
    number: int
    axis: Axis = "axial"

    def __str__(self) -> str:
        return f"{self.path}, {self.axis} slice {self.number + 1}"

    def load(self) -> Image.Image:
        """The slice's class values as a grey picture of 8 or 16 bits."""
        return Image.fromarray(voxels.labels(self.volume, self.path, self.axis)[self.number])


@dataclass(frozen=True)
class VolumeItem(Item):
    """A whole volume, as it is evaluated.

    Attributes:
        spacing: mm between slices, rows and columns.
    """

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class VolumeSplit(PictureSplit):
    """A split of volumes, whose items are slices; a volume is never divided between splits.

    Args:
        preprocessing: the model's, once there is one: the plane, the window, and how many slices are channels.
        foreground: share of training slices that are drawn among those of the same volume that hold a certain class,
            the first one excepted, instead of being the item's own.
    """

    preprocessing: Preprocessing | None = None
    foreground: float = 0.0

    medium: ClassVar[Pixels] = "volume"
    plural: ClassVar[str] = "volumes"
    options: ClassVar[frozenset[str]] = frozenset()
    fits_shards: ClassVar[bool] = False
    in_parts: ClassVar[bool] = True

    @property
    def axis(self) -> Axis:
        """The plane of the slices."""
        return self.preprocessing.axis if self.preprocessing else "axial"

    def cases(self) -> dict[str, tuple[Path, Path]]:
        """The image and label file of each volume, by the folder in which its slices' ids lie."""
        found: dict[str, tuple[Path, Path]] = {}
        for item in self.items:
            if isinstance(item.input, Slice) and isinstance(item.target, LabelSlice):
                found.setdefault(item.id.rpartition("/")[0], (item.input.path, item.target.path))
        return found

    def for_input(self, preprocessing: AnyPreprocessing) -> VolumeSplit:
        """The split as a model sees it: cut along its plane, in its window, with its number of neighbours."""
        preprocessing = self.seen(preprocessing)
        if not preprocessing.is_for(self.medium):
            raise UsageError(
                "the data are volumes, and the model is for pictures; set input.slices (1, 3, 5, ...) and as many "
                "model.options.in_channels"
            )
        every = self.items
        if preprocessing.axis != self.axis:
            cases = [(name, volume, mask) for name, (volume, mask) in self.cases().items()]
            every = tuple(item for case in cases for item in _items(*case, preprocessing.axis))
        return replace(self, items=every, preprocessing=preprocessing)

    def for_training(self, preprocessing: AnyPreprocessing, *, foreground: float) -> VolumeSplit:
        """As `for_input`, drawing so large a share of slices among those with a foreground class."""
        return replace(self.for_input(preprocessing), foreground=foreground)

    def read(self, index: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """One slice (H, W, C) with its neighbours as channels, and its target (H, W).

        Raises:
            DataError: a volume is damaged, or the labels do not lie on its grid.
        """
        item = self.items[index]
        if self.preprocessing is None or not isinstance(item.input, Slice):
            return super().read(index)
        window = self.preprocessing.windows[0] if self.preprocessing.windows else None
        every = voxels.slices(item.input.path, window, self.axis)
        image = stack(every, item.input.number, self.preprocessing.slices or 1)
        return image, self.target(item, (image.shape[0], image.shape[1]))

    def draw(self, index: int, reach: tuple[int, int], seed: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """An item for training: its own slice, or another one of the same volume that holds a foreground class."""
        item = self.items[index]
        random = np.random.default_rng(seed)
        if random.random() < self.foreground and isinstance(item.input, Slice) and isinstance(item.target, LabelSlice):
            present = self._present(item.target)
            classes = np.flatnonzero(present.any(axis=0))
            if len(classes):  # every class alike, as small ones would hardly be seen otherwise
                number = int(random.choice(np.flatnonzero(present[:, random.choice(classes)])))
                chosen = replace(
                    item, input=replace(item.input, number=number), target=replace(item.target, number=number)
                )
                return replace(self, items=(chosen,)).read(0)
        return self.read(index)

    def files(self) -> list[tuple[File, list[int]]]:
        """The volumes, and their slices."""
        members: dict[str, list[int]] = {}
        for index, item in enumerate(self.items):
            members.setdefault(item.id.rpartition("/")[0], []).append(index)
        return [(volume, members[name]) for name, (volume, _) in self.cases().items()]

    def wholes(self) -> list[tuple[Item, list[int]]]:
        """The volumes with the distances of their voxels, and their slices."""
        return [
            (VolumeItem(name, volume, mask, spacing=open_volume(volume).grid.view_spacing(self.axis)), slices)
            for (name, (volume, mask)), (_, slices) in zip(self.cases().items(), self.files(), strict=True)
        ]

    def shown(self, name: str) -> int:
        """The item that shows a volume: the slice with the most pixels of all classes but the first."""
        best, most = 0, -1
        for index, item in enumerate(self.items):
            if item.id.rpartition("/")[0] == name and isinstance(item.target, LabelSlice):
                labels = self.coding.decode(np.asarray(item.target.load()), self.space)
                filled = int(np.count_nonzero((labels > 0) & (labels < len(self.space))))
                best, most = (index, filled) if filled > most else (best, most)
        return best

    def window(self) -> tuple[float, float] | None:
        """The range of values between which the foreground of a CT lies; None for media without a fixed unit (MR).

        The percentiles 0.5 and 99.5 of the foreground's Hounsfield units in up to 8 volumes, as nnU-Net clips CT
        (Isensee et al. 2021).
        """
        values = []
        chosen = list(self.cases().values())
        for volume, mask in chosen[:: max(1, len(chosen) // _LOOKED_AT)]:
            reader = open_volume(volume)
            stored = reader.grid.stored(voxels.labels(volume, mask, "axial"), "axial")
            lowest = math.inf
            for place, slab in reader.slabs():
                lowest = min(lowest, float(slab.min()))
                labels = self.coding.decode(stored[..., place].reshape(len(stored), -1), self.space)
                filled = (labels > 0) & (labels < len(self.space))
                values.append(slab.reshape(len(slab), -1)[filled][:: 1 + int(filled.sum()) // _SAMPLE])
            if not lowest < _AIR:
                return None
        every = np.concatenate(values) if values else np.zeros(0)
        if not every.size:
            return None
        low, high = np.percentile(every, (0.5, 99.5)).round(-1).tolist()
        return (low, high) if high > low else None

    def prepare(self) -> bool:
        """Have each volume decoded once, not for every slice."""
        sizes = [math.prod(open_volume(volume).grid.shape) for volume, _ in self.cases().values()]
        voxels.keep_decoded(sum(sizes))
        return True

    def _present(self, mask: LabelSlice) -> NDArray[np.bool_]:
        """(D, C): which classes occur in which slice of a volume, without the first class."""
        stored = voxels.presence(mask.volume, mask.path, self.axis)
        present = np.zeros((len(stored), len(self.space)), dtype=np.bool_)
        for value, label in self.coding.values.items():
            if 0 < label < len(self.space) and value < stored.shape[1]:
                present[:, label] |= stored[:, value]
        return present


def as_slices(split: PictureSplit) -> PictureSplit:
    """A split whose items are volumes (NIfTI files) as one whose items are their slices."""
    every = [_items(item.id, item.input, item.target, "axial") for item in split.items]
    fields = {name: value for name, value in vars(split).items() if name != "items"}
    return VolumeSplit(items=tuple(item for items in every for item in items), **fields)


def _items(name: str, volume: File, mask: File, axis: Axis) -> tuple[Item, ...]:
    if not isinstance(volume, Path) or not isinstance(mask, Path):
        raise UsageError(f"{volume}: a volume is a file of its own")
    grid = open_volume(volume).grid
    depth = grid.view(np.broadcast_to(np.uint8(0), grid.shape), axis).shape[0]
    digits = len(str(depth))
    return tuple(
        Item(f"{name}/{index + 1:0{digits}d}", Slice(volume, index, axis), LabelSlice(mask, volume, index, axis))
        for index in range(depth)
    )


def usable(
    matched: list[tuple[str | None, str, Path, Path]],
) -> tuple[list[tuple[str | None, str, File, File]], list[str]]:
    """The pairs of volume and label volume whose headers fit together, and what is wrong with the others."""
    kept: list[tuple[str | None, str, File, File]] = []
    faults = []
    for split, name, volume, mask in matched:
        try:
            image, labels = open_volume(volume), open_volume(mask)
            problem = "" if labels.notes else image.grid.differs(labels.grid)
            if problem:
                raise DataError(f"{mask}: it does not fit its image {volume.name}: {problem}")
        except DataError as error:
            faults.append(str(error))
            continue
        kept.append((split, name, volume, mask))
    return kept, faults


def _is_nifti(path: Path) -> bool:
    return VOLUME.is_surely(path)


def _matches(content: Content) -> bool:
    if content.table is not None:
        return False
    return not content.has_pictures and any(_is_nifti(path) for path in content.below)


def _read(content: Content) -> PictureReading:
    matched, images, masks = _paired(content.root, [path for path in content.below if _is_nifti(path)])
    pairs, faults = usable(matched)
    if not pairs:
        if faults:
            raise DataError(faults[0])
        raise DataError(
            f"{content.root}: {len(images)} volumes and {len(masks)} label volumes, but no names match; put them into "
            "images/ and labels/ with the same names, or call them volume-1.nii.gz and segmentation-1.nii.gz"
        )
    labelled = [mask for *_, mask in pairs if isinstance(mask, Path)]
    found, tabled = survey_volumes(labelled)
    named = nnunet.class_names(content.root) or tabled
    space, coding, notes = choose(found, content.classes or named, content.options.ignore)
    if content.classes is None and named is not None:
        source = f"the label table in {labelled[0].name}" if named is tabled else nnunet.DESCRIPTION
        notes.append(f"The names come from {source}.")
    notes += [f"Volumes that cannot be used: {len(faults)}; the first: {faults[0]}."] if faults else []
    notes.append(f"{len(pairs)} volumes; they are divided as a whole, and trained slice by slice.")
    return PictureReading(
        space, coding, Pairs(tuple(pairs), tuple(images), tuple(masks), ()), tuple(notes),
        faults=tuple(faults), finish=as_slices,
    )  # fmt: skip


def _paired(root: Path, files: list[Path]) -> tuple[list[tuple[str | None, str, Path, Path]], list[Path], list[Path]]:
    """Matched (split, id, volume, labels), volumes without labels, labels without a volume."""
    sides: dict[str, dict[tuple[str | None, str], Path]] = {"image": {}, "mask": {}}
    left: dict[str, list[Path]] = {"image": [], "mask": []}
    for path in files:
        split, role = _meaning(path, root)
        key = (split, _key(path))
        known = sides[role]
        if key in known:
            left[role].append(path)
        known.setdefault(key, path)
    images, masks = sides["image"], sides["mask"]
    matched = [
        (key[0], "/".join((*((key[0],) if key[0] else ()), volume_stem(path))), path, masks[key])
        for key, path in images.items()
        if key in masks
    ]
    matched.sort(key=lambda entry: natural(entry[1]))
    left["image"] += [path for key, path in images.items() if key not in masks]
    left["mask"] += [path for key, path in masks.items() if key not in images]
    return matched, left["image"], left["mask"]


def _meaning(path: Path, root: Path) -> tuple[str | None, Literal["image", "mask"]]:
    """Split and role of a volume, from its folders and, where they say nothing, its name."""
    split: str | None = None
    role: Literal["image", "mask"] | None = None
    for name in path.relative_to(root).parts[:-1]:
        bare = name.lower()
        says_split, says_role = folder_meaning(name)
        if bare in _IMAGE_FOLDERS:
            says_role = "image"
        elif bare in _MASK_FOLDERS:
            says_role = "mask"
        split, role = says_split or split, says_role or role
    return split, role or ("mask" if _MASK_WORDS.search(volume_stem(path).lower()) else "image")


def _key(path: Path) -> str:
    """A name without the words that only say "labels" or "volume", and without nnU-Net's channel number."""
    stem = volume_stem(path).lower()
    bare = _IMAGE_WORDS.sub(r"\1", _MASK_WORDS.sub(r"\1", re.sub(r"_0000$", "", stem))).strip("_-. ")
    return re.sub(r"[_\-. ]+", "-", bare) or stem


def survey_volumes(masks: Sequence[Path]) -> tuple[Survey, ClassList | None]:
    """Find out which values occur in label volumes (of many, in some of them), and the names that the first one gives.

    Raises:
        DataError: one is damaged, or holds no class values.
    """
    chosen = [masks[i] for i in sorted({int(i) for i in np.linspace(0, len(masks) - 1, min(len(masks), _SURVEYED))})]
    found = Survey(files=len(chosen))
    for mask in chosen:
        labels, nowhere = open_volume(mask).stored_labels()
        found.nowhere |= {nowhere} if nowhere else set()
        for number in range(labels.shape[2]):
            values, flat = counted(cast(LabelArray, np.ascontiguousarray(labels[..., number])))
            found.values.update(values)
            found.flat.update(flat)
    table = open_volume(masks[0]).class_names()
    if not table:
        return found, None
    names = {value: table.get(value, "background" if value == 0 else f"class_{value}") for value in found.values}
    names |= table
    ordered = sorted(names)
    return found, ClassList(tuple(names[value] for value in ordered), values=tuple(ordered), source="the label table")


LAYOUTS: dict[str, Layout] = {
    "volumes": Layout(
        "NIfTI volumes with label volumes (intarsia[volumes])",
        _matches,
        _read,
        files="images/ and labels/, or CASE.nii.gz and CASE_seg.nii.gz",
        kind=VolumeSplit,
    ),
}

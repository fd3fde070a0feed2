"""Item, Split, Dataset: what every medium's labelled data answer, whatever lies on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.counts import ClassCounts, SplitFacts
from intarsia.datasets.parts import File
from intarsia.errors import DataError, UsageError, suggest
from intarsia.labels import Color, LabelArray, LabelSpace
from intarsia.preprocessing import AnyPreprocessing

if TYPE_CHECKING:
    from intarsia.datasets.checks.report import Report

Size: TypeAlias = tuple[int, int]
MediumName: TypeAlias = Literal["picture", "raster", "volume", "cloud"]
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class Item:
    """One labelled thing.

    Attributes:
        id: unique in its data set: its relative name without suffix.
        input: the picture or cloud.
        target: the mask, annotation or label file; where the input holds its own labels, the input.
        instances: a map of instance numbers, where the data set has one.
    """

    id: str
    input: File
    target: File
    instances: Path | None = None

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Distances of neighbours along each axis, where the file says them: of volumes, in mm."""
        return None


@dataclass(frozen=True)
class Look:
    """An item to look at.

    Attributes:
        input: (h, w, 3) as it is.
        target: (h, w, 3) as it is labelled.
        labels: that occur.
    """

    input: NDArray[np.uint8]
    target: NDArray[np.uint8]
    labels: frozenset[int]


@dataclass(frozen=True)
class Split(ABC):
    """The items of one split, and how to read them: the contract of all media.

    Args:
        name: "train", "val", "test", or "all" when the data set was not divided.
        space: label space of the targets.
        items: the labelled things, in a fixed order.
        root: the data set's folder; annotation files may not point outside it.
    """

    name: str
    space: LabelSpace
    items: tuple[Item, ...]
    root: Path

    medium: ClassVar[MediumName]
    """What the items are."""
    plural: ClassVar[str]
    """The medium in words."""
    thing: ClassVar[str]
    """The word for an item."""
    unit: ClassVar[str]
    """The word for what has a class."""
    extent: ClassVar[str]
    """The word for how large items are; see `SplitFacts`."""
    options: ClassVar[frozenset[str]]
    """The fields of `ReadOptions` that mean something to this medium only."""
    learners: ClassVar[frozenset[str]]
    """The media of the architectures that learn from it."""
    unlabelled: ClassVar[Color]
    """The colour in `picture` of what has no label."""
    has_maps: ClassVar[bool] = False
    """Whether `target` gives the labels of an item: as a map of pixels."""
    makes_clips: ClassVar[bool] = False
    """Whether training may move over an item as a camera does; see the recipe's `clips`."""
    fits_shards: ClassVar[bool] = False
    """Whether an item is a picture's own file and a map of labels, which is what `pack` writes."""

    def __len__(self) -> int:
        return len(self.items)

    @abstractmethod
    def read(self, index: int) -> tuple[Any, LabelArray]:
        """The input, as its medium is, and its target (..., the model's `*S`) of `space.dtype`.

        Raises:
            DataError: a file is damaged, or input and target do not belong together; the message names the file.
        """

    def shows(self, index: int) -> NDArray[Any]:
        """What an item shows, as numbers: pixels, or the places of points.

        Raises:
            DataError: as `read`.
        """
        shown: NDArray[Any] = self.read(index)[0]
        return shown

    def target(self, item: Item) -> LabelArray:
        """The labels (H, W) of an item, where they are a map of pixels.

        Raises:
            DataError: as `read`.
            UsageError: they are none.
        """
        raise UsageError(f"the labels of {self.plural} are no maps of pixels")

    @abstractmethod
    def count(self) -> ClassCounts:
        """How often each class occurs."""

    @abstractmethod
    def describe(self) -> SplitFacts:
        """Count the classes, and measure how large the items are."""

    @abstractmethod
    def picture(self, index: int, side: int, *, opacity: float = 0.5) -> Look:
        """Draw an item for people, its longer side of so many pixels.

        Args:
            index: of the item.
            side: in pixels.
            opacity: of labels that are laid over the input, 0 to 1.

        Raises:
            DataError: as `read`.
        """

    @abstractmethod
    def check(self, dataset: Dataset, progress: Progress | None = None) -> Report:
        """Check all splits of a data set of this medium; see `Dataset.check`."""

    @abstractmethod
    def remapped(self, space: LabelSpace, table: LabelArray) -> Split:
        """The same items with other classes: label `table[label]` of `space` where it is `label` now."""

    @abstractmethod
    def for_input(self, preprocessing: AnyPreprocessing) -> Split:
        """The split as a model sees it, through its preprocessing.

        Raises:
            UsageError: the model is for another medium.
        """

    def for_training(self, preprocessing: AnyPreprocessing, *, foreground: float) -> Split:
        """The split as training sees it: items of a size that fits into memory.

        Args:
            preprocessing: the model's.
            foreground: of volumes, the share of slices that are drawn among those with a foreground class.
        """
        return self.for_input(preprocessing)

    def files(self) -> list[tuple[File, list[int]]]:
        """The files that people would open, and the items that lie in each: one, or the slices of a volume."""
        return [(item.input, [index]) for index, item in enumerate(self.items)]

    def wholes(self) -> list[tuple[Item, list[int]]]:
        """What is evaluated, and the items that it consists of: itself, or the slices of a volume."""
        return [(item, [index]) for index, item in enumerate(self.items)]

    def shown(self, name: str) -> int:
        """The index of the item that shows what `wholes` calls by this id."""
        return next(index for index, item in enumerate(self.items) if item.id == name)


@dataclass(frozen=True)
class Dataset:
    """A labelled data set on disk.

    Args:
        root: its folder.
        layout: the layout it was read as.
        space: its label space, shared by all splits.
        splits: "train", "val" and "test" as far as they exist; only "all" when it has none and was not divided.
        notes: plain sentences on everything that was decided automatically.
        unpaired_images: images without mask, left out.
        unpaired_masks: masks without image, left out.
        faults: what is wrong with annotation files that had to be left out.
        recipe: the bundled recipe that suits it, where its layout names one.
    """

    root: Path
    layout: str
    space: LabelSpace
    splits: dict[str, Split]
    notes: tuple[str, ...] = ()
    unpaired_images: tuple[Path, ...] = ()
    unpaired_masks: tuple[Path, ...] = ()
    faults: tuple[str, ...] = ()
    recipe: str = ""

    def __len__(self) -> int:
        return sum(len(split) for split in self.splits.values())

    @property
    def first(self) -> Split:
        """One of its splits, to ask what all of them have in common."""
        return next(iter(self.splits.values()))

    def split(self, name: str) -> Split:
        """One split by name.

        Raises:
            UsageError: the data set has no such split; the message suggests the closest.
            DataError: the split is empty, or there is a single item, which cannot be in two splits.
        """
        if name not in self.splits and sum(map(len, self.splits.values())) == 1:
            raise DataError(
                f"{self.root} has no split {name!r}, and a single {self.first.thing} cannot be divided: it takes two"
            )
        if name not in self.splits:
            raise UsageError(f"{self.root} has no split {name!r}.{suggest(name, self.splits)}")
        if not len(self.splits[name]):
            raise DataError(f"the split {name!r} of {self.root} is empty")
        return self.splits[name]

    def check(self, *, progress: Progress | None = None) -> Report:
        """Read every input and target once, and report what would spoil a training.

        Errors are items that training would have to skip, warnings are what makes results worse or untrue. Memory does
        not grow with the data set's size.

        Args:
            progress: called with (items read, items in all) after each item.
        """
        return self.first.check(self, progress)

    def describe(self) -> dict[str, SplitFacts]:
        """Its splits in numbers; reads all targets, and the inputs' headers."""
        return {name: split.describe() for name, split in self.splits.items()}

    def to_json(self, facts: Mapping[str, SplitFacts]) -> dict[str, Any]:
        """Its own facts and those of its splits (see `describe`), as plain JSON."""
        first = self.first
        return {
            "root": str(self.root),
            "layout": self.layout,
            "label_space": self.space.to_json(),
            "notes": list(self.notes),
            "unpaired_images": len(self.unpaired_images),
            "unpaired_masks": len(self.unpaired_masks),
            "splits": {name: one.to_json(first.thing, first.unit) for name, one in facts.items()},
        }

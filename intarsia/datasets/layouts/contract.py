"""What a layout is: how a folder is recognised, and what reading it yields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from intarsia.annotations.tools import Tool, recognised
from intarsia.classlists import ClassList
from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.filenames import MASK_SUFFIXES, walk
from intarsia.datasets.layouts.pairing import Pairs
from intarsia.datasets.layouts.rasters import by_window, said_of_places
from intarsia.datasets.layouts.records import RECORD, results_of
from intarsia.datasets.pictures import MaskReader, PictureSplit, painted_mask, plain_mask
from intarsia.datasets.splits import Item, Split
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES
from intarsia.recipe import ReadOptions

_PLAIN = ReadOptions()


@dataclass(frozen=True)
class Content:
    """A data set's folder (or the file that lists it), and what the user said about it.

    Attributes:
        root: the folder; of a single file the folder that it lies in.
        options: how the data are read, as the user says.
        classes: as the user named them, or a class file in the folder does; None when nobody does.
        table: the manifest or table that was named instead of a folder.
    """

    root: Path
    options: ReadOptions = _PLAIN
    classes: ClassList | None = None
    table: Path | None = None

    @property
    def asked(self) -> bool:
        """Whether the user named the classes, rather than a file of the data set."""
        return self.options.classes is not None

    @cached_property
    def base(self) -> Path:
        """Where relative names start: the folder, or the one above for "camvid/val", whose masks lie beside it."""
        return self.root.parent if self._beside.is_dir() else self.root

    @cached_property
    def below(self) -> list[Path]:
        """All files below the folder, in name order, without what a job left there."""
        return [path for path in self._everything if path not in self.results]

    @cached_property
    def results(self) -> frozenset[Path]:
        """What `intarsia segment` wrote below the folder, as its records say: predictions are no labels."""
        return results_of(path for path in self._everything if path.name == RECORD)

    @cached_property
    def _everything(self) -> list[Path]:
        return list(walk(self.root))

    @cached_property
    def files(self) -> list[Path]:
        """All pictures, mask arrays and JSON files, in name order.

        Raises:
            DataError: there is no picture; says what was looked for.
        """
        files = [path for path in self.below if path.suffix.lower() in (*MASK_SUFFIXES, ".json")]
        pictures = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
        documents = [path for path in files if path.suffix.lower() == ".json"]
        if documents and not pictures:
            raise DataError(
                f"{self.root}: {len(documents)} .json files, but no images, and they are no annotations of a known "
                f"tool; put the images beside them, or export them again"
            )
        if not pictures:
            known = ", ".join(suffix.lstrip(".") for suffix in IMAGE_SUFFIXES)
            raise DataError(
                f"{self.root}: no images in this folder (looked for {known} files, also in its sub-folders)"
            )
        if self._beside.is_dir():
            files += [path for path in walk(self._beside) if path.suffix.lower() in IMAGE_SUFFIXES]
        return files

    @cached_property
    def tools(self) -> tuple[Tool, ...]:
        """The annotation tools whose exports lie in the folder; the first is read."""
        return tuple(recognised(self.root))

    @property
    def has_pictures(self) -> bool:
        """Whether there is a picture below the folder."""
        return any(path.suffix.lower() in IMAGE_SUFFIXES for path in self.below)

    @property
    def _beside(self) -> Path:
        return self.root.with_name(f"{self.root.name}annot")


class Reading(ABC):
    """What a layout's reader makes of a folder's content; a kind for each medium.

    Attributes:
        space: the classes.
        notes: what was decided.
        faults: what is wrong with files that had to be left out.
        complete: the splits are the publisher's own, so nothing is set aside where one of them is missing.
    """

    space: LabelSpace
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    complete: bool = False

    @property
    def said(self) -> tuple[str, ...]:
        """All that was decided."""
        return self.notes

    @property
    def unpaired(self) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """Inputs without target, and targets without input."""
        return (), ()

    @abstractmethod
    def items(self) -> list[tuple[str | None, Item]]:
        """Every labelled item, and the split that it belongs to."""

    @abstractmethod
    def split(self, name: str, items: tuple[Item, ...], content: Content) -> Split:
        """Some of the items as a split."""


@dataclass(frozen=True)
class PictureReading(Reading):
    """Images with their masks.

    Attributes:
        space: the classes.
        coding: from stored mask values to class indices.
        pairs: which mask belongs to which image.
        notes: what was decided.
        reader: how a mask file becomes stored values.
        instances: the file with instance numbers of an item, by its id.
        faults: what is wrong with files that had to be left out.
        finish: what is done to each split in the end, for media whose items are parts of files.
    """

    space: LabelSpace
    coding: MaskCoding
    pairs: Pairs
    notes: tuple[str, ...] = ()
    reader: MaskReader = plain_mask
    instances: Mapping[str, Path] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    finish: Callable[[PictureSplit], PictureSplit] = by_window

    @property
    def said(self) -> tuple[str, ...]:
        """All that was decided, on the classes and on the pairs."""
        return *self.notes, *self.pairs.notes, *said_of_places([pair[2:] for pair in self.pairs.matched])

    @property
    def unpaired(self) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """Images without mask, and masks without image."""
        return self.pairs.images, self.pairs.masks

    def items(self) -> list[tuple[str | None, Item]]:
        """Every pair."""
        return [
            (split, Item(name, image, mask, self.instances.get(name)))
            for split, name, image, mask in self.pairs.matched
        ]

    def split(self, name: str, items: tuple[Item, ...], content: Content) -> PictureSplit:
        """Some of the pairs as a split."""
        resize = content.options.resize_masks
        reader = painted_mask if self.reader is plain_mask and self.coding.painted else self.reader
        return self.finish(PictureSplit(name, self.space, items, content.root, self.coding, resize, reader))


@dataclass(frozen=True)
class Layout:
    """One way to lay out a data set.

    Attributes:
        about: a line on it.
        matches: whether a folder looks like it; None for a variant that is only read when it is named.
        read: its reader.
        dataset: the public data set whose official layout it is; "" for the generic ones.
        files: how the files of data of your own lie, in words; "" for official layouts.
        kind: what its splits are.
        pairs: its masks are found by folder and name, so that the option `masks` chooses among them.
        tools: it is read by an annotation tool's reader, and takes its options.
        listed: lists of names in the folder (train.txt, splits.json) divide its items.
        recipe: the bundled recipe that suits its data; "" for none in particular.
    """

    about: str
    matches: Callable[[Content], bool] | None
    read: Callable[[Content], Reading]
    dataset: str = ""
    files: str = ""
    kind: type[Split] = PictureSplit
    pairs: bool = False
    tools: bool = False
    listed: bool = False
    recipe: str = ""

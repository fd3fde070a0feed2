"""What a layout is: how a folder is recognised, and what reading it yields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from intarsia.datasets.classfile import ClassList
from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.pairing import Pairs, walk
from intarsia.datasets.layouts.rasters import by_window
from intarsia.datasets.splits import MaskReader, Split, plain_mask
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Content:
    """A data set's folder (or the file that lists it), and what the user said about it.

    Attributes:
        root: the folder; of a single file the folder that it lies in.
        classes: as the user named them, or a class file in the folder does; None when nobody does.
        ignore: stored values that mean "not labelled".
        asked: the user named the classes, rather than a file of the data set.
        table: the manifest or table that was named instead of a folder.
        tolerant: JPEG masks are taken by their nearest colour.
        reader: options of the reader of an annotation tool's export; "tool" names the tool.
    """

    root: Path
    classes: ClassList | None = None
    ignore: tuple[int, ...] = ()
    asked: bool = False
    table: Path | None = None
    tolerant: bool = False
    reader: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def base(self) -> Path:
        """Where relative names start: the folder, or the one above for "camvid/val", whose masks lie beside it."""
        return self.root.parent if self._beside.is_dir() else self.root

    @cached_property
    def files(self) -> list[Path]:
        """All pictures and JSON files, in name order.

        Raises:
            DataError: there is no picture; says what was looked for.
        """
        files = [path for path in walk(self.root) if path.suffix.lower() in (*IMAGE_SUFFIXES, ".json")]
        pictures = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
        if files and not pictures:
            raise DataError(
                f"{self.root}: {len(files)} .json files, but no images, and they are no annotations of a known tool; "
                f"put the images beside them, or export them again"
            )
        if not pictures:
            known = ", ".join(suffix.lstrip(".") for suffix in IMAGE_SUFFIXES)
            raise DataError(
                f"{self.root}: no images in this folder (looked for {known} files, also in its sub-folders)"
            )
        if self._beside.is_dir():
            files += [path for path in walk(self._beside) if path.suffix.lower() in IMAGE_SUFFIXES]
        return files

    @property
    def _beside(self) -> Path:
        return self.root.with_name(f"{self.root.name}annot")


@dataclass(frozen=True)
class Reading:
    """What a layout's reader makes of a folder's content.

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
    finish: Callable[[Split], Split] = by_window


@dataclass(frozen=True)
class Layout:
    """One way to lay out a data set.

    Attributes:
        about: a line on it.
        matches: whether a folder looks like it; None for a variant that is only read when it is named.
        read: its reader.
        dataset: the public data set whose official layout it is; "" for the generic ones.
    """

    about: str
    matches: Callable[[Content], bool] | None
    read: Callable[[Content], Reading]
    dataset: str = ""

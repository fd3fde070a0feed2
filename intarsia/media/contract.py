"""Medium, Item, Sources: what a kind of source answers, and what one name stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, Protocol

from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.header import DICOM_SUFFIXES

Name = str | os.PathLike[str]
Form = Literal["rows", "volume", "frames", "points", "pages", "photo", "whole"]

_SHARED = (*DICOM_SUFFIXES, ".hdr")  # also of slices, and of headers of other kinds


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
        writer: of labels by rows, from a target, the reader and the classes; None where results save themselves.
        size: from an opened one to its sides in elements.
        by_name: a suffix is enough to take a file among others for one of its family, be it damaged.
        alone: of a file whose suffix slices and headers have too: whether it is one by itself; None: `sniff` tells.
        folder_first: such a folder is one, whatever else the files in it could be.
        parted: whether parts of one can be read without what comes before them, so that several workers share it.
        light: done in moments, so that a worker may be given the next ones already.
        photographic: a look at one tells which of the bundled models suits it.
        reduced: what is said where a model sees it smaller than it is, with a field {side}; "" where that is usual.
        ready: from a predictor and a job's schedule to the predictor as it goes through one.
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
    writer: Callable[[Path, Any, LabelSpace], AbstractContextManager[RowWriter]] | None = None
    size: Callable[[Any], tuple[int, ...]] = lambda reader: (reader.width, reader.height)
    by_name: bool = False
    alone: Callable[[Path], bool] | None = None
    folder_first: bool = False
    parted: bool = False
    light: bool = False
    photographic: bool = False
    reduced: str = ""
    ready: Callable[[Any, Mapping[str, Any]], Any] = lambda predictor, schedule: predictor

    def claims(self, name: Name) -> bool:
        """Tell by the suffix alone whether a file can be one."""
        return os.fspath(name).rstrip("/").lower().endswith(self.suffixes)

    def is_surely(self, file: Name) -> bool:
        """Tell whether a file among others is one, or of a kind that belongs to its family."""
        if not self.claims(file):
            return False
        if os.fspath(file).lower().endswith(_SHARED):
            return (self.alone or self.sniff)(Path(file))
        return self.by_name or self.sniff(file)

    def goes_with(self, forms: Container[str]) -> bool:
        """Tell whether it is gone through in one of these forms."""
        return self.form in forms

    def can_take(self, item: Item) -> bool:
        """Tell whether what a source was taken for is this, or goes through as this all the same."""
        return self is item.medium or (self.form == item.medium.form and self.claims(item.source))


def families(media: Iterable[Medium]) -> list[list[Medium]]:
    """Group media by their family, in the order in which a folder is looked through: what is tried last comes first."""
    found: dict[str, list[Medium]] = {}
    for medium in reversed(list(media)):
        found.setdefault(medium.family, []).insert(0, medium)
    return list(found.values())


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
    items: Sequence[Item]
    deep: bool = True
    notes: tuple[str, ...] = ()

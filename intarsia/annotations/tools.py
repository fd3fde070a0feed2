"""The annotation tools that are read and written, found by name or by a file's content."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from intarsia.annotations import archive
from intarsia.annotations.document import AnnotationSet, Category, Document
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.finding import encoded, walk
from intarsia.annotations.incomplete import what_it_is
from intarsia.annotations.lost import Lost
from intarsia.annotations.naming import with_own_names
from intarsia.annotations.oddities import with_oddities_told
from intarsia.errors import DataError, UsageError, suggest


@dataclass(frozen=True)
class Tool:
    """One annotation tool (or format): how its files are told, read, written and drawn.

    Attributes:
        name: in the registry and on the command line.
        about: one line for people.
        sniff: whether a file, or a folder by its files, is this tool's; reads little and never raises.
        read: `read(path, *, images=None, ...)` opens a file or folder as an `AnnotationSet`.
        write: `write(documents, path, *, categories=())` writes documents and returns what it could not express;
            None for formats that are only read.
        suffix: of the file to write (".json"), or "" when a folder of files is written.
        drawing: how the tool itself turns its shapes into masks.
        pictures: its files come with pictures of masks, which are no labels by themselves.
        exact: it keeps masks pixel by pixel in a form that its readers expect, so that predictions need no outlines.
        photos: the folder beside its files where its photos lie; "" is that of the files.
    """

    name: str
    about: str
    sniff: Callable[[Path], bool]
    read: Callable[..., AnnotationSet] | None
    write: Callable[..., Lost] | None
    suffix: str
    drawing: DrawingRules = field(default_factory=DrawingRules)
    pictures: bool = False
    exact: bool = False
    photos: str = ""


MODULES = (
    "coco", "coco.panoptic", "labelme", "cvat", "rectlabel", "voc", "page", "labelstudio", "via", "labelbox", "masks",
    "yolo", "geojson",
)  # fmt: skip
"""Modules of this package that define a `TOOL`, in the order in which files are sniffed."""


SUFFIXES = (".json", ".xml", ".ndjson", ".csv", ".zip")
"""Of annotation files that can be opened by themselves."""

_ANNOTATIONS = (".json", ".xml", ".ndjson", ".jsonl", ".csv", ".txt")


def tools() -> dict[str, Tool]:
    """Every tool by name."""
    found = [importlib.import_module(f"intarsia.annotations.formats.{module}").TOOL for module in MODULES]
    return {tool.name: tool for tool in found}


def tool_named(name: str) -> Tool:
    """One tool.

    Raises:
        UsageError: no such tool; the message suggests the closest name.
    """
    known = tools()
    if name not in known:
        raise UsageError(f"no annotation tool is named {name!r}.{suggest(name, known)}")
    return known[name]


def recognise(path: str | os.PathLike[str]) -> Tool | None:
    """The tool whose files these are, by their content; of several the first; None when no tool recognises them.

    Raises:
        DataError: a zip archive that is damaged or not safe to unpack.
    """
    place = Path(path)
    unpacked = archive.unpack(place) if archive.is_zip(place) else None
    return next(recognised(unpacked.folder if unpacked else place), None)


def recognised(place: Path) -> Iterator[Tool]:
    """The tools that have files at a place, in their order."""
    if place.is_dir() and next(walk(place, _ANNOTATIONS), None) is None:
        return  # photos alone: every tool would look through all of them
    yield from (tool for tool in tools().values() if tool.read and tool.sniff(place))


def open_annotations(
    path: str | os.PathLike[str],
    *,
    tool: str = "auto",
    encoding: str = "",
    where_known: Mapping[str, Any] | None = None,
    **options: Any,
) -> AnnotationSet:
    """Open any tool's export: a file, a folder, or a zip archive of either.

    An archive is unpacked into a folder that lasts as long as the export, one of its documents, or a data set of it.

    Args:
        path: what the tool exported.
        tool: a name from `tools()`, or "auto" to find it by content.
        encoding: of text files that are not UTF-8, such as gb18030; "" reads them as Windows-1252, which is told.
        where_known: further options, for readers that have them; the others go without.
        options: keyword arguments of that tool's reader (for instance `images`: the folder with the images).

    Raises:
        DataError: missing, damaged, or no tool's export.
        UsageError: no such tool, or an option that its reader does not have.
    """
    place = Path(os.path.abspath(path))
    if not place.exists():
        names = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
        hint = suggest(place.name, names)
        raise DataError(f"{place}: no such file or folder.{hint if hint.startswith(' Did') else ''}")
    unpacked = archive.unpack(place) if archive.is_zip(place) else None
    try:
        with encoded(encoding):
            export = _open(path, unpacked.folder if unpacked else place, tool, options, where_known or {})
        export = with_oddities_told(with_own_names(_in_encoding(export, encoding) if encoding else export))
        return _keeping(export, unpacked) if unpacked else export
    finally:
        del unpacked  # an error's traceback must not keep the folder


def _open(
    path: str | os.PathLike[str], place: Path, tool: str, options: dict[str, Any], where_known: Mapping[str, Any]
) -> AnnotationSet:
    """Open a file or folder; `path` is its name for people."""
    fitting = list(recognised(place)) if tool == "auto" else [tool_named(tool)]
    if not fitting:
        if place.is_dir() and not Path(path).is_dir():
            raise DataError(f"{path}: no annotation file of any known tool is in it; of a data set, unpack it (unzip)")
        if known_as := what_it_is(place):
            raise DataError(f"{path}: {known_as}")
        readable = ", ".join(name for name, one in tools().items() if one.read)
        raise DataError(f"{path}: not an annotation file of any known tool ({readable}); export it again")
    chosen, *others = fitting
    if chosen.read is None:
        raise UsageError(f"{chosen.name} files are only written, not read")
    known = dict(list(inspect.signature(chosen.read).parameters.items())[1:])
    for option, value in options.items():
        if option not in known:
            raise UsageError(f"{chosen.name} files have no option {option!r}.{suggest(option, known)}")
        if isinstance(value, str) and str(known[option].annotation).startswith("Path"):
            options[option] = Path(value)
    options = {key: value for key, value in where_known.items() if key in known} | options
    found = chosen.read(place, **options)
    return _telling(found, [other.name for other in others]) if place.is_dir() else found


def _in_encoding(export: AnnotationSet, encoding: str) -> AnnotationSet:
    """The export, whose text is read in an encoding as its documents are."""

    def stream(lost: Lost) -> Iterator[Document]:
        with encoded(encoding):
            documents = export.stream(lost)
        while True:  # set anew for each: between two documents the reader of another export may be at work
            with encoded(encoding):
                document = next(documents, None)
            if document is None:
                return
            yield document

    return replace(export, stream=stream)


def _keeping(export: AnnotationSet, unpacked: archive.Unpacked) -> AnnotationSet:
    """The export, which keeps the folder of its archive, as every document of it does."""

    def stream(lost: Lost) -> Iterator[Document]:
        for document in export.stream(lost):
            yield replace(document, unpacked=unpacked)

    return replace(export, stream=stream, unpacked=unpacked)


def _telling(export: AnnotationSet, others: list[str]) -> AnnotationSet:
    """The export, which tells as lost the files that are another tool's and were not read."""

    def stream(lost: Lost) -> Iterator[Document]:
        for name in others:
            lost.dropped("files of another tool, which --from (or the reader's option tool) chooses", name)
        return export.stream(lost)

    return replace(export, stream=stream) if others else export


def write_annotations(
    documents: Iterable[Document],
    path: str | os.PathLike[str],
    *,
    tool: str,
    categories: Sequence[Category] = (),
) -> Lost:
    """Write documents as a tool's files.

    Args:
        documents: an opened export, or any documents; read one at a time where the format allows it.
        path: the file to write, or the folder for tools that keep one file an image.
        tool: a name from `tools()`.
        categories: the classes to declare; default those of the opened export, then the labels in order of appearance.

    Returns:
        What the reader skipped and what the tool cannot express.

    Raises:
        UsageError: no such tool, or one that is only read.
        DataError: nothing to write, or the place cannot be written.
    """
    chosen = tool_named(tool)
    if chosen.write is None:
        known = [name for name, other in tools().items() if other.write]
        raise UsageError(f"{tool} files are only read, not written; written are: {', '.join(known)}")
    opened = documents if isinstance(documents, AnnotationSet) else None
    declared = tuple(categories) or (opened.categories if opened else ())
    lost = chosen.write(documents, Path(path), categories=declared)
    if opened:
        lost.merge(opened.lost)
    return lost

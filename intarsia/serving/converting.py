"""Annotations that were sent, written as another tool's files: in a folder of their own, within limits."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from intarsia.annotations import AnnotatedImage, AnnotationSet, Lost, open_annotations, write_annotations
from intarsia.annotations.archive import is_zip
from intarsia.annotations.document import Document
from intarsia.annotations.finding import walk
from intarsia.annotations.tools import tool_named
from intarsia.annotations.writing import size_of
from intarsia.errors import DataError, IntarsiaError
from intarsia.media.header import IMAGE_SUFFIXES, opened
from intarsia.runtimes.timed import nothing
from intarsia.serving.answers import Made, media_type, pack
from intarsia.serving.problems import PREFIX, TOO_LARGE, UNPROCESSABLE, Problem, without_folders
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import Upload, check_room

_MOST_MEMBERS = 10_000  # of an archive that is answered at once
_MOST_UNPACKED = 4
"""Times the largest body: what an archive may unpack to."""
_MOST_FRAMES = 100_000
_SAY_PLACES = ("labelme",)
"""Tools whose files say where a photo lies: here that is beside them, and not in this server's folders."""


@dataclass(frozen=True)
class Converted:
    """What a conversion made.

    Attributes:
        made: the file, with what it lost in lines.
        source: name of the tool that the annotations were of.
        name: of the file.
        losses: as plain JSON.
    """

    made: Made
    source: str
    name: str
    losses: list[dict[str, Any]]


def convert(
    files: Sequence[Upload],
    photos: Sequence[Upload],
    to: str,
    tool: str,
    settings: Settings,
    check: Callable[[], None] = nothing,
) -> Converted:
    """Write annotations for another tool.

    Args:
        files: one file or zip archive of a tool, or the files of one that writes a file an image.
        photos: that they are of, where the tool's files lack what is needed, such as their sizes.
        to: name of the tool to write for.
        tool: whose files they are; "auto" finds it by their content.
        settings: with the limits.
        check: called before each document; what it raises ends the work.

    Raises:
        Problem: too large: unpacked, or in pixels; two files of one name.
        DataError: damaged, or no tool's files.
        UsageError: no such tool, or one that is not written.
    """
    tool_named(to)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        try:
            return _convert(Path(folder), files, photos, to, tool, settings, check)
        except IntarsiaError as error:
            failure = type(error)(without_folders(str(error)))
        # Outside of the handler, so that no traceback keeps the folder of an archive.
        raise failure


def _convert(
    folder: Path,
    files: Sequence[Upload],
    photos: Sequence[Upload],
    to: str,
    tool: str,
    settings: Settings,
    check: Callable[[], None],
) -> Converted:
    place, out = folder / "in", folder / "out"
    for path in (place, out):
        path.mkdir()
    for upload in (*files, *photos):
        try:
            with (place / upload.name).open("xb") as file:
                file.write(upload.content)
        except FileExistsError:
            raise Problem(UNPROCESSABLE, f"two files are named {upload.name}") from None
    source = place / files[0].name if len(files) == 1 else place
    _check_archive(source, settings)
    where = {"images": place} if photos else {}
    export = open_annotations(source, tool=tool, where_known=where)
    for kept in (place, *([export.unpacked.folder] if export.unpacked else [])):
        _check_pictures(kept, settings)
    target = out / f"{Path(files[0].name).stem}{tool_named(to).suffix}"
    lost = write_annotations(_checked(export, to, settings, check), target, tool=to)
    content, suffix = pack(out)
    made = Made(content, media_type(suffix), suffix, tuple(without_folders(line) for line in lost.lines()))
    losses = [one | {"examples": [without_folders(said) for said in one["examples"]]} for one in lost.to_json()]
    return Converted(made, export.tool, f"{target.stem}{suffix}", losses)


def _check_archive(path: Path, settings: Settings) -> None:
    """Judge a zip archive by its directory; one that has none is left to the reader."""
    most = _MOST_UNPACKED * settings.max_bytes
    total = members = 0
    if is_zip(path):
        damage = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError)
        with suppress(*damage), zipfile.ZipFile(path) as archive:
            members = len(archive.infolist())
            total = sum(member.file_size for member in archive.infolist())
    if members > _MOST_MEMBERS:
        raise Problem(TOO_LARGE, f"{path.name} holds {members:,} files, the limit is {_MOST_MEMBERS:,}; send less")
    if total > most:
        raise Problem(TOO_LARGE, f"{path.name} would unpack to {total:,} bytes, the limit is {most:,}; send less")


def _check_pictures(folder: Path, settings: Settings) -> None:
    """Judge every picture of a folder by its header; what is none is left to the reader."""
    for path in walk(folder, IMAGE_SUFFIXES):
        width = height = 0
        with suppress(DataError), opened(path, path.name) as image:
            width, height = image.size
        check_room(width * height, settings, 1, path.name)


def _checked(export: AnnotationSet, to: str, settings: Settings, check: Callable[[], None]) -> AnnotationSet:
    """The export, whose documents are within limits."""

    def stream(lost: Lost) -> Iterator[Document]:
        for document in export.stream(lost):
            check()
            check_room((document.width or 0) * (document.height or 0), settings, 1, document.name)
            if document.frames > _MOST_FRAMES:
                raise Problem(
                    TOO_LARGE, f"{document.name} has {document.frames:,} frames, the limit is {_MOST_FRAMES:,}"
                )
            yield document.map_stills(_without_place) if to in _SAY_PLACES else document

    return replace(export, stream=stream)


def _without_place(image: AnnotatedImage) -> AnnotatedImage:
    width, height = size_of(image)
    return replace(image, image=None, width=width, height=height)

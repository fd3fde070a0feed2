"""Standard input as a source, and standard output as the file that is written: both are called "-"."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from intarsia.cli.streams import PIPE
from intarsia.errors import DataError, UsageError

if TYPE_CHECKING:
    from intarsia.media.contract import Medium
    from intarsia.result import Render

# Beginnings of files that are known by their suffix; all others are told by their first bytes anyway.
_SUFFIXES = (
    (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"II+\0", ".tif"), (b"MM\0+", ".tif"), (b"\x1f\x8b", ".nii.gz"),
    (b"LASF", ".las"), (b"ply", ".ply"), (b"# .PCD", ".pcd"), (b"ASTM-E57", ".e57"), (b"\x93NUMPY", ".npy"),
    (b"NRRD", ".nrrd"), (b"ObjectType", ".mha"), (b"GIF8", ".gif"), (b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"),
)  # fmt: skip
_NIFTI = (b"n+1\0", b"n+2\0")
_RIFF = {b"AVI ": ".avi", b"WEBP": ".webp"}
_NUMBER = rb"[-+]?\d[\d.eE+-]*"
_POINTS = re.compile(
    rb"(?:\s*(?://|#)[^\n]*\n)*\s*(?:\"?x\"?[ \t,;]+\"?y\b|" + rb"[ \t,;]+".join([_NUMBER] * 3) + rb")", re.IGNORECASE
)
"""How a table of points begins: with the names of its columns, or three numbers."""


@contextmanager
def piped(
    sources: Sequence[str],
    out: Path | None,
    outputs: Sequence[str | Render],
    *,
    given: Collection[str] = (),
    media: Sequence[Medium] | None = None,
    as_json: bool = False,
) -> Iterator[tuple[list[str], Path | None]]:
    """Put files in the places of "-" among a command's sources and as its output.

    While something is written to standard output, what commands tell goes to standard error.

    Args:
        sources: as the user named them.
        out: where results go.
        outputs: kinds of output that the user asked for.
        given: names of the options that the user gave; see `media.medium.medium_of`.
        media: that the command knows; None: all of them.
        as_json: whether the command's result goes to standard output.

    Yields:
        The sources and the output with files in the places of "-".

    Raises:
        UsageError: standard output is a terminal or closed, or several results would go there.
        DataError: standard input is empty.
    """
    if PIPE not in sources and out != Path(PIPE):
        yield list(sources), out
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="intarsia-")))
        if out == Path(PIPE):
            _check_output(as_json=as_json)
        if PIPE in sources:
            piped_in = str(_spooled(sys.stdin.buffer, folder))
            sources = [piped_in if source == PIPE else source for source in sources]
        if out != Path(PIPE):
            yield list(sources), out
            return
        target = folder / _name(sources, outputs, given, media)
        output = sys.stdout.buffer
        with redirect_stdout(sys.stderr):
            yield list(sources), target
        if target.exists():  # which it does not after --dry-run
            with target.open("rb") as file:
                shutil.copyfileobj(file, output)
            output.flush()


def _check_output(*, as_json: bool) -> None:
    if as_json:
        raise UsageError("--json and -o - would both write to standard output; name a file")
    if sys.__stdout__ is None:
        raise UsageError("-o - writes a file to standard output, which is closed: redirect it (> labels.png)")
    if sys.stdout.isatty():
        raise UsageError("-o - writes a file to standard output, which is a terminal: redirect it (> labels.png)")


def _spooled(stream: BinaryIO, folder: Path) -> Path:
    """Standard input as a file whose suffix says what it is, as far as that is needed."""
    head = stream.read(512)
    if not head:
        raise DataError("standard input is empty: pipe a file in (intarsia segment - < photo.jpg)")
    path = folder / f"stdin{_suffix(head)}"
    with path.open("wb") as file:
        file.write(head)
        shutil.copyfileobj(stream, file)
    return path


def _suffix(head: bytes) -> str:
    """How the name of a file ends that begins so; "" where its content says it anyway."""
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "")
    if head[344:348] in _NIFTI or head[4:8] in _NIFTI:
        return ".nii"
    known = next((suffix for beginning, suffix in _SUFFIXES if head.startswith(beginning)), "")
    return known or (".xyz" if _POINTS.match(head) else "")


def _name(
    sources: Sequence[str], outputs: Sequence[str | Render], given: Collection[str], media: Sequence[Medium] | None
) -> str:
    """What the file would be called that goes to standard output."""
    from intarsia.jobs.outputs import FOLDERS, choose_of_file, name_outputs
    from intarsia.media.medium import MEDIA, expand

    items = [item for source in sources for item in expand(source, given, media=media or MEDIA).items]
    if len(items) != 1:
        raise UsageError(f"standard output takes the result of one source, and there are {len(items)}")
    medium = items[0].medium
    names, _ = name_outputs(choose_of_file(outputs, medium), "out", Path(items[0].source), medium)
    if len(names) != 1:
        raise UsageError(f"standard output takes one file, and there would be {len(names)} ({', '.join(names)})")
    name = next(iter(names.values()))
    if name.endswith(FOLDERS):
        raise UsageError(f"standard output takes one file, and {', '.join(names)} are a folder")
    return name if name.endswith(medium.targets) else f"out{medium.targets[0]}"

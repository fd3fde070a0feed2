"""Standard input as a source, and standard output as the file that is written: both are called "-"."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from intarsia.errors import DataError, UsageError

PIPE = "-"

# Beginnings of files that are known by their suffix; all others are told by their first bytes anyway.
_SUFFIXES = (
    (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"II+\0", ".tif"), (b"MM\0+", ".tif"), (b"\x1f\x8b", ".nii.gz"),
    (b"LASF", ".las"), (b"ply", ".ply"), (b"NRRD", ".nrrd"), (b"ObjectType", ".mha"), (b"GIF8", ".gif"),
    (b"\x89PNG", ".png"), (b"RIFF", ".webp"),
)  # fmt: skip
_NIFTI = (b"n+1\0", b"n+2\0")


@contextmanager
def piped(
    sources: Sequence[str], out: Path | None, write: Sequence[str], *, as_json: bool = False
) -> Iterator[tuple[list[str], Path | None]]:
    """Put files in the places of "-" among a command's sources and as its output.

    While something is written to standard output, what commands tell goes to standard error.

    Args:
        sources: as the user named them.
        out: where results go.
        write: kinds of output that the user asked for.
        as_json: whether the command's result goes to standard output.

    Yields:
        The sources and the output with files in the places of "-".

    Raises:
        UsageError: standard output is a terminal, or several results would go there.
        DataError: standard input is empty.
    """
    if PIPE not in sources and out != Path(PIPE):
        yield list(sources), out
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="intarsia-")))
        if PIPE in sources:
            given = str(_spooled(sys.stdin.buffer, folder))
            sources = [given if source == PIPE else source for source in sources]
        if out != Path(PIPE):
            yield list(sources), out
            return
        target = folder / f"out{_suffix(sources, write, as_json=as_json)}"
        output = sys.stdout.buffer
        with redirect_stdout(sys.stderr):
            yield list(sources), target
        with target.open("rb") as file:
            shutil.copyfileobj(file, output)
        output.flush()


def _spooled(stream: BinaryIO, folder: Path) -> Path:
    """Standard input as a file whose suffix says what it is, as far as that is needed."""
    head = stream.read(512)
    if not head:
        raise DataError("standard input is empty: pipe a file in (intarsia segment - < photo.jpg)")
    suffix = next((suffix for beginning, suffix in _SUFFIXES if head.startswith(beginning)), "")
    if not suffix and (head[344:348] in _NIFTI or head[4:8] in _NIFTI):
        suffix = ".nii"
    path = folder / f"stdin{suffix}"
    with path.open("wb") as file:
        file.write(head)
        shutil.copyfileobj(stream, file)
    return path


def _suffix(sources: Sequence[str], write: Sequence[str], *, as_json: bool) -> str:
    """How the name of the file ends that goes to standard output."""
    from intarsia.media.medium import expand

    if as_json:
        raise UsageError("--json and -o - would both write to standard output; name a file")
    if sys.stdout.isatty():
        raise UsageError("-o - writes a file to standard output, which is a terminal: redirect it (> labels.png)")
    items = [item for source in sources for item in expand(source).items]
    if len(items) != 1:
        raise UsageError(f"standard output takes the result of one source, and there are {len(items)}")
    medium = items[0].medium
    wanted = list(dict.fromkeys([*(medium.outputs[:1] if medium.outputs[0] == "labels" or not write else ()), *write]))
    if len(wanted) != 1:
        raise UsageError(f"standard output takes one file, and there would be {len(wanted)} ({', '.join(wanted)})")
    if wanted == ["labels"]:
        return medium.labels(Path(items[0].source))
    return ".webm" if wanted == ["alpha"] else ".mp4"

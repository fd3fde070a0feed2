"""Parts of one large source: rows that several workers compute, and that whoever writes its outputs puts together.

A part is a file below the output folder. Outputs are written by one worker as those of any other source: it takes the
rows that are there, and computes those that are not. So parts save time and decide nothing; a job may lose any of them.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from intarsia.files import atomic_path
from intarsia.inference import Rows
from intarsia.jobs.manifest import digest, fingerprint
from intarsia.jobs.resuming import JobPredictor, prepared, settled
from intarsia.jobs.task import JobOptions, Span, Task

PARTS = ".parts"
"""The folder of parts, below the output folder."""

_LABELS, _CONFIDENCE = "labels", "confidence"


@dataclass(frozen=True)
class Parts:
    """The parts of one output folder.

    Attributes:
        folder: the output folder.
        options: of the job.
    """

    folder: Path
    options: JobOptions

    def of(self, predictor: JobPredictor, task: Task) -> list[Task]:
        """Cut a task into parts, each a task of its own; none of what is not cut, or cannot be opened."""
        if not task.medium.seeks:
            return []
        try:
            found = fingerprint(task.source)
            stretches = self._stretches(predictor, task, self._opened(predictor, task))
        except Exception:  # the reason is told when it is opened as a whole
            return []
        names = [self._name(predictor, task, found, stretch) for stretch in stretches]
        return [
            replace(task, id=f"{task.id}/{name}", outputs={"rows": name}, renders={}, part=stretch)
            for name, stretch in zip(names, stretches, strict=True)
        ]

    def rows(self, predictor: Any, task: Task, reader: Any, found: list[int] | None) -> Iterator[Rows]:
        """Go through the rows of an opened picture: those of one part, or all, some of which may be there.

        Args:
            predictor: the model.
            task: what is done.
            reader: its opened source.
            found: size and time of the source when it was opened.
        """
        if task.part is not None:
            yield from predictor.rows(reader, stretch=task.part)
            return
        there = self._there(predictor, task, reader, found) if (self.folder / PARTS).is_dir() else {}
        if not any(there.values()):
            yield from predictor.rows(reader)
            return
        for stretch, path in there.items():
            yield from predictor.rows(reader, stretch=stretch) if path is None else read_part(path, reader)

    def forget(self, tasks: Iterable[Task]) -> None:
        """Remove the parts of tasks that have been done."""
        folder = self.folder / PARTS
        if not folder.is_dir():
            return
        over = {digest(task.id) for task in tasks}
        for file in folder.iterdir():
            if file.name.lstrip(".").partition("-")[0] in over:
                file.unlink(missing_ok=True)
        with suppress(OSError):  # there are others
            folder.rmdir()

    def _there(self, predictor: Any, task: Task, reader: Any, found: list[int] | None) -> dict[Span, Path | None]:
        """The file of each part; None where it is still to be computed."""
        paths = {
            stretch: self.folder / self._name(predictor, task, found, stretch)
            for stretch in self._stretches(predictor, task, reader)
        }
        return {stretch: path if _is_whole(path) else None for stretch, path in paths.items()}

    def _opened(self, predictor: JobPredictor, task: Task) -> Any:
        return task.medium.open(task.source, predictor.preprocessing, self.options.given())

    def _stretches(self, predictor: Any, task: Task, reader: Any) -> list[Span]:
        cut = getattr(predictor, "stretches", None)
        return [] if cut is None or not task.medium.seeks else cut(reader)

    def _name(self, predictor: Any, task: Task, found: list[int] | None, stretch: Span) -> str:
        """Of a part's file: other rows have another name."""
        identity = settled(prepared(predictor, task.medium, self.options), self.options).checksum()
        what = json.dumps([identity, predictor.confidence, found, stretch])
        return f"{PARTS}/{digest(task.id)}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.zip"


def write_part(path: Path, parts: Iterable[Rows]) -> None:
    """Write rows as they come, whole or not at all: an archive of NumPy's arrays, named by their first and last row.

    Raises:
        DataError: the disk is full, or the rows cannot be computed.
    """
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for rows in parts:
            name = f"{rows.top}-{rows.top + len(rows.labels)}"
            _put(archive, f"{name}/{_LABELS}", rows.labels)
            if rows.confidence is not None:
                _put(archive, f"{name}/{_CONFIDENCE}", rows.confidence)


def read_part(path: Path, reader: Any) -> Iterator[Rows]:
    """Read the rows of a part, beside those of the picture."""
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[0] for name in archive.namelist() if name.endswith(_LABELS)]
        edges = [(int(top), int(bottom)) for top, _, bottom in (name.partition("-") for name in names)]
        confident = len(archive.namelist()) > len(names)
        for name, (top, _), samples in zip(names, edges, reader.bands(edges), strict=True):
            confidence = _take(archive, f"{name}/{_CONFIDENCE}") if confident else None
            yield Rows(top, _take(archive, f"{name}/{_LABELS}"), confidence, reader.picture(samples))


def _is_whole(path: Path) -> bool:
    """Whether a part is there, and sound."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False


def _put(archive: zipfile.ZipFile, name: str, values: NDArray[Any]) -> None:
    with archive.open(name, "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, values, allow_pickle=False)


def _take(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(name) as stream:
        return _array(stream)


def _array(stream: IO[bytes]) -> Any:
    return np.lib.format.read_array(stream, allow_pickle=False)

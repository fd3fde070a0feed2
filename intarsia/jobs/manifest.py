"""The manifest of a job: a line as soon as a source is finished, from which any number of workers continue."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO

from intarsia.errors import DataError
from intarsia.files import leftovers, lock, reason, remove, sync, within
from intarsia.jobs.lines import Lines
from intarsia.jobs.log import Log, SharedLog, gather
from intarsia.jobs.outputs import FOLDERS
from intarsia.jobs.stores.address import Address, is_address
from intarsia.jobs.stores.sources import seen
from intarsia.jobs.task import Record, Task

CLAIMS = ".claims"
PARTS = ".parts"
"""The folder of the parts of large sources, below the output folder; a part's id is that of its whole, and its file."""
# Without space or permission no later file fares better, so the job stops; it can be resumed.
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Manifest:
    """The lines of one output folder, and who works on what.

    A worker claims a task before it writes anything, and adds the task's line before it lets the claim go. A claim is a
    lock on a file, which the system lets go when a worker dies; what the dead one left half done is then removed by
    whoever claims the task next. So several workers can share a folder, and nothing is written twice.

    Args:
        folder: the output folder; made with the first claim.
        log: where lines are added; None: to ``manifest.jsonl``.
    """

    def __init__(self, folder: Path, log: Log | None = None) -> None:
        self.folder = folder
        self._lines, self._claims = Lines(folder), folder / CLAIMS
        self._log = log or SharedLog(folder)
        self._made = False

    def find(self, task: Task) -> Record | None:
        """Find the last line of a task, in the form of today; lines that other workers added meanwhile count."""
        return self._lines.find(task.id, next(iter(task.outputs.values())))

    def records(self) -> Iterator[Record]:
        """Go through the last line of each task."""
        yield from self._lines.records()

    def is_done(self, task: Task, record: Record) -> bool:
        """Tell whether a line says that all that is wanted of a task was made of the source as it is, and is there."""
        return (
            record["status"] == "done"
            and record["input"] == fingerprint(task.source)
            and all(record["outputs"].get(kind) == name for kind, name in task.outputs.items())
            and self.is_there(task)
        )

    def is_there(self, task: Task) -> bool:
        """Tell whether all outputs of a task exist, whoever wrote them."""
        return len(self.existing(task)) == len(task.outputs)

    def existing(self, task: Task) -> Sequence[Path | Address]:
        """List the outputs of a task that exist, whoever wrote them."""
        paths = [self.folder / name for name in task.outputs.values()]
        return [path for path in paths if os.path.exists(path)]  # where Path raises of a name too long

    def gather(self) -> None:
        """Move the lines of workers that have ended into ``manifest.jsonl``.

        Raises:
            DataError: the disk is full, or may not be written.
        """
        gather(self.folder, self._lines)

    @contextmanager
    def claim(self, task: Task, *, again: bool = False) -> Iterator[bool]:
        """Work on a task alone: yields whether it was free.

        Args:
            task: that shall be done.
            again: what was made of it before is replaced.

        Raises:
            DataError: the folder cannot be written into.
        """
        with ExitStack() as stack:
            try:
                self._made = self._made or not self.folder.exists()
                held = stack.enter_context(_held(self._claims / f"{digest(task.id)}.json"))
                if held is None:
                    yield False
                    return
                self._clear(held)
                note = _Note(task.id, tuple(task.outputs.values()), self._before(task) if again else "")
                held.seek(0)
                held.truncate()
                held.write(json.dumps(asdict(note) | {"pid": os.getpid()}))
                held.flush()
            except OSError as error:
                raise DataError(f"cannot write into {self.folder}: {reason(error)}") from error
            yield True

    def is_begun(self, task: Task) -> bool:
        """Tell whether somebody is at a task, or died at it: what is there of it is a job's, and no stranger's."""
        return self._lines.is_torn(task.id) or (self._claims / f"{digest(task.id)}.json").exists()

    def add(self, record: Record) -> None:
        """Add the line of what was claimed, once the names of its outputs are on the disk.

        Raises:
            DataError: the disk is full.
        """
        try:
            for folder in {(self.folder / name).parent for name in record["outputs"].values()}:
                sync(folder)
        except OSError as error:
            raise DataError(f"cannot write into {self.folder}: {reason(error)}, and run the job again") from error
        self._log.add(record)

    def tidy(self) -> None:
        """Remove what dead workers have left, and the output folder if it was made for nothing."""
        for claim in self._claims.glob("*.json"):
            self._sweep(claim)
        with suppress(OSError):
            self._claims.rmdir()
            if self._made:
                self.folder.rmdir()

    def _sweep(self, claim: Path) -> None:
        """Remove the claim of a worker that died between adding its line and letting the claim go.

        Nothing else is touched: while a claim of what is not done is looked at, it would be taken for a busy one.
        """
        with suppress(OSError):
            note = _Note.read(claim.read_text("utf-8"))
            if note is not None and (self._is_added(note) or self._is_over(note)):
                with _held(claim) as held:
                    if held is not None:
                        self._clear(held)

    def _clear(self, held: IO[str]) -> None:
        """Remove what a worker that died has left of the task that its claim names."""
        held.seek(0)
        note = _Note.read(held.read())
        if note is None:
            return
        added, root = self._is_added(note), self.folder.resolve()
        for path in (self.folder / name for name in note.outputs):
            if not path.resolve().is_relative_to(root):  # no job has written this
                continue
            for file in leftovers(path):
                file.unlink()
            if not added and (path.is_file() or path.name.endswith(FOLDERS)):
                remove(path)

    def _is_added(self, note: _Note) -> bool:
        """Tell whether the line of a claim was added."""
        record = self._lines.find(note.id)
        return record is not None and record["status"] == "done" and _told(record) != note.before

    def _is_over(self, note: _Note) -> bool:
        """Tell whether a claim is that of a part, and its whole has a line: nobody will claim it again."""
        whole, is_part, _ = note.id.rpartition(f"/{PARTS}/")
        record = self._lines.find(whole) if is_part else None
        return record is not None and record["status"] != "stopped"

    def _before(self, task: Task) -> str:
        record = self.find(task)
        return "" if record is None else _told(record)


@dataclass(frozen=True)
class _Note:
    """What a claim says, for whoever comes when its worker has died.

    Attributes:
        id: of the task.
        outputs: their names below the folder.
        before: which line the task had when it was claimed to be done again; "" where nothing was to be replaced.
    """

    id: str
    outputs: tuple[str, ...]
    before: str = ""

    @classmethod
    def read(cls, text: str) -> _Note | None:
        """Read a claim; None of one that says nothing yet."""
        try:
            said = json.loads(text)
            outputs = said.get("outputs", [])
            return cls(str(said.get("id", "")), tuple(str(name) for name in outputs), str(said.get("before", "")))
        except (ValueError, AttributeError, TypeError):
            return None


@contextmanager
def _held(path: Path) -> Iterator[IO[str] | None]:
    """A claim's file, locked and removed at the end; None where somebody else holds it."""
    while True:
        stream = within(path.parent, partial(path.open, "a+", encoding="utf-8"))
        try:
            if not lock(stream):
                yield None
                return
            if not _is_same(stream, path):  # its holder removed it between our opening and our locking
                continue
            try:
                yield stream
            finally:
                with suppress(OSError):
                    path.unlink()
            return
        finally:
            with suppress(OSError):  # on a full disk; whoever wrote into it was told why
                stream.close()


def _is_same(stream: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _told(record: Record) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:24]


def digest(name: str) -> str:
    """Name a task where its id would be no file's name."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:24]


def fingerprint(source: Path | str) -> list[int] | None:
    """Take size in bytes and time of change: whether a file is still the one that was segmented.

    Of what lies in a store, a number of its contents as well.
    """
    if is_address(source):
        return seen(source if isinstance(source, Address) else Address(source))
    try:
        status = os.stat(source)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def is_hopeless(error: BaseException) -> bool:
    """Tell whether an error says that no later file can be written either."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _HOPELESS

"""The manifest of a job: a line as soon as a source is finished, from which any number of workers continue."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from intarsia.errors import DataError
from intarsia.files import encoded, lock, reason, sync
from intarsia.jobs.task import Record, Task

MANIFEST = "manifest.jsonl"
CLAIMS = ".claims"
# A line begins with its id.
_BEGINNING = re.compile(rb'\{"id": ("(?:[^"\\]|\\.)*")')
# Without space or permission no later file fares better, so the job stops; it can be resumed.
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Manifest:
    """The lines of one output folder, and who works on what.

    A worker claims a task before it writes anything, and adds the task's line before it lets the claim go. A claim is a
    lock on a file, which the system lets go when a worker dies; what the dead one left half done is then removed by
    whoever claims the task next. So several workers can share a folder, and nothing is written twice.

    Args:
        folder: the output folder; made with the first claim.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines, self._claims = folder / MANIFEST, folder / CLAIMS
        self._read = 0
        self._last: dict[str, Record] = {}
        self._torn: set[str] = set()
        self._made = False

    def find(self, task: Task) -> Record | None:
        """Find the last line of a task, in the form of today; lines that other workers added meanwhile count."""
        self._catch_up()
        by_name = next(iter(task.outputs.values()))
        return self._last.get(task.id) or self._last.get(by_name)

    def records(self) -> Iterator[Record]:
        """Go through the last line of each task."""
        self._catch_up()
        yield from self._last.values()

    def is_done(self, task: Task, record: Record) -> bool:
        """Tell whether a line says that all that is wanted of a task was made of the source as it is, and is there."""
        return (
            record["status"] == "done"
            and record["input"] == fingerprint(task.source)
            and all(record["outputs"].get(kind) == name for kind, name in task.outputs.items())
            and all((self.folder / name).exists() for name in task.outputs.values())
        )

    @contextmanager
    def claim(self, task: Task) -> Iterator[bool]:
        """Work on a task alone: yields whether it was free.

        Raises:
            DataError: the folder cannot be written into.
        """
        with ExitStack() as stack:
            try:
                self._made = self._made or not self.folder.exists()
                self._claims.mkdir(parents=True, exist_ok=True)
                held = stack.enter_context(_held(self._claims / f"{_digest(task.id)}.json"))
                if held is None:
                    yield False
                    return
                self._clear(task, held)
                held.seek(0)
                held.truncate()
                held.write(json.dumps({"id": task.id, "outputs": list(task.outputs.values()), "pid": os.getpid()}))
                held.flush()
            except OSError as error:
                raise DataError(f"cannot write into {self.folder}: {reason(error)}") from error
            yield True

    def is_begun(self, task: Task) -> bool:
        """Tell whether somebody is at a task, or died at it: what is there of it is a job's, and no stranger's."""
        return task.id in self._torn or (self._claims / f"{_digest(task.id)}.json").exists()

    def add(self, record: Record) -> None:
        """Add the line of what was claimed.

        Raises:
            DataError: the disk is full.
        """
        line = encoded(json.dumps(record, ensure_ascii=False) + "\n")
        try:
            with self._lines.open("ab+", buffering=0) as stream:
                lock(stream, wait=True)
                end = stream.seek(0, os.SEEK_END)
                if end > 0:
                    stream.seek(-1, os.SEEK_END)
                    if stream.read(1) != b"\n":  # torn by a crash
                        line = b"\n" + line
                _append(stream, line, end)
            sync(self._lines)
        except OSError as error:
            raise DataError(f"cannot write {self._lines}: {reason(error)}, and run the job again") from error

    def tidy(self) -> None:
        """Remove the folder of claims if nobody works here, and the output folder if it was made for nothing."""
        with suppress(OSError):
            self._claims.rmdir()
            if self._made:
                self.folder.rmdir()

    def _catch_up(self) -> None:
        """Read the lines that were added since the last time; of one that a crash has torn, only whose it is."""
        try:
            with self._lines.open("rb") as stream:
                stream.seek(self._read)
                text = stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return
        end = text.rfind(b"\n") + 1
        self._read += end
        for line in text.split(b"\n"):
            try:
                record = json.loads(line)
            except ValueError:
                begun = _BEGINNING.match(line)
                if begun is not None:
                    with suppress(ValueError):  # the id itself is damaged
                        self._torn.add(json.loads(begun[1]))
                continue
            if _is_record(record):
                found = _as_today(record)
                self._last[str(found["id"])] = found
                self._torn.discard(str(found["id"]))

    def _clear(self, task: Task, held: IO[str]) -> None:
        """Remove what a worker that died has left of a task."""
        held.seek(0)
        try:
            note = json.loads(held.read() or "{}")
            names = [str(name) for name in note.get("outputs", ())]
        except (ValueError, AttributeError):
            return
        record = self.find(task)
        done = record is not None and record["status"] == "done"
        for name in names:
            path = self.folder / name
            if not path.resolve().is_relative_to(self.folder.resolve()):
                continue
            pattern = f".{glob.escape(path.stem)}.*.tmp{glob.escape(path.suffix)}"
            left = [*path.parent.glob(pattern), *([] if done else [path])]
            for file in left:
                if file.is_file():
                    file.unlink()


@contextmanager
def _held(path: Path) -> Iterator[IO[str] | None]:
    """A claim's file, locked and removed at the end; None where somebody else holds it."""
    while True:
        with path.open("a+", encoding="utf-8") as stream:
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


def _is_same(stream: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _append(stream: IO[bytes], line: bytes, end: int) -> None:
    """Write all of a line at the end, or nothing."""
    try:
        left = memoryview(line)
        while left:
            left = left[stream.write(left) :]
    except OSError:
        with suppress(OSError):
            stream.truncate(end)
        raise


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:24]


# Of what must be right for a line to be of use; a damaged one is as if it were not there, and its source is done again.
_TYPES = {"id": str, "source": str, "status": str, "outputs": dict, "runtime": dict, "settings": dict}


def _is_record(line: Any) -> bool:
    return (
        isinstance(line, dict)
        and "status" in line
        and all(isinstance(line[key], kind) for key, kind in _TYPES.items() if line.get(key) is not None)
    )


# What earlier versions called the outputs in their lines.
_EARLIER = {"mask": "labels", "labels": "labels", "overlay": "overlay", "top": "top", "side": "side", "viewer": "page"}


def _as_today(record: Record) -> Record:
    """A line in today's form; lines of earlier versions name their outputs one by one and have no id."""
    if "outputs" in record and "id" in record:
        return {"input": None, "error": None, "source": record["id"], **record}
    outputs = {today: record[key] for key, today in _EARLIER.items() if record.get(key)}
    name = outputs.get("labels", record.get("source"))
    return {"input": None, **record, "id": name, "outputs": outputs, "earlier": True}


def earlier_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """Take the options of a line of an earlier version."""
    return {key: record[key] for key in ("columns", "category") if record.get(key)}


def fingerprint(source: Path | str) -> list[int] | None:
    """Take size in bytes and time of change: whether a file is still the one that was segmented."""
    try:
        status = os.stat(source)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def is_hopeless(error: BaseException) -> bool:
    """Tell whether an error says that no later file can be written either."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _HOPELESS

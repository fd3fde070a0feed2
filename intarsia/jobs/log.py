"""Adding lines: to the one file of a folder, which all share, or to a shard that is one worker's own."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from intarsia.errors import DataError
from intarsia.files import lock, reason, sync, within
from intarsia.jobs.lines import MANIFEST, SHARDS, Lines, is_outdated, parsed, shards, written
from intarsia.jobs.task import Record

_GATHERED = 1 << 20  # bytes that are appended at once


class Log(Protocol):
    """Takes lines; each is on the disk, whole, when `add` returns."""

    def add(self, record: Record) -> None: ...


class SharedLog:
    """The file ``manifest.jsonl``, locked for each line.

    Args:
        folder: the output folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / MANIFEST

    def add(self, record: Record) -> None:
        """Append a line.

        Raises:
            DataError: the disk is full, or may not be written.
        """
        with _told(self._file), _open(self._file) as stream:
            _append(stream, written(record), stream.seek(0, os.SEEK_END))
            os.fsync(stream.fileno())


class Shard:
    """A file of lines that one worker adds to and holds locked while it lives, so that no line waits for another's.

    Args:
        folder: the output folder.
        worker: who adds; shown in the file's name, which is new each time.

    Attributes:
        name: of the file.

    Raises:
        DataError: the folder cannot be written.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        with _told(folder / SHARDS):
            self._file, self._stream = _own(folder / SHARDS, f"{socket.gethostname()}-{worker}-{os.getpid()}")
            sync(folder / SHARDS)
        self.name = self._file.name

    def add(self, record: Record) -> None:
        """Append a line.

        Raises:
            DataError: the disk is full, or may not be written.
        """
        with _told(self._file):
            _append(self._stream, written(record), self._stream.tell())
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Let go of it, so that it can be gathered."""
        self._stream.close()


def _own(folder: Path, owner: str) -> tuple[Path, IO[bytes]]:
    """Make a new file and lock it, before anybody takes it for one that was left and gathers it."""
    while True:
        file = folder / f"{owner}-{secrets.token_hex(4)}.jsonl"
        stream = within(folder, partial(_new, file))
        if lock(stream) and file.exists():
            return file, stream
        stream.close()


def _new(file: Path) -> IO[bytes]:
    return file.open("xb", buffering=0)


def is_held(folder: Path, job: str) -> bool:
    """Tell whether a worker of a job, by what its shards are named, still lives."""
    for shard in shards(folder):
        if job in shard.name:
            with suppress(FileNotFoundError), shard.open("rb+") as stream:
                if not lock(stream):
                    return True
    return False


def gather(folder: Path, lines: Lines) -> None:
    """Move the lines of workers that have ended from their shards into ``manifest.jsonl``.

    What a crash has left in the middle is gathered the next time: a line that is there already is not added again.

    Args:
        folder: the output folder.
        lines: those of the folder.

    Raises:
        DataError: the disk is full, or may not be written.
    """
    manifest = folder / MANIFEST
    with _told(manifest):
        for shard in shards(folder):
            with suppress(FileNotFoundError), shard.open("rb+") as ended:  # unless somebody else gathers it
                if lock(ended) and os.path.exists(shard):
                    if os.path.getsize(shard):
                        with _open(manifest) as stream:
                            _copy(ended, stream, lines)
                            os.fsync(stream.fileno())
                    shard.unlink()
        with suppress(OSError):  # workers are still adding, or there are no shards
            (folder / SHARDS).rmdir()


def _copy(shard: IO[bytes], manifest: IO[bytes], lines: Lines) -> None:
    waiting = b""
    for line in shard:
        record = parsed(line) if line.endswith(b"\n") else None
        known = None if record is None else lines.gathered(record["id"])
        if record is None or known == record or (known is not None and is_outdated(record, known)):
            continue
        waiting += line
        if len(waiting) > _GATHERED:
            _append(manifest, waiting, manifest.seek(0, os.SEEK_END))
            waiting = b""
    _append(manifest, waiting, manifest.seek(0, os.SEEK_END))


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {file}: {reason(error)}, and run the job again") from error


@contextmanager
def _open(file: Path) -> Iterator[IO[bytes]]:
    """Open a shared file alone; what a crash has torn at its end gets an end of line."""
    with file.open("ab+", buffering=0) as stream:
        lock(stream, wait=True)
        end = stream.seek(0, os.SEEK_END)
        if end > 0:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                _append(stream, b"\n", end)
        yield stream


def _append(stream: IO[bytes], lines: bytes, end: int) -> None:
    """Write all of some lines at the end, or nothing."""
    try:
        left = memoryview(lines)
        while left:
            left = left[stream.write(left) :]
    except OSError:
        with suppress(OSError):
            stream.truncate(end)
        raise

"""The manifest of a job on many files: a line as soon as one is finished, from which the job continues."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from intarsia.errors import DataError
from intarsia.files import sync

MANIFEST = "manifest.jsonl"
_PENDING = ".manifest.pending"
_MADE = ("mask", "labels")
# Without space or permission no later file fares better, so the job stops; it can be resumed.
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

Record = dict[str, Any]


class Manifest:
    """The lines of one output folder.

    A job announces each file before its outputs are written and adds its line afterwards, so that what a killed job
    leaves is known to be ours.

    Args:
        folder: the output folder; made with the first announcement.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines, self._pending = folder / MANIFEST, folder / _PENDING

    def finished(self, start: int = 0) -> dict[str, Record]:
        """By the name of the mask or labels, the last line of each, from byte `start` on.

        A line that a crash has torn is left out.
        """
        records: dict[str, Record] = {}
        try:
            text = self._lines.read_bytes()[start:].decode(errors="replace")
        except FileNotFoundError:
            return records
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and record.get("status") == "done":
                records[str(next((record[key] for key in _MADE if key in record), None))] = record
        return records

    def announce(self, outputs: Sequence[str]) -> None:
        """Note what is in work: names below the folder, the mask or labels first.

        Raises:
            DataError: the folder cannot be written into.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        note = {"outputs": list(outputs), "manifest": self._lines.stat().st_size if self._lines.exists() else 0}
        try:
            self._pending.write_text(json.dumps(note), encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"cannot write into {self.folder}: {error.strerror}; free some space or choose another"
            ) from error

    def add(self, record: Record) -> None:
        """Add the line of what was announced.

        Raises:
            DataError: the disk is full.
        """
        self._append(record)
        self._pending.unlink()

    def recover(self) -> None:
        """Remove what the file in work has left when the job ended before its line was there."""
        try:
            note = json.loads(self._pending.read_text(encoding="utf-8"))
            outputs, start = [str(name) for name in note["outputs"]], int(note["manifest"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError):
            outputs, start = [], 0
        if outputs and outputs[0] not in self.finished(start):
            for name in outputs:
                if (self.folder / name).resolve().is_relative_to(self.folder.resolve()):
                    (self.folder / name).unlink(missing_ok=True)
        self._pending.unlink()

    def _append(self, record: Record) -> None:
        line = json.dumps(record, ensure_ascii=False) + "\n"
        try:
            with self._lines.open("ab+") as stream:
                if stream.tell() > 0:
                    stream.seek(-1, os.SEEK_END)
                    if stream.read(1) != b"\n":
                        line = "\n" + line
                stream.write(line.encode())
            sync(self._lines)
        except OSError as error:
            raise DataError(
                f"cannot write {self._lines}: {error.strerror}; free some space and run the job again"
            ) from error


def fingerprint(path: Path) -> list[int] | None:
    """Size in bytes and time of change: whether a file is still the one that was segmented."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def is_hopeless(error: BaseException) -> bool:
    """Whether an error says that no later file can be written either."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _HOPELESS

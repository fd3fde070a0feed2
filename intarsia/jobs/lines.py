"""The lines of an output folder: found again by their id, in memory that does not grow with their number."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from intarsia.errors import DataError
from intarsia.files import encoded
from intarsia.jobs.task import Record

MANIFEST, SHARDS = "manifest.jsonl", "manifest.shards"
"""The file of lines; and the folder of those that many workers are adding, one file a worker."""
# A line begins with its id.
_BEGINNING = re.compile(rb'\{"id": ("(?:[^"\\]|\\.)*")')
_STARTS = (b'{"id": ', b'{"source": ')  # today's, and those of earlier versions
_LOOKED_AT = 100  # lines, of which one at least has to be a job's
_BATCH = 50_000
_TABLE = """
PRAGMA cache_size = -16000;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE line (number INTEGER PRIMARY KEY, key BLOB, rank INTEGER, file INTEGER, offset INTEGER);
"""
# Of all that is there already it is made at once, by sorting; line by line, ten million keys in no order would have
# most of the data base read and written again for each batch.
_INDEX = "CREATE INDEX IF NOT EXISTS by_key ON line (key)"
_PUT = "INSERT INTO line (key, rank, file, offset) VALUES (?, ?, ?, ?)"
# What is in a shard is newer: shards are gathered before anything is added. Of two shards nobody knows which is newer;
# of lines of one source, that it was made is the better one: what fails later leaves what was made before.
_MADE, _FAILED, _GATHERED = 0, 1, 2
# Of equal rank, the last one counts.
_FIND = "SELECT rank, file, offset FROM line WHERE key = ? ORDER BY rank, number DESC"
_ALL = """
SELECT file, offset, min((rank << 60) - number), (SELECT min(number) FROM line AS other WHERE other.key = line.key)
FROM line GROUP BY key ORDER BY 4
"""

_Row = tuple[bytes, int, int, int]


class Lines:
    """The last line of every id, in ``manifest.jsonl`` and in the shards.

    Only where a line stands is kept, in a private data base that lies on disk but for 16 MB; the line itself is read
    again when it is asked for. So a job of ten million sources is continued in the memory of a small one.

    Args:
        folder: the output folder; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._files: list[Path] = []
        self._torn: set[str] = set()
        self._base: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def find(self, *names: str) -> Record | None:
        """Find the last line of the first of some ids that has one; what was added meanwhile counts."""
        with self._lock:
            self._catch_up()
            return next((record for name in names if (record := self._at(name)) is not None), None)

    def is_torn(self, name: str) -> bool:
        """Tell whether a crash has torn the last line of an id, as far as lines were read."""
        with self._lock:
            return name in self._torn

    def gathered(self, name: str) -> Record | None:
        """Find the last line of an id in ``manifest.jsonl``, whatever the shards say."""
        with self._lock:
            self._catch_up()
            return self._at(name, _GATHERED)

    def records(self) -> Iterator[Record]:
        """Go through the last line of each id, in the order in which the ids came first."""
        with self._lock:
            self._catch_up()
            base, files = self._base, self._files
        if base is None:
            return
        for file, offset, _, _ in base.execute(_ALL):
            record = parsed(_line(files[file], offset))
            if record is not None:
                yield record

    def _at(self, name: str, least: int = 0) -> Record | None:
        for _ in range(2):
            rows = [] if self._base is None else self._base.execute(_FIND, (_key(name),)).fetchall()
            last = {rank: (file, offset) for rank, file, offset in reversed(rows) if rank >= least}
            read = [parsed(_line(self._files[file], offset)) for _, (file, offset) in sorted(last.items())]
            found = [record for record in read if record is not None]
            if found:
                return found[-1] if is_outdated(found[0], found[-1]) else found[0]
            if not rows:
                break
            self._catch_up()  # a shard was gathered between looking and reading
        return None

    def _catch_up(self) -> None:
        """Note where the lines stand that were added since the last time."""
        manifest = self._folder / MANIFEST
        self._read_on(manifest)
        there = {shard for shard in shards(self._folder) if self._read_on(shard)}
        gathered = self._read.keys() - there - {manifest}
        if gathered:
            self._read_on(manifest)
        if self._base is not None:
            self._base.execute(_INDEX)
        for shard in gathered:
            del self._read[shard]
            if self._base is not None and shard in self._files:
                with self._base:
                    self._base.execute("DELETE FROM line WHERE file = ?", (self._files.index(shard),))

    def _read_on(self, file: Path) -> bool:
        """Read what a file has got since the last time; False if there is no such file."""
        try:
            with file.open("rb") as stream:
                stream.seek(self._read.setdefault(file, 0))
                rows: list[_Row] = []
                for line in stream:
                    self._note(line, file, rows)
                    if len(rows) >= _BATCH:
                        self._put(rows)
                self._put(rows)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _note(self, line: bytes, file: Path, rows: list[_Row]) -> None:
        record = parsed(line)
        whole = line.endswith(b"\n")
        begun = None if record is not None and whole else _BEGINNING.match(line)
        if begun is not None:
            with suppress(ValueError):  # the id itself is damaged
                self._torn.add(json.loads(begun[1]))
        if record is not None and whole:
            if file not in self._files:
                self._files.append(file)
            rank = _GATHERED if file.name == MANIFEST else _FAILED if record["status"] == "error" else _MADE
            rows.append((_key(record["id"]), rank, self._files.index(file), self._read[file]))
            self._torn.discard(record["id"])
        if whole:  # the rest of what is being written just now is read the next time
            self._read[file] += len(line)

    def _put(self, rows: list[_Row]) -> None:
        if not rows:
            return
        if self._base is None:
            self._base = sqlite3.connect("", check_same_thread=False)
            self._base.executescript(_TABLE)
        with self._base:
            self._base.executemany(_PUT, rows)
        rows.clear()


def is_outdated(record: Record, other: Record) -> bool:
    """Tell whether a source that one line gives up was done by somebody else, as another line says."""
    same = all(record.get(key) == other.get(key) for key in ("model", "settings", "runtime", "input"))
    return record["status"] == "error" and other["status"] == "done" and same


def shards(folder: Path) -> list[Path]:
    """List the files of lines that workers are adding to, or have left."""
    try:
        names = sorted(os.listdir(folder / SHARDS))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / SHARDS / name for name in names if name.endswith(".jsonl")]


def written(record: Record) -> bytes:
    """Write a record as a line."""
    return encoded(json.dumps(record, ensure_ascii=False) + "\n")


def _key(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _line(file: Path, offset: int) -> bytes:
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.readline()
    except OSError:
        return b""


def require_own(folder: Path) -> None:
    """Refuse a folder whose ``manifest.jsonl`` is something else, as that of a data set: lines would be added to it.

    Raises:
        DataError: none of its first lines is one of a job, whole or torn by a crash.
    """
    file = folder / MANIFEST
    try:
        with file.open("rb") as stream:
            first = [line for line in itertools.islice(stream, _LOOKED_AT) if line.strip(b"\0 \r\n")]
    except OSError:  # there is none; or who reads it says so
        return
    if first and not any(_is_of_a_job(line) for line in first):
        raise DataError(
            f"{file} is no record of a job, and one would be written into it; move it away, or choose another folder"
        )


def _is_of_a_job(line: bytes) -> bool:
    """Whether a line is a record, be it damaged, or the beginning of one."""
    try:
        said = json.loads(line)
    except ValueError:
        return any(line.startswith(start) or start.startswith(line) for start in _STARTS)
    return isinstance(said, dict) and "status" in said


def parsed(line: bytes) -> Record | None:
    """A line as a record in today's form; None of what is torn, or no record."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return _as_today(record) if _is_record(record) else None


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
        return {"input": None, "error": None, "source": record["id"], **record, "id": str(record["id"])}
    outputs = {today: record[key] for key, today in _EARLIER.items() if record.get(key)}
    name = outputs.get("labels", record.get("source"))
    return {"input": None, **record, "id": str(name), "outputs": outputs, "earlier": True}


def earlier_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """Take the options of a line of an earlier version."""
    return {key: record[key] for key in ("columns", "category") if record.get(key)}

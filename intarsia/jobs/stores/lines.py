"""Lines in an object store: one object each, which nobody ever replaces, gathered into ``manifest.jsonl``."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from intarsia.errors import DataError
from intarsia.jobs.lines import MANIFEST, SHARDS, Lines, is_outdated, parsed, written
from intarsia.jobs.manifest import digest
from intarsia.jobs.stores.scratch import scratch
from intarsia.jobs.stores.store import Store
from intarsia.jobs.task import Record

_AT_ONCE = 16  # objects that are read side by side
_TRIES = 20  # to write what others write, too


class StoreLines:
    """The lines below one prefix, with a copy on this machine in which they are found.

    Args:
        store: the output prefix.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tag: str | None = None
        self._copy = scratch("lines")
        self.found = Lines(self._copy)

    def add(self, record: Record) -> None:
        """Add a line, unless one says already that the same was done.

        Raises:
            DataError: the store cannot be written.
        """
        line = written(record)
        for number in range(1, _TRIES):
            name = _name(record["id"], number)
            if self._store.create(name, line):
                return
            known = self._store.read(name)
            before = None if known is None else parsed(known[0])
            if before is not None and _says_as_much(before, record):
                return
        raise DataError(
            f"{self._store.address / SHARDS}: others keep adding lines of {record['id']}; run the job again"
        )

    def look_for(self, task: str) -> None:
        """Look whether others have added a line of a task."""
        number = 1  # and one more for each time that it was done again since lines were gathered
        while self._store.head(_name(task, number)) is not None:
            number += 1
        if number == 1:
            self._update()
        self._append(_name(task, one) for one in range(1, number))

    def gather(self) -> None:
        """Move all lines into ``manifest.jsonl``.

        What a crash has left in the middle is gathered the next time: a line that is there already is not added again.

        Raises:
            DataError: the store cannot be read or written.
        """
        for _ in range(_TRIES):
            self._update()
            names = sorted(one.name for one in self._store.list(SHARDS))
            if not self._append(names) or self._put():
                self._store.delete(names)
                return
        raise DataError(f"{self._store.address / MANIFEST}: others keep writing it; run the job again")

    def _put(self) -> bool:
        """Put the copy in the place of what it was made from; False where somebody else has done so."""
        file = self._copy / MANIFEST
        if self._tag is None:
            return self._store.create(MANIFEST, file)
        return self._store.replace(MANIFEST, file, self._tag)

    def _update(self) -> None:
        """Copy ``manifest.jsonl`` here, unless it is the one of the last time and nothing was added to that here."""
        there = self._store.head(MANIFEST)
        if there is not None and there.tag == self._tag and (self._copy / MANIFEST).stat().st_size == there.seen[0]:
            return
        self._copy = scratch("lines")
        found = self._store.fetch(MANIFEST, self._copy / MANIFEST)
        self._tag = None if found is None else found.tag
        self.found = Lines(self._copy)

    def _append(self, names: Iterable[str]) -> bool:
        """Add the lines of some objects to the copy; whether any was new."""
        added = False
        with ThreadPoolExecutor(_AT_ONCE) as threads, (self._copy / MANIFEST).open("ab") as copy:
            for known in threads.map(self._store.read, names):
                record = None if known is None else parsed(known[0])
                if known is None or record is None:
                    continue
                before = self.found.find(record["id"])
                if before is not None and _says_as_much(before, record):
                    continue
                copy.write(known[0])
                copy.flush()
                added = True
        return added


def _name(task: str, number: int) -> str:
    return f"{SHARDS}/{digest(task)}.{number}.jsonl"


def _says_as_much(known: Record, record: Record) -> bool:
    """Whether a line tells all of another: that the same was made of the same, or more of it."""
    same = ("status", "model", "settings", "runtime", "input", "sha256")
    return all(known.get(key) == record.get(key) for key in same) or is_outdated(record, known)

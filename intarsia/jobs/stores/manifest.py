"""The manifest of a job whose results go into an object store: the same contract, by conditions instead of locks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath

from intarsia.errors import DataError
from intarsia.files import checksum, remove
from intarsia.jobs.manifest import Manifest
from intarsia.jobs.outputs import FOLDERS
from intarsia.jobs.stores.address import Address
from intarsia.jobs.stores.claims import CLAIMS, Claims, Held, claim_name, is_held
from intarsia.jobs.stores.lines import StoreLines
from intarsia.jobs.stores.scratch import scratch
from intarsia.jobs.stores.store import Store
from intarsia.jobs.task import Record, Task


class StoreManifest(Manifest):
    """The lines below one prefix of a store, and who works on what.

    Outputs are written into a folder of this machine; with their line they go to the store: each is put where there is
    none, and the line after them. So a worker may die anywhere, or two may do the same: it is published once.

    Args:
        address: the output prefix.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(scratch("out"))
        self.store = Store(address)
        self._in_store, self._taken = StoreLines(self.store), Claims(self.store)
        self._busy: dict[str, _Task] = {}
        self._listed: set[str] | None = None

    def find(self, task: Task) -> Record | None:
        """Find the last line of a task; lines that other workers added since the last look at all of them count."""
        if self._listed is None:
            self._in_store.look_for(task.id)
        return self._in_store.found.find(task.id)

    def records(self) -> Iterator[Record]:
        """Go through the last line of each task."""
        yield from self._in_store.found.records()

    def is_there(self, task: Task) -> bool:
        """Tell whether all outputs of a task exist, whoever wrote them."""
        return all(self._exists(name) for name in task.outputs.values())

    def existing(self, task: Task) -> Sequence[Path | Address]:
        """Name the outputs of a task that exist."""
        return [self.store.address / name for name in task.outputs.values() if self._exists(name)]

    def is_begun(self, task: Task) -> bool:
        """Tell whether somebody is at a task, or died at it; if not, all that was made of it meanwhile is known then.

        A listing takes a while: others may have begun and ended something since it went over the claims.
        """
        listed, self._listed = self._listed, None
        if self._exists(claim_name(task.id)):
            self._listed = listed
            return True
        self._in_store.look_for(task.id)
        if listed is not None:
            self._listed = listed | {name for name in task.outputs.values() if self._exists(name)}
        return False

    def gather(self) -> None:
        """Move all lines into ``manifest.jsonl``, and look at what is there, once for all tasks.

        Raises:
            DataError: the store cannot be read or written.
        """
        self._in_store.gather()
        self._listed = set()
        for found in self.store.list():
            self._listed |= {found.name, *(str(above) for above in PurePosixPath(found.name).parents)}

    @contextmanager
    def claim(self, task: Task, *, again: bool = False) -> Iterator[bool]:
        """Work on a task alone, as far as others can be seen: yields whether it was free."""
        self._listed = None  # from now on others count
        held = self._taken.take(task)
        if held is None:
            yield False
            return
        self._busy[task.id] = _Task(held, again)
        try:
            yield True
        finally:
            if self._busy.pop(task.id).is_torn and not self._is_finished(held.contents):
                self._taken.leave(held)
            else:
                with suppress(DataError):  # it runs out
                    self._taken.let_go(held)

    def add(self, record: Record) -> None:
        """Publish what was claimed: its outputs, and then its line.

        Raises:
            DataError: the store cannot be written, or holds something else under the name of an output.
        """
        busy = self._busy[record["id"]]
        busy.is_torn = busy.is_torn or bool(record["outputs"])
        if busy.held.inherited and not record["outputs"]:
            self.store.delete(found for name in busy.held.outputs for found in self._keys(name))
        for name in record["outputs"].values():
            for file in _files(self.folder / name):
                self._publish(file, file.relative_to(self.folder).as_posix(), record, busy)
        self._in_store.add(record)
        busy.is_torn = False
        for name in record["outputs"].values():
            remove(self.folder / name)

    def tidy(self) -> None:
        """Gather all lines, and remove what dead workers have left."""
        self._in_store.gather()
        for found in list(self.store.list(CLAIMS)):
            known = self.store.read(found.name)
            if known is not None and not is_held(*known) and self._is_finished(known[0]):
                self.store.delete([found.name])
        self.close()

    def close(self) -> None:
        """Let go of this machine's share."""
        self._taken.close()
        remove(self.folder)

    def _is_finished(self, claim: bytes) -> bool:
        """Whether the line of a claim's task was added."""
        try:
            record = self._in_store.found.find(str(json.loads(claim)["id"]))
        except (ValueError, KeyError, TypeError):
            return False
        return record is not None and record["status"] == "done"

    def _exists(self, name: str) -> bool:
        if self._listed is not None:
            return name in self._listed
        if name.endswith(FOLDERS):
            return next(self.store.list(name), None) is not None
        return self.store.head(name) is not None

    def _keys(self, name: str) -> list[str]:
        """The objects of an output."""
        return [one.name for one in self.store.list(name)] if name.endswith(FOLDERS) else [name]

    def _publish(self, file: Path, name: str, record: Record, busy: _Task) -> None:
        if busy.again:
            self.store.replace(name, file)
        elif not self.store.create(name, file):
            known = self.store.read(name)
            if known is not None and sha256(known[0]).hexdigest() == checksum(file):
                return
            if not busy.held.inherited and not self._was_stopped(record):
                raise DataError(
                    f"{self.store.address / name} exists already, with other contents; overwrite (--overwrite), or "
                    "name another output"
                )
            self.store.replace(name, file)

    def _was_stopped(self, record: Record) -> bool:
        self._in_store.look_for(record["id"])
        before = self._in_store.found.find(record["id"])
        return before is not None and before["status"] == "stopped"


class _Task:
    """A task of this worker.

    Attributes:
        held: its claim.
        again: whether what was made of it before is replaced.
        is_torn: whether some of its outputs may be published, and its line is not.
    """

    def __init__(self, held: Held, again: bool) -> None:
        self.held, self.again, self.is_torn = held, again, held.inherited


def _files(output: Path) -> list[Path]:
    """The files of an output, which may be a folder."""
    return sorted(file for file in output.rglob("*") if file.is_file()) if output.is_dir() else [output]

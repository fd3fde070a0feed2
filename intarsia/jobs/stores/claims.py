"""Claims in an object store: who works on what, so that nothing is computed twice while all goes well.

A claim decides nothing: outputs and lines are put on conditions of their own. So a clock that is wrong, or a worker
that was taken for dead, costs time alone.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from intarsia.errors import DataError
from intarsia.files import encoded, lives
from intarsia.jobs.manifest import digest
from intarsia.jobs.stores.store import Found, Store
from intarsia.jobs.task import Task

CLAIMS = ".claims"
_LEASE = 120.0  # seconds after which a claim that nobody renews is a dead worker's


@dataclass
class Held:
    """A claim of this worker.

    Attributes:
        name: of the claim.
        outputs: of the task.
        inherited: whether a worker that died had it before, so that outputs may lie there of which no line tells.
        contents: what it says.
    """

    name: str
    outputs: tuple[str, ...]
    inherited: bool
    contents: bytes


class Claims:
    """The claims of one worker, renewed by a thread of its own while there are any.

    Args:
        store: the output prefix.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._token = store, secrets.token_hex(8)
        self._held: dict[str, Held] = {}
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def take(self, task: Task) -> Held | None:
        """Claim a task; None where somebody else is at it.

        Raises:
            DataError: the store cannot be read or written.
        """
        name, contents, outputs = claim_name(task.id), self._contents(task), tuple(task.outputs.values())
        while True:
            if self._store.create(name, contents):
                return self._renewed(Held(name, outputs, False, contents))
            known = self._store.read(name)
            if known is None:  # let go since
                continue
            if known[0] == contents:  # by a try whose answer was lost
                return self._renewed(Held(name, outputs, False, contents))
            if is_held(*known):
                return None
            if self._store.replace(name, contents, known[1].tag):
                return self._renewed(Held(name, outputs, True, contents))

    def let_go(self, held: Held) -> None:
        """Let others have it.

        Raises:
            DataError: the store cannot be written.
        """
        self._held.pop(held.name, None)
        self._store.delete([held.name])

    def leave(self, held: Held) -> None:
        """Leave it to whoever comes, as one that died would: what was put has no line yet."""
        self._held.pop(held.name, None)

    def close(self) -> None:
        """Renew nothing any more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _contents(self, task: Task) -> bytes:
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": self._token}
        return encoded(json.dumps({"id": task.id, "outputs": list(task.outputs.values()), **owner}))

    def _renewed(self, held: Held) -> Held:
        self._held[held.name] = held
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew, name="intarsia-claims", daemon=True)
            self._thread.start()
        return held

    def _renew(self) -> None:
        while not self._over.wait(_LEASE / 4):
            for held in list(self._held.values()):
                with suppress(DataError):  # the next time, perhaps
                    known = self._store.read(held.name)
                    if known is not None and known[0] == held.contents and held.name in self._held:
                        self._store.replace(held.name, held.contents, known[1].tag)


def claim_name(task: str) -> str:
    """Name the claim of a task."""
    return f"{CLAIMS}/{digest(task)}.json"


def is_held(contents: bytes, found: Found) -> bool:
    """Tell whether who wrote a claim still lives: it was renewed lately, and its process is there, if it is of here."""
    try:
        said = json.loads(contents)
        host, pid = str(said["host"]), int(said["pid"])
    except (ValueError, KeyError, TypeError):
        return time.time() - found.changed < _LEASE
    gone = host == socket.gethostname() and not lives(pid)
    return not gone and time.time() - found.changed < _LEASE

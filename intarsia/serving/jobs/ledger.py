"""Ledger: the jobs of a server, and how each stands; what changes is written down at once."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intarsia.errors import IntarsiaError
from intarsia.jobs.running import INTERRUPTED
from intarsia.serving.jobs.kinds import Outcome
from intarsia.serving.jobs.store import Folder, Job, State, Store
from intarsia.serving.problems import CONFLICT, NOT_FOUND, Problem

logger = logging.getLogger("intarsia.serving")

_MOST_STARTS = 3  # of a job that each time ended the server


class Ledger:
    """The jobs that wait, run and are over, by their ids; several threads may ask and change.

    Args:
        folder: that holds their folders.
        ttl: seconds for which one that is over is kept.
        clock: seconds since 1970.

    Attributes:
        store: their folders.
    """

    def __init__(self, folder: Path, ttl: float, *, clock: Callable[[], float] = time.time) -> None:
        self.store = Store(folder)
        self._ttl, self._clock = ttl, clock
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition(threading.RLock())
        self._arriving: list[str] = []

    def load(self) -> None:
        """Read the jobs that an earlier server left; what it was at is queued again, unless somebody cancelled it."""
        for job in self.store.load():
            self._jobs[job.id] = job
            if job.state == "running" and job.leaving:
                self._end(job, "cancelled", Outcome(INTERRUPTED, files=self.store.place(job.id).finished()))
            elif job.state == "running":
                self._queue_again(job)

    @property
    def unfinished(self) -> int:
        """How many wait, run, or are still being sent."""
        return len(self._arriving) + sum(not job.is_over for job in self.all())

    @contextmanager
    def arriving(self, key: str) -> Iterator[None]:
        """Count a job whose files are still being sent, under a client's key.

        Raises:
            Problem: another one comes under the same key.
        """
        with self._changed:
            if key and key in self._arriving:
                raise Problem(CONFLICT, "a request with this Idempotency-Key is still being received")
            self._arriving.append(key)
        try:
            yield
        finally:
            with self._changed:
                self._arriving.remove(key)

    def submit(
        self, kind: str, spec: Mapping[str, Any], folder: Folder | None = None, *, key: str = "", request: str = ""
    ) -> Job:
        """Queue a job.

        Args:
            kind: one of `kinds`.
            spec: of the job, plain JSON.
            folder: with what was sent; None: nothing was.
            key: checksum of the client's Idempotency-Key.
            request: checksum of what was sent.
        """
        place = folder or self.store.new()
        job = Job(id=place.path.name, kind=kind, spec=dict(spec), created=self._clock(), key=key, request=request)
        with self._changed:
            self.store.save(job)
            self._jobs[job.id] = job
            self._changed.notify_all()
        return job

    def all(self) -> list[Job]:
        """List the jobs, the latest first."""
        with self._changed:
            return sorted(self._jobs.values(), key=lambda job: (-job.created, job.id))

    def find(self, job: str) -> Job:
        """Give a job by its id.

        Raises:
            Problem: there is none.
        """
        with self._changed:
            found = self._jobs.get(job)
        if found is None:
            raise Problem(NOT_FOUND, "there is no such job; finished ones are kept for a while only (--ttl)")
        return found

    def of_key(self, key: str) -> Job | None:
        """Find the job that was begun under a client's key."""
        return next((job for job in self.all() if key and job.key == key), None)

    def tell(self, job: Job) -> dict[str, Any]:
        """Tell of a job, as plain JSON."""
        with self._changed:
            return job.to_json(self._clock())

    def cancel(self, job: Job) -> None:
        """Stop a job that runs, after its current step; one that waits is over at once, one that is over goes.

        What stops is told as stopping, and stays cancelled should the server end first.
        """
        with self._changed:
            if job.is_over:
                self._remove(job)
            elif job.state == "queued":
                self._end(job, "cancelled", Outcome(INTERRUPTED))
            else:
                job.leaving = True
                self._save(job)

    def sweep(self) -> None:
        """Remove what is over for longer than it is kept."""
        with self._changed:
            for job in list(self._jobs.values()):
                if job.ended is not None and self._clock() - job.ended > self._ttl:
                    self._remove(job)

    def _next(self) -> Job | None:
        """The job that waits longest."""
        return next((job for job in reversed(self.all()) if job.state == "queued"), None)

    def _begin(self, job: Job) -> None:
        job.state, job.began, job.done, job.total = "running", self._clock(), 0, None
        job.starts += 1
        self._save(job)

    def _told(self, job: Job, what: str, value: Mapping[str, Any]) -> None:
        with self._changed:
            if what == "curve":
                if job.curve and value["epoch"] <= job.curve[-1]["epoch"]:  # of before a restart
                    return
                job.curve.append({name: one if _is_plain(one) else None for name, one in value.items()})
                job.starts = 1
                self._save(job)
                return
            job.what, job.done, job.total = str(value["what"]), int(value["done"]), value["total"]
            job.changes += 1
            if value.get("kept") and job.starts > 1:  # it gets on, however often the server ends
                job.starts = 1
                self._save(job)

    def _end(self, job: Job, state: State, outcome: Outcome) -> None:
        folder = self.store.place(job.id)
        job.state, job.ended, job.exit_code = state, self._clock(), outcome.exit_code
        job.error = None if outcome.error is None else folder.hide(outcome.error)
        job.notes = folder.hide(list(outcome.notes))
        job.outputs = folder.outputs(outcome.files)
        folder.clear()
        self._save(job)

    def _queue_again(self, job: Job, starts: int | None = None) -> None:
        """Queue once more what the server's end interrupted; not what each time ends the server."""
        job.starts = job.starts if starts is None else starts
        if job.starts >= _MOST_STARTS:
            reason = f"the server ended without a word {job.starts} times at the same part of this; for want of memory?"
            self._end(job, "failed", Outcome(1, reason, files=self.store.place(job.id).finished()))
            return
        job.state = "queued"
        self._save(job)

    def _save(self, job: Job) -> None:
        """Write down what changed; where that fails, on a full disk, the next server begins the job again."""
        job.changes += 1
        try:
            self.store.save(job)
        except (OSError, IntarsiaError) as error:
            logger.warning("the state of job %s is not kept: %s", job.id, error)

    def _remove(self, job: Job) -> None:
        del self._jobs[job.id]
        job.changes += 1
        self.store.remove(job.id)


def _is_plain(value: Any) -> bool:
    """Whether JSON has it, which has no NaN."""
    return not isinstance(value, float) or math.isfinite(value)

"""Runner: the jobs of a server, one at a time, on a thread that yields to all that answers."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

from intarsia.errors import IntarsiaError
from intarsia.failures import explained
from intarsia.files import lock, place_error
from intarsia.jobs.running import INTERRUPTED
from intarsia.jobs.writing.work import Stopped
from intarsia.serving.engine import Engine
from intarsia.serving.jobs.apps import uses
from intarsia.serving.jobs.kinds import Kind, Outcome, Work
from intarsia.serving.jobs.ledger import Ledger
from intarsia.serving.jobs.loaded import Loaded
from intarsia.serving.jobs.searching import searching
from intarsia.serving.jobs.segmenting import segmenting
from intarsia.serving.jobs.store import Job, State
from intarsia.serving.problems import TOO_MANY, UNAVAILABLE, Problem
from intarsia.serving.settings import Settings

logger = logging.getLogger("intarsia.serving")

_NICE = 10  # of the thread, and of those that its models compute with
_EVERY = 60.0  # seconds between two looks at what is too old
_LONGEST_NUMBER = 20  # characters of a process's number
_PATIENCE, _LOOK = 0.5, 0.005  # seconds that a part of a job waits for answers at most, and between two looks
_GRACE = 15.0  # seconds in which the work may stop when the server ends


class Jobs(Ledger):
    """The jobs of a server, and the thread that does them; see `Ledger`.

    One is run at a time, on a thread of low priority, with a model of its own, which is kept for the next one; its next
    part waits while the server answers. What was running when the server ended is queued again when it starts, and goes
    on where its manifest or checkpoint ends.

    Args:
        settings: of the server.
        engine: with the models.
        clock: seconds since 1970.

    Attributes:
        loaded: the model that they keep loaded.
        kinds: what can be asked for, by name; other parts of the server add theirs before it starts.
    """

    def __init__(self, settings: Settings, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings.state / "jobs", settings.ttl, clock=clock)
        self._settings, self._engine = settings, engine
        self.loaded = Loaded(engine)
        own = (segmenting(self.loaded), *uses(self.loaded), searching(self.loaded))
        self.kinds: dict[str, Kind] = {kind.name: kind for kind in own}
        self._ends, self._refusal = False, "the server does not do jobs yet; ask again in a moment"
        self._lock: IO[bytes] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take the folder of jobs, read what is in it, and begin to work; another server's folder is left to it."""
        try:
            self._refusal = self._take()
        except OSError as error:
            logger.warning("no jobs are done: %s", place_error(error))
            self._refusal = "the server cannot write into its state folder; start it with --state FOLDER"
        if self._refusal:
            return
        self.load()
        self.sweep()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the current step, queue what was running again, and let the folder go."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_GRACE)
            if self._thread.is_alive():  # its folder stays taken until the process is gone
                return
            self._thread = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def stops(self) -> bool:
        """Whether the server is about to end."""
        return self._ends or self._engine.draining

    def check_room(self) -> None:
        """Raise a `Problem` if a job that comes now is not taken."""
        if self.stops:
            raise Problem(UNAVAILABLE, "the server is about to end; ask again later", headers={"Retry-After": "5"})
        if self._refusal:
            raise Problem(UNAVAILABLE, self._refusal)
        waiting = self.unfinished
        if waiting > self._settings.max_jobs:
            raise Problem(
                TOO_MANY, f"{waiting} jobs are there and no more may wait; ask again later, or raise --max-jobs",
                headers={"Retry-After": "30"},
            )  # fmt: skip

    def _take(self) -> str:
        """Lock the folder of jobs for this process, or say why not; the system lets go when it dies."""
        self.store.folder.mkdir(parents=True, exist_ok=True)
        held = (self.store.folder / "lock").open("a+b")
        if not lock(held):
            held.seek(0)
            other = held.read(_LONGEST_NUMBER).decode("ascii", errors="replace") or "unknown"
            held.close()
            return f"another server (process {other}) does the jobs of this state folder; start this one with --state"
        held.truncate(0)
        held.write(b"%d" % os.getpid())
        held.flush()
        self._lock = held
        return ""

    def _work(self) -> None:
        with suppress(OSError, AttributeError):  # answers go first
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            self.sweep()
            with self._changed:
                while not self._ends and (job := self._next()) is None:
                    self._changed.wait(_EVERY)
                    self.sweep()
                    self.loaded.release()
                if self._ends or job is None:
                    return
                self._begin(job)
            self._finish(job, self._run(job))

    def _next(self) -> Job | None:
        """The job that waits longest; none while the server is about to end."""
        return None if self._engine.draining else super()._next()

    def _run(self, job: Job) -> Outcome:
        """Do a job's work; whatever goes wrong is told, and the next job is done."""
        folder, kind = self.store.place(job.id), self.kinds.get(job.kind)
        if kind is None:
            return Outcome(1, f"this server knows no jobs of the kind {job.kind}")

        def stop() -> bool:
            self._let_pass(job)
            return job.leaving or self.stops

        def tell(what: str, value: Mapping[str, Any]) -> None:
            self._told(job, what, value)

        try:
            return kind.run(Work(job.spec, folder, stop, tell))
        except (Stopped, KeyboardInterrupt):
            return Outcome(INTERRUPTED)
        except BaseException as error:  # panics of libraries in Rust among them: the thread has to live on
            known = error if isinstance(error, IntarsiaError) else None
            if known is None and isinstance(error, Exception):
                known = explained(error)
            if known is None:
                return Outcome(1, f"{type(error).__name__}: {error}. This is a defect in Intarsia")
            return Outcome(known.exit_code, str(known))

    def _let_pass(self, job: Job) -> None:
        """Wait between two parts while the server answers, whom the interpreter's lock would slow; not for ever."""
        end = time.monotonic() + _PATIENCE
        while self._engine.waiting and not job.leaving and not self.stops and time.monotonic() < end:
            time.sleep(_LOOK)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        with self._changed:
            stopped = outcome.exit_code == INTERRUPTED
            if stopped and self.stops and not job.leaving:
                self._queue_again(job, starts=0)
                return
            state: State = "cancelled" if stopped else "failed" if outcome.exit_code > 1 else "done"
            if outcome.exit_code == 1 and not outcome.files and outcome.error:
                state = "failed"
            self._end(job, state, outcome)

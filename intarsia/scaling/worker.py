"""A worker: one predictor that does tasks as they come, whatever brings them."""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Iterator

from intarsia.errors import UsageError
from intarsia.jobs import Task
from intarsia.jobs.attempts import Attempts
from intarsia.jobs.resuming import JobPredictor
from intarsia.scaling.desks import Seat, go_there
from intarsia.scaling.terms import Answer, Order, Terms
from intarsia.threads import share_cores


class Inbox:
    """Orders that wait for a worker, until there are no more or it shall stop."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def put(self, order: Order) -> None:
        """Add one."""
        self._orders.put(order)

    def end(self) -> None:
        """Say that no more come."""
        self._orders.put(None)

    def stop(self) -> None:
        """Say that what is in work shall be left."""
        self._stopped.set()
        self._orders.put(None)

    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def tasks(self) -> Iterator[Task]:
        """Take one after the other; waits for the next."""
        while (order := self._orders.get()) is not None and not self.is_stopped():
            yield order.task()


class Worker:
    """Does tasks under the terms of a job.

    Args:
        terms: of the job.
        name: of the worker, for its log.

    Raises:
        DataError: the job's folders are not there, or cannot be written.
        UsageError: it would compute other labels than the others.
        ModelError: the model cannot be loaded.
    """

    def __init__(self, terms: Terms, name: str) -> None:
        os.environ["OMP_NUM_THREADS"] = str(terms.threads)  # read when torch is loaded, and by the other runtimes
        share_cores()
        self._terms = terms
        go_there(terms)
        self._predictor = self._made()
        self._seat = Seat(terms, name)

    def answers(self, inbox: Inbox) -> Iterator[Answer]:
        """Do what comes in, until it ends or is stopped.

        Raises:
            OSError: no file can be written any more; so does DataError.
        """
        terms = self._terms
        manifest = self._seat.manifest
        attempts = Attempts(
            self._predictor, manifest.folder, manifest, terms.options, terms.overwrite, inbox.is_stopped
        )  # fmt: skip
        try:
            for outcome in attempts.of(inbox.tasks(), inbox.stop):
                yield Answer.of(outcome)
        finally:
            self._seat.close()

    def _made(self) -> JobPredictor:
        """The predictor, which must decide labels as that of the process that began the job."""
        predictor: JobPredictor = self._terms.make()
        differences = self._terms.identity.differences(predictor.identity().to_json())
        if differences:
            raise UsageError(
                f"{socket.gethostname()} would give other labels than the machine that began the job, by "
                f"{', '.join(differences)}: take machines of one kind, or name what all of them have (--precision "
                "fp32, --runtime onnx)"
            )
        return predictor

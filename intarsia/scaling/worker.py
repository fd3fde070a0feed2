"""A worker: one predictor that does tasks as they come, whatever brings them."""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from intarsia.errors import DataError, UsageError
from intarsia.jobs import Manifest, Task
from intarsia.jobs.lines import SHARDS
from intarsia.jobs.log import Shard
from intarsia.jobs.resuming import JobPredictor
from intarsia.jobs.run import Attempts
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
        self._folder = _shared(terms)
        self._predictor = self._made()
        self._shard = Shard(self._folder, f"{terms.job}-{name}")

    def answers(self, inbox: Inbox) -> Iterator[Answer]:
        """Do what comes in, until it ends or is stopped.

        Raises:
            OSError: no file can be written any more; so does DataError.
        """
        terms = self._terms
        manifest = Manifest(self._folder, self._shard)
        attempts = Attempts(self._predictor, self._folder, manifest, terms.options, terms.overwrite, inbox.is_stopped)
        try:
            for outcome in attempts.of(inbox.tasks(), inbox.stop):
                yield Answer.of(outcome)
        finally:
            self._shard.close()

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


def _shared(terms: Terms) -> Path:
    """The output folder, which must be the very one that the job was begun in."""
    try:
        os.chdir(terms.place)
    except OSError:
        raise DataError(_NOT_SHARED.format(host=socket.gethostname(), folder=terms.place)) from None
    folder = Path(terms.folder)
    if not (folder / SHARDS / terms.sign).exists():
        raise DataError(_NOT_SHARED.format(host=socket.gethostname(), folder=folder))
    return folder


_NOT_SHARED = (
    "{host} does not have the folder {folder} of this job: sources and results must lie on a file system that all "
    "machines of the cluster have at the same path (NFS, Lustre, a volume of the cluster)"
)

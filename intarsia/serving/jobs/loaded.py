"""What jobs keep loaded, a model or the networks of a use: several jobs in a row, with the same one, load it once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

import intarsia
from intarsia.errors import IntarsiaError
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.serving.engine import Engine

IDLE = 300.0
"""Seconds without a job after which the memory is given back."""

T = TypeVar("T")
AnyPredictor = Predictor | CloudPredictor


class Loaded:
    """The model, or the networks of a use, that the last job worked with.

    It is not the one that answers requests: threads of a network keep the priority of the thread that loaded it, and
    those of jobs are low, so that no request waits for a part of a job.

    Args:
        engine: that knows the models by name.
        clock: seconds that only grow.

    Attributes:
        engine: the same.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.engine, self._clock = engine, clock
        self._lock = threading.Lock()
        self._kept: tuple[Hashable, Any] | None = None
        self._used = 0.0

    def load(self, name: str, **options: Any) -> AnyPredictor:
        """Give a model that the server knows; the one that is kept, if it is the same with the same options.

        Raises:
            Problem: there is no such model.
            IntarsiaError: see `intarsia.load`.
        """
        source = self.engine.source(name)
        status = Path(source).stat()
        key = source, status.st_mtime_ns, status.st_size, repr(sorted(options.items()))
        return self.keep(key, lambda: _load(source, name, options))

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give what was made under a key; it is made now, in place of what is kept, if that is something else."""
        with self._lock:
            if self._kept is None or self._kept[0] != key:
                self._kept = None  # two at a time would take twice the memory
                self._kept = key, make()
            self._used = self._clock()
            found: T = self._kept[1]
            return found

    def release(self) -> None:
        """Let the model go when no job has asked for it for long; called between two jobs."""
        with self._lock:
            if self._clock() - self._used > IDLE:
                self._kept = None


def _load(source: str, name: str, options: dict[str, Any]) -> AnyPredictor:
    try:
        return intarsia.load(source, **options)
    except IntarsiaError as error:
        raise type(error)(str(error).replace(source, name)) from error

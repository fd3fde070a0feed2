"""Yielding: work that nobody waits for takes its next step when nobody waits for an answer.

A low priority alone is not enough: what has begun holds memory's bandwidth and Python's lock, whatever its priority.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from intarsia.runtimes.contract import Floats, Runtime

QUIET = 0.3
"""Seconds without a request after which the work goes on."""
MOST, TURN = 4.0, 1.0
"""Under steady load the work waits for so many seconds, and then has a turn of so many: it goes on, slowly."""
_LOOK = 0.01


class Way:
    """Gives way to answers, step by step.

    Args:
        idle: seconds since somebody waited for an answer; 0 while somebody does.
        ends: whether the server is about to end, so that nothing is waited for.
        clock: seconds.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        idle: Callable[[], float],
        ends: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._idle, self._ends, self._clock, self._sleep = idle, ends, clock, sleep
        self._turn = clock()

    def give(self) -> None:
        """Wait while the server answers, or did so a moment ago; asked before each step."""
        begun = self._clock()
        while self._turn <= self._clock() and self._idle() < QUIET and not self._ends():
            if self._clock() - begun >= MOST:
                self._turn = self._clock() + TURN
                return
            self._sleep(_LOOK)


class Yielding:
    """A runtime that gives way before each batch, and is the same in all else.

    Args:
        runtime: that computes.
        way: to what goes first.
    """

    def __init__(self, runtime: Runtime, way: Way) -> None:
        self._runtime, self._way = runtime, way

    def logits(self, x: Floats, place: Any = None) -> Floats:
        """Compute the logits of a batch; see `Runtime.logits`."""
        self._way.give()
        return self._runtime.logits(x, place)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

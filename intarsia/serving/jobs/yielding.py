"""Yielding: a job's next step waits while somebody waits for an answer.

A low priority alone does not do it: what has begun holds memory's bandwidth and Python's lock, whatever its priority.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from intarsia.runtimes.contract import Floats, Runtime
from intarsia.serving.engine import Engine

QUIET = 0.3
"""Seconds without a request after which a job goes on."""
MOST = 1.0
"""Seconds that a step waits at most: under steady load a job still goes on, slowly."""
_LOOK = 0.01


def give_way(engine: Engine, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait while the server answers, or did so a moment ago."""
    waited = 0.0
    while engine.idle < QUIET and waited < MOST and not engine.draining:
        sleep(_LOOK)
        waited += _LOOK


class Yielding:
    """A runtime that gives way before each batch, and is the same in all else.

    Args:
        runtime: that computes.
        engine: whose answers go first.
    """

    def __init__(self, runtime: Runtime, engine: Engine) -> None:
        self._runtime, self._engine = runtime, engine

    def logits(self, x: Floats, place: Any = None) -> Floats:
        """Compute the logits of a batch; see `Runtime.logits`."""
        give_way(self._engine)
        return self._runtime.logits(x, place)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

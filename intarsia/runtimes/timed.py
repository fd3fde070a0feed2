"""A runtime that counts the time spent in it, and can be told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from intarsia.media.source import Place
from intarsia.runtimes.contract import Floats, Runtime


class Timed:
    """A runtime that counts.

    Args:
        runtime: that computes.

    Attributes:
        seconds: that it has computed.
        pixels: that it has seen.
        check: called before each computation; what it raises ends the work.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self.seconds, self.pixels = runtime, 0.0, 0
        self.check: Callable[[], None] = nothing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        """Compute logits; see `Runtime`."""
        self.check()
        start = time.perf_counter()
        found = self._runtime.logits(x, place)
        self.seconds += time.perf_counter() - start
        self.pixels += x[:, 0].size
        return found


def nothing() -> None:
    """Let work go on."""

"""Where the time of a request goes, by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """Milliseconds by stage, in the order in which they began."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what the block takes for a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, 1000 * (time.perf_counter() - start))

    def add(self, name: str, milliseconds: float) -> None:
        """Count milliseconds for a stage."""
        self.taken[name] = self.taken.get(name, 0.0) + milliseconds

    def header(self) -> str:
        """Write the value of a Server-Timing header (W3C Server Timing)."""
        return ", ".join(f"{name};dur={value:.1f}" for name, value in self.taken.items())

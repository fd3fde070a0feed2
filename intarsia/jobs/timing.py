"""How long each stage of a job's work takes, picture after picture."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_KEPT = 10_000  # of a stage: the latest ones


class Times:
    """Collects seconds by stage, and sums them up as milliseconds."""

    def __init__(self) -> None:
        self._found: dict[str, deque[float]] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Take the time of what is done inside."""
        start = time.perf_counter()
        yield
        self.add(stage, time.perf_counter() - start)

    def add(self, stage: str, seconds: float) -> None:
        """Add the time of a picture."""
        self._found.setdefault(stage, deque(maxlen=_KEPT)).append(seconds)

    def to_json(self) -> dict[str, dict[str, float]]:
        """Median and 99th percentile of every stage, of the latest 10,000 pictures, in milliseconds."""
        return {
            stage: {f"p{share}": round(1000 * float(np.percentile(list(found), share)), 2) for share in (50, 99)}
            for stage, found in self._found.items()
        }

"""How far long work is, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from intarsia.training.progress import duration

Stage = Callable[[str], None]
"""Is told in a few words what is done now."""
Item = TypeVar("Item")

_OFTEN = 10.0  # seconds


class Teller:
    """Says now and then how much is done; called with the numbers of what is done and of all.

    Args:
        what: is counted, such as "calibrating, input".
        stage: is told.
        clock: seconds.
    """

    def __init__(self, what: str, stage: Stage, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._stage, self._clock = what, stage, clock
        self._start = self._last = clock()

    def __call__(self, done: int, total: int) -> None:
        now = self._clock()
        if now - self._last >= _OFTEN and done < total:
            self._last = now
            left = duration((total - done) * (now - self._start) / done)
            self._stage(f"{self._what} {done} of {total}, about {left} left")


@dataclass(frozen=True)
class Told(Generic[Item]):
    """What can be gone through, again and again, while it is told how far that is.

    Attributes:
        items: are gone through.
        total: how many there are.
        what: see `Teller`.
        stage: is told.
    """

    items: Iterable[Item]
    total: int
    what: str
    stage: Stage

    def __iter__(self) -> Iterator[Item]:
        tell = Teller(self.what, self.stage)
        for done, item in enumerate(self.items, start=1):
            yield item
            tell(done, self.total)

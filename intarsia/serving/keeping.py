"""Keeping: what is made once and used again, as long as it is used and there is room."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Things by key; the ones that nobody has used for longest go first.

    Args:
        most: how many are kept.
        seconds: after which a thing that nobody used goes; None: never.
        clock: tells seconds.
    """

    def __init__(self, most: int, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._held: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._held)

    def get(self, key: Hashable) -> T | None:
        """Give the thing of a key, if it is here."""
        with self._lock:
            self._forget_old()
            if key not in self._held:
                return None
            _, thing = self._held.pop(key)
            self._held[key] = self._clock(), thing
            return thing

    def put(self, key: Hashable, thing: T) -> T:
        """Keep a thing, and give it back."""
        with self._lock:
            self._forget_old()
            self._held.pop(key, None)
            self._held[key] = self._clock(), thing
            while len(self._held) > self._most:
                self._held.popitem(last=False)
            return thing

    def made(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give the thing of a key, or make it now and keep it."""
        found = self.get(key)
        return self.put(key, make()) if found is None else found

    def drop(self, key: Hashable) -> None:
        """Forget a thing."""
        with self._lock:
            self._held.pop(key, None)

    def _forget_old(self) -> None:
        while self._seconds is not None and self._held:
            used, _ = next(iter(self._held.values()))
            if self._clock() - used <= self._seconds:
                break
            self._held.popitem(last=False)

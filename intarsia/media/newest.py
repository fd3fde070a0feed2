"""Live frames without delay: while one is worked on, those that come meanwhile are passed over but for the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_FRESH = 0.005  # seconds: an item that has just come is worked on, however long that takes


class Newest(Generic[T]):
    """Reads an iterator on a thread and hands out the newest item, waiting for one if need be.

    Args:
        items: what is read.
        deadline: seconds after which an item is worth nothing: one that has waited so long that the work on it, if it
            takes as long as that on the one before, would end later is passed over, too. None: none is too old.

    Attributes:
        dropped: items that were passed over.
    """

    def __init__(self, items: Iterator[T], *, deadline: float | None = None) -> None:
        self._items, self._deadline = items, deadline
        self._came = 0.0
        self._ready = threading.Condition()
        self._held: list[tuple[float, T]] = []
        self._ended = False
        self._error: BaseException | None = None
        self.dropped = 0
        self._thread = threading.Thread(target=self._read, daemon=True, name="intarsia-live")

    def __iter__(self) -> Iterator[T]:
        self._thread.start()
        took = 0.0
        try:
            while True:
                with self._ready:
                    self._ready.wait_for(lambda: self._held or self._ended)
                    if not self._held:
                        break
                    self._came, item = self._held.pop()
                    if self._is_late(took):
                        self.dropped += 1
                        continue
                start = time.monotonic()
                yield item
                took = time.monotonic() - start
        finally:
            with self._ready:
                self._ended = True
            self._thread.join(timeout=5)
        if self._error is not None:
            raise self._error

    @property
    def age(self) -> float:
        """Seconds since the item that was handed out last had come."""
        return time.monotonic() - self._came

    def _is_late(self, took: float) -> bool:
        return self._deadline is not None and self.age > _FRESH and self.age + took > self._deadline

    def _read(self) -> None:
        try:
            for item in self._items:
                with self._ready:
                    if self._ended:
                        break
                    self.dropped += len(self._held)
                    self._held = [(time.monotonic(), item)]
                    self._ready.notify()
        except BaseException as error:  # handed over to the thread that waits
            self._error = error
        with self._ready:
            self._ended = True
            self._ready.notify()

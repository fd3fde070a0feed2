"""Live frames without delay: while one is worked on, those that come meanwhile are passed over but for the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Reads an iterator on a thread and hands out the newest item, waiting for one if need be.

    Args:
        items: what is read.

    Attributes:
        dropped: items that were passed over.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._ready = threading.Condition()
        self._held: list[tuple[T, float]] = []
        self._ended = False
        self._error: BaseException | None = None
        self.dropped, self._arrived = 0, 0.0
        self._thread = threading.Thread(target=self._read, daemon=True, name="intarsia-live")

    def __iter__(self) -> Iterator[T]:
        self._thread.start()
        try:
            while True:
                with self._ready:
                    self._ready.wait_for(lambda: self._held or self._ended)
                    if not self._held:
                        break
                    item, self._arrived = self._held.pop()
                yield item
        finally:
            with self._ready:
                self._ended = True
            self._thread.join(timeout=5)
        if self._error is not None:
            raise self._error

    def age(self) -> float:
        """Seconds since the item came that was handed out last."""
        return time.perf_counter() - self._arrived

    def _read(self) -> None:
        try:
            for item in self._items:
                with self._ready:
                    if self._ended:
                        break
                    self.dropped += len(self._held)
                    self._held = [(item, time.perf_counter())]
                    self._ready.notify()
        except BaseException as error:  # handed over to the thread that waits
            self._error = error
        with self._ready:
            self._ended = True
            self._ready.notify()

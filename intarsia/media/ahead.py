"""Work ahead: while one item is worked on, the next ones are made ready, each at its turn and none of them lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Goes through an iterable on a thread, a few items ahead of who takes them; to be entered, and then gone through.

    An error is raised where its item would have come. Leaving ends the thread after the item that it is at.

    Args:
        items: what is gone through.
        most: items that wait; one more is being made.
    """

    def __init__(self, items: Iterable[T], most: int) -> None:
        self._items, self._most = items, most
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True, name="intarsia-ahead")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
            del item  # or it would live until the next one comes
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._waiting) < self._most or self._ended)
                    if self._ended:
                        break
                    self._waiting.append(item)
                    self._changed.notify_all()
        except BaseException as error:  # handed over to the thread that waits
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

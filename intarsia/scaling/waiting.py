"""Tasks that wait for a worker: those of the job, of which only the next is made, and those that came back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from intarsia.jobs import Task


class Waiting:
    """A queue that begins with many tasks.

    Args:
        tasks: the many, each made when its turn comes.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._rest, self._left = iter(tasks), len(tasks)
        self._first: deque[Task] = deque()
        self._last: deque[Task] = deque()

    def __len__(self) -> int:
        return len(self._first) + self._left + len(self._last)

    def next(self) -> Task:
        """The task whose turn it is, which goes on waiting."""
        if not self._first:
            if self._left:
                self._left -= 1
                self._first.append(next(self._rest))
            else:
                self._first.append(self._last.popleft())
        return self._first[0]

    def take(self) -> Task:
        """Take the task whose turn it is."""
        self.next()
        return self._first.popleft()

    def take_all(self) -> list[Task]:
        """Take all of them."""
        return [self.take() for _ in range(len(self))]

    def add(self, tasks: Iterable[Task]) -> None:
        """Have some wait at the end."""
        self._last.extend(tasks)

    def add_first(self, tasks: Iterable[Task]) -> None:
        """Have some be the next."""
        self._first.extendleft(tasks)

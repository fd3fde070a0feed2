"""Large sources that several workers are at, part by part, before one of them writes their outputs."""

from __future__ import annotations

from collections.abc import Callable

from intarsia.jobs import Task
from intarsia.scaling.waiting import Waiting

Cut = Callable[[Task, int], list[Task]]


class Cuts:
    """Tasks of which parts are in work.

    Args:
        cut: makes the parts of a task for so many workers; none, where it has to be done as a whole.
    """

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._left: dict[str, tuple[Task, set[str]]] = {}
        self._asked: set[str] = set()

    def __len__(self) -> int:
        """How many tasks wait for their parts."""
        return len(self._left)

    def make(self, waiting: Waiting, workers: int) -> None:
        """Put parts in the place of tasks that wait, if those are fewer than the workers.

        Among many tasks none is cut: each is done sooner as a whole, and all workers have something to do.
        """
        if len(waiting) >= workers:
            return
        whole, cut = list[Task](), list[Task]()
        for task in waiting.take_all():
            parts = self._parts(task, workers)
            if parts:
                self._left[task.id] = task, {part.id for part in parts}
            (cut if parts else whole).extend(parts or [task])
        waiting.add([*whole, *cut])

    def _parts(self, task: Task, workers: int) -> list[Task]:
        if task.part is not None or task.id in self._asked or task.medium.light:
            return []
        self._asked.add(task.id)
        return self._cut(task, workers)

    def over(self, part: Task) -> list[Task]:
        """Take a part for done, or given up; returns the task itself after its last one."""
        for whole, (task, left) in self._left.items():
            if part.id in left:
                left.remove(part.id)
                if left:
                    break
                del self._left[whole]
                return [task]
        return []

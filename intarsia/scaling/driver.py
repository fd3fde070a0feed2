"""The driver of a job: gives tasks out, replaces workers that died, and finds out which task ends them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from intarsia.errors import ModelError
from intarsia.jobs import Record, Task
from intarsia.jobs.attempts import Outcome
from intarsia.scaling.cuts import Cut, Cuts
from intarsia.scaling.pool import Event, Pool
from intarsia.scaling.terms import Answer, Order
from intarsia.scaling.waiting import Waiting

Quarantine = Callable[[Task, str], Record | None]
_AT_ONCE = 3  # pictures a worker holds: one is written, one computed, one read
_TICK = 0.2
_BUSY = 30.0  # seconds that a task is waited for that somebody else is at
_DEATHS = 2
_STARTS = 3  # workers in a row that end before they are ready


class Driver:
    """Gives the tasks of a job to the workers of a pool.

    A worker that died is replaced. What it had in work is done again, one after the other and each alone in a worker; a
    task that ends its worker there too has ended it twice, and is put into quarantine.

    Args:
        pool: holds the workers.
        tasks: what is to be done.
        quarantine: adds the line of a task that is given up, with the reason; returns it.
        stop: asked again and again.
        cut: makes parts of a task, where workers would have nothing to do.
    """

    def __init__(
        self, pool: Pool, tasks: Sequence[Task], quarantine: Quarantine, stop: Callable[[], bool], cut: Cut
    ) -> None:
        self._pool, self._quarantine, self._stop = pool, quarantine, stop
        self._waiting = Waiting(tasks)
        self._cuts = Cuts(cut)
        self._suspects: deque[Task] = deque()
        self._busy: dict[str, tuple[Task, float, float]] = {}
        self._given: dict[str, dict[str, Task]] = {}
        self._ready: set[str] = set()
        self._alone: set[str] = set()
        self._deaths: Counter[str] = Counter()
        self._started = self._failed_starts = 0

    def outcomes(self) -> Iterator[Outcome]:
        """Go through what becomes of the tasks, as it happens.

        Raises:
            IntarsiaError: no task can be done any more: the disk is full, or workers cannot begin.
        """
        while self._left():
            if self._stop():
                yield from self._stopped()
                return
            self._cuts.make(self._waiting, self._pool.wanted)
            self._people()
            self._hand_out()
            for event in self._pool.events(_TICK):
                yield from self._heard(event)

    def _left(self) -> int:
        """How many tasks there are that nobody has answered for."""
        held = sum(map(len, self._given.values()))
        return len(self._waiting) + len(self._suspects) + len(self._busy) + len(self._cuts) + held

    def _people(self) -> None:
        """Start as many workers as there should be, and work for."""
        for _ in range(min(self._pool.wanted, self._left()) - len(self._given)):
            name = f"worker{self._started}"
            self._started += 1
            self._pool.start(name)
            self._given[name] = {}

    def _hand_out(self) -> None:
        now = time.monotonic()
        for task, since, due in list(self._busy.values()):
            if due <= now:
                self._busy[task.id] = task, since, float("inf")
                self._waiting.add([task])
        names = sorted(self._ready - self._alone, key=lambda name: len(self._given[name]))
        if self._suspects and names:  # one gets nothing more until it is free for them
            first = names.pop(0)
            if not self._given[first]:
                self._alone.add(first)
                self._give(first, self._suspects.popleft())
        for level in range(1, 1 + (_AT_ONCE if len(self._waiting) > len(names) else 1)):
            for name in names:
                if self._waiting and len(self._given[name]) < level and self._fits(name):
                    self._give(name, self._waiting.take())

    def _fits(self, name: str) -> bool:
        """Whether a worker may hold the next task: beside others only what takes moments."""
        held = self._given[name].values()
        return not held or all(task.medium.light for task in (*held, self._waiting.next()))

    def _give(self, name: str, task: Task) -> None:
        self._given[name][task.id] = task
        self._pool.give(name, Order.of(task))

    def _heard(self, event: Event) -> Iterator[Outcome]:
        if event.what == "ready":
            self._ready.add(event.worker)
            self._failed_starts = 0
        elif event.what == "failed" and event.error is not None:
            raise event.error
        elif event.what == "died":
            yield from self._died(event)
        elif event.answer is not None:
            yield from self._answered(event.worker, event.answer)

    def _answered(self, worker: str, answer: Answer) -> Iterator[Outcome]:
        task = self._given[worker].pop(answer.id, None)
        if not self._given[worker]:
            self._alone.discard(worker)
        if task is None:
            return
        now = time.monotonic()
        _, since, _ = self._busy.get(task.id, (task, now, now))
        if answer.kind == "busy" and now - since < _BUSY:
            self._busy[task.id] = task, since, now + _TICK
            return
        self._busy.pop(task.id, None)
        if task.part is None:
            yield Outcome(task, answer.kind, answer.record)
        else:
            self._waiting.add_first(self._cuts.over(task))

    def _died(self, event: Event) -> Iterator[Outcome]:
        held = list(self._given.pop(event.worker).values())
        if event.worker not in self._ready:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise ModelError(
                    f"{_STARTS} workers in a row have ended before they began (the last one {event.reason}); perhaps "
                    "there is too little memory for as many: take fewer"
                )
        self._ready.discard(event.worker)
        self._alone.discard(event.worker)
        for task in held:
            self._deaths[task.id] += event.blame
            if len(held) == 1 and self._deaths[task.id] >= _DEATHS:
                self._busy.pop(task.id, None)
                if task.part is not None:  # the whole will show whether it is to blame
                    self._waiting.add_first(self._cuts.over(task))
                    continue
                reason = f"it ended its process twice (the last one {event.reason}); perhaps memory was short"
                record = self._quarantine(task, reason)
                yield Outcome(task, "done" if record is not None else "busy", record)
            elif event.blame:
                self._suspects.append(task)
            else:
                self._waiting.add_first([task])

    def _stopped(self) -> Iterator[Outcome]:
        """Let workers leave, and hear what they have finished."""
        self._pool.stop()
        while self._given:
            for event in self._pool.events(_TICK):
                if event.what == "died":
                    self._given.pop(event.worker)
                elif event.answer is not None:
                    task = self._given[event.worker].pop(event.answer.id, None)
                    if task is not None and task.part is None:
                        yield Outcome(task, event.answer.kind, event.answer.record)

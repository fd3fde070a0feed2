"""The driver, before a pool whose workers do, and die, as a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from intarsia.errors import DataError, ModelError
from intarsia.jobs import Task
from intarsia.jobs.attempts import Outcome
from intarsia.media.medium import PICTURE, VIDEO
from intarsia.scaling import driver as module
from intarsia.scaling.cuts import Cut
from intarsia.scaling.driver import Driver
from intarsia.scaling.pool import Event
from intarsia.scaling.terms import Answer, Order


def tasks(count: int, medium: Any = PICTURE) -> list[Task]:
    return [Task(f"{index}.png", str(index), medium, {"labels": f"{index}.mask.png"}) for index in range(count)]


class Scripted:
    """A pool whose workers answer by `act`, one order after the other."""

    def __init__(self, act: Callable[[str, str], Event], wanted: int = 2, ready: bool = True) -> None:
        self.wanted, self._act, self._can = wanted, act, ready
        self.orders: dict[str, deque[str]] = {}
        self.happened: deque[Event] = deque()
        self.most: dict[str, int] = {}
        self.given: list[tuple[str, str, int]] = []

    def start(self, name: str) -> None:
        self.orders[name] = deque()
        self.happened.append(Event(name, "ready") if self._can else Event(name, "died", reason="ended with 1"))

    def give(self, name: str, order: Order) -> None:
        self.orders[name].append(order.id)
        self.given.append((name, order.id, len(self.orders[name])))

    def events(self, seconds: float) -> Sequence[Event]:
        if self.happened:
            return [self.happened.popleft()]
        for name, orders in self.orders.items():
            if orders:
                event = self._act(name, orders[0])
                if event.what == "died":
                    del self.orders[name]
                else:
                    orders.popleft()
                return [event]
        return []

    def stop(self) -> None:
        self.happened.extend(Event(name, "died") for name in self.orders)


def done(worker: str, task: str) -> Event:
    return Event(worker, "answer", Answer(task, "done", {"id": task, "status": "done"}))


def drive(
    pool: Scripted, todo: list[Task], stop: Callable[[], bool] = lambda: False, cut: Cut = lambda task, workers: []
) -> list[Outcome]:
    def give_up(task: Task, reason: str) -> dict[str, Any]:
        return {"id": task.id, "status": "error", "error": reason}

    return list(Driver(pool, todo, give_up, stop, cut).outcomes())


def test_each_task_is_given_once() -> None:
    pool = Scripted(done)
    outcomes = drive(pool, tasks(20))
    assert sorted(int(outcome.task.id) for outcome in outcomes) == list(range(20))
    assert len(pool.given) == 20 and {name for name, _, _ in pool.given} == {"worker0", "worker1"}
    assert max(held for _, _, held in pool.given) == 3


def test_large_sources_are_given_one_by_one() -> None:
    pool = Scripted(done)
    assert len(drive(pool, tasks(7, VIDEO))) == 7
    assert max(held for _, _, held in pool.given) == 1


def test_what_kills_its_worker_twice_is_given_up_and_nothing_else() -> None:
    pool = Scripted(
        lambda worker, task: Event(worker, "died", reason="was ended by SIGKILL") if task == "5" else done(worker, task)
    )
    found = {outcome.task.id: outcome.record or {} for outcome in drive(pool, tasks(12))}
    assert {name for name, record in found.items() if record["status"] == "error"} == {"5"} and len(found) == 12
    assert found["5"]["error"].startswith("it ended its process twice (the last one was ended by SIGKILL)")


def test_a_machine_that_goes_blames_no_task() -> None:
    gone: list[str] = []

    def act(worker: str, task: str) -> Event:
        if task == "3" and len(gone) < 5:
            gone.append(worker)
            return Event(worker, "died", reason="ended", blame=False)
        return done(worker, task)

    outcomes = drive(Scripted(act), tasks(6))
    assert len(gone) == 5 and [(outcome.record or {})["status"] for outcome in outcomes] == ["done"] * 6


def test_what_is_busy_elsewhere_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TICK", 0.0)
    tries: list[str] = []

    def act(worker: str, task: str) -> Event:
        tries.append(task)
        if task == "1" and tries.count("1") < 4:
            return Event(worker, "answer", Answer(task, "busy", None))
        return done(worker, task)

    assert {outcome.kind for outcome in drive(Scripted(act), tasks(4))} == {"done"} and tries.count("1") == 4
    monkeypatch.setattr(module, "_BUSY", 0.0)
    tries.clear()
    kinds = {outcome.task.id: outcome.kind for outcome in drive(Scripted(act), tasks(4))}
    assert kinds == {"0": "done", "1": "busy", "2": "done", "3": "done"}


def test_workers_that_cannot_begin_end_the_job() -> None:
    with pytest.raises(ModelError, match=r"3 workers in a row have ended before they began .*ended with 1.*take fewer"):
        drive(Scripted(done, ready=False), tasks(4))


def test_a_full_disk_ends_the_job() -> None:
    def act(worker: str, task: str) -> Event:
        return Event(worker, "failed", error=DataError("the disk is full"))

    with pytest.raises(DataError, match="the disk is full"):
        drive(Scripted(act), tasks(4))


def test_a_stop_ends_all_workers() -> None:
    asked: list[int] = []
    pool = Scripted(done)
    outcomes = drive(pool, tasks(50), stop=lambda: asked.append(1) or len(asked) > 8)  # type: ignore[func-returns-value]
    assert 0 < len(outcomes) < 50


def test_no_more_workers_than_tasks() -> None:
    pool = Scripted(done, wanted=8)
    drive(pool, tasks(3))
    assert len(pool.orders) == 3


def in_parts(task: Task, workers: int) -> list[Task]:
    names = [f"{task.id}/{number}" for number in range(3)] if task.id == "0" else []
    return [Task(task.source, name, task.medium, {"rows": name}, part=(0, 1)) for name in names]


def test_a_large_source_waits_for_its_parts() -> None:
    pool = Scripted(done)
    assert [outcome.task.id for outcome in drive(pool, tasks(1, VIDEO), cut=in_parts)] == ["0"]
    assert [order for _, order, _ in pool.given] == ["0/0", "0/1", "0/2", "0"]
    assert {name for name, order, _ in pool.given if order != "0"} == {"worker0", "worker1"}


def test_among_many_sources_none_is_cut() -> None:
    pool = Scripted(done)
    assert len(drive(pool, tasks(3, VIDEO), cut=in_parts)) == 3 == len(pool.given)


def test_a_part_that_kills_its_worker_twice_blames_nobody() -> None:
    pool = Scripted(lambda worker, task: Event(worker, "died") if task == "0/1" else done(worker, task))
    outcomes = drive(pool, tasks(1, VIDEO), cut=in_parts)
    assert [(outcome.record or {})["status"] for outcome in outcomes] == ["done"]
    assert [order for _, order, _ in pool.given].count("0/1") == 2 and pool.given[-1][1] == "0"


def test_own_media_and_drawings_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    from intarsia.errors import UsageError

    with pytest.raises(UsageError, match="picture is known to this process alone"):
        Order.of(tasks(1, replace(PICTURE, things="paintings"))[0])
    assert Order.of(tasks(1)[0]).task() == tasks(1)[0]

"""What a pool of Ray tells, before a cluster that only a test plays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from intarsia.inference import Identity
from intarsia.jobs import JobOptions
from intarsia.scaling import OnRay, on_ray
from intarsia.scaling.terms import Answer, Order, Terms


class Died(Exception):
    """An actor's end."""


class Call:
    """What an actor was asked; answered when a test says so."""

    def __init__(self, answer: Any = None) -> None:
        self.answer, self.ready = answer, False


class Cluster:
    """The part of Ray that the pool uses."""

    exceptions = SimpleNamespace(RayActorError=Died)

    def __init__(self) -> None:
        self.killed: list[Any] = []

    def remote(self, **options: Any) -> Any:
        def method() -> Any:
            return SimpleNamespace(remote=lambda *given: Call())

        return lambda kind: SimpleNamespace(
            remote=lambda *given: SimpleNamespace(begin=method(), do=method(), stop=method())
        )

    def wait(self, calls: list[Call], *, num_returns: int, timeout: float) -> tuple[list[Call], list[Call]]:
        return [call for call in calls if call.ready][:num_returns], []

    def get(self, call: Call) -> Any:
        if isinstance(call.answer, Died):
            raise call.answer
        return call.answer

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": "here", "Alive": True}, {"NodeID": "gone", "Alive": False}]


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(on_ray, "require", lambda module, extra: Cluster())
    terms = Terms(dict, Identity("", {}, {}), JobOptions(), False, ".", "out", "sign", 1)
    return on_ray.RayPool(terms, OnRay(workers=3))


def answer(pool: Any, name: str, said: Any) -> list[Any]:
    """Let the first call of a worker be answered."""
    call = next(call for call, (worker, _) in pool._calls.items() if worker == name)
    call.answer, call.ready = said, True
    return list(pool.events(0.0))


def test_a_worker_begins_answers_and_dies(pool: Any) -> None:
    for name, node in (("a", "here"), ("b", "gone")):
        pool.start(name)
        (event,) = answer(pool, name, node)
        assert (event.worker, event.what) == (name, "ready")
        pool.give(name, Order("1.png", "1", "picture", {}, (), ()))
    done = Answer("1", "done", {"id": "1"})
    assert answer(pool, "a", done)[0].answer == done
    pool.give("a", Order("2.png", "2", "picture", {}, (), ()))
    (event,) = answer(pool, "a", Died("The actor died. Worker exit detail: Worker unexpectedly exits. And more."))
    assert (event.what, event.reason, event.blame) == ("died", "ended: Worker unexpectedly exits", True)
    (event,) = answer(pool, "b", Died("the node went"))
    assert (event.what, event.blame) == ("died", False) and pool._calls == {}


def test_workers_that_are_stopped_end_when_they_have_answered(pool: Any) -> None:
    for name in ("idle", "at work", "not begun"):
        pool.start(name)
    for name in ("idle", "at work"):
        answer(pool, name, "here")
    pool.give("at work", Order("1.png", "1", "picture", {}, (), ()))
    pool.stop()
    assert {(event.worker, event.what) for event in pool.events(0.0)} == {("idle", "died"), ("not begun", "died")}
    (event,) = answer(pool, "at work", Answer("1", "stopped", None))
    assert event.what == "answer"
    assert [(event.worker, event.what) for event in pool.events(0.0)] == [("at work", "died")]
    assert len(pool._ray.killed) == 3 and pool._actors == {}

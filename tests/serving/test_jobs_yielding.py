"""Jobs let answers go first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from intarsia.serving.jobs import yielding
from intarsia.serving.jobs.yielding import MOST, QUIET, Yielding, give_way


class Busy:
    """An engine that is busy for some looks, and then quiet for longer and longer."""

    def __init__(self, looks: int, draining: bool = False) -> None:
        self.left, self.draining, self.since = looks, draining, 0.0

    @property
    def idle(self) -> float:
        if self.left > 0:
            return 0.0
        return self.since

    def sleep(self, seconds: float) -> None:
        self.since = 0.0 if self.left > 0 else self.since + seconds
        self.left -= 1


def slept(engine: Busy) -> float:
    steps: list[float] = []

    def sleep(seconds: float) -> None:
        steps.append(seconds)
        engine.sleep(seconds)

    give_way(engine, sleep)  # type: ignore[arg-type]
    return round(sum(steps), 6)


def test_a_step_waits_until_it_is_quiet_but_not_for_ever() -> None:
    quiet = SimpleNamespace(idle=QUIET, draining=False)
    give_way(quiet, lambda seconds: pytest.fail("nothing to wait for"))  # type: ignore[arg-type]
    assert slept(Busy(10)) == round(10 * 0.01 + QUIET, 6)
    assert slept(Busy(10_000)) == MOST
    assert slept(Busy(10_000, draining=True)) == 0


def test_a_runtime_that_yields_is_the_same_in_all_else(monkeypatch: Any) -> None:
    asked: list[object] = []
    monkeypatch.setattr(yielding, "give_way", asked.append)
    runtime = SimpleNamespace(name="onnx", stride=4, logits=lambda x, place: (x + 1, place))
    engine = object()
    made = Yielding(runtime, engine)  # type: ignore[arg-type]
    x = np.zeros((1, 1), np.float32)
    assert (made.name, made.stride) == ("onnx", 4)
    assert np.array_equal(made.logits(x, "here")[0], x + 1) and asked == [engine]  # type: ignore[arg-type]

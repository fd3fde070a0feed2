"""Work that nobody waits for lets answers go first."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from intarsia.serving.yielding import MOST, QUIET, TURN, Way, Yielding


class World:
    """A clock that runs while somebody sleeps, and a server that is busy until a time."""

    def __init__(self, busy_until: float, *, ends: bool = False) -> None:
        self.now, self.busy_until = 0.0, busy_until
        self.way = Way(self.idle, lambda: ends, lambda: self.now, self.sleep)

    def idle(self) -> float:
        return max(0.0, self.now - self.busy_until)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def waited(self) -> float:
        """Seconds that the next step waits."""
        before = self.now
        self.way.give()
        return self.now - before


def test_a_step_waits_until_it_is_quiet() -> None:
    world = World(1.0)
    assert world.waited() == pytest.approx(1.0 + QUIET, abs=0.02)
    assert world.waited() == 0


def test_under_steady_load_there_are_turns() -> None:
    world = World(1e9)
    assert world.waited() == pytest.approx(MOST, abs=0.02)
    assert world.waited() == 0
    world.now += TURN / 2
    assert world.waited() == 0
    world.now += TURN
    assert world.waited() == pytest.approx(MOST, abs=0.02)


def test_nothing_is_waited_for_when_the_server_ends() -> None:
    assert World(1e9, ends=True).waited() == 0


def test_a_runtime_that_yields_is_the_same_in_all_else() -> None:
    world = World(1.0)
    runtime = SimpleNamespace(name="onnx", stride=4, logits=lambda x, place: (x + 1, place))
    made = Yielding(runtime, world.way)  # type: ignore[arg-type]
    x = np.zeros((1, 1), np.float32)
    assert (made.name, made.stride) == ("onnx", 4)
    found = made.logits(x, "here")
    assert np.array_equal(found[0], x + 1) and found[1] == "here" and world.now > 1.0

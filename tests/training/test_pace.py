"""How many steps the minutes have room for."""

import pytest

from intarsia.training.loop.pace import Pace, Paced


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pace(clock, minutes, most=10_000, **changes):
    settings = {"validation": 0.0, "between": 10, "agreed": float} | changes
    return Pace(minutes, most, started=0.0, clock=clock, **settings)


def follow(made, clock, seconds, first=0):
    """Go through a run; returns the steps and the places of their learning rates."""
    places, step = [], first
    while True:
        step += 1
        places.append(made.place(step))
        clock.now += seconds(step) if callable(seconds) else seconds
        made.stepped(step)
        if made.is_over(step) or step == made.total:
            return step, places


def test_without_minutes_a_run_has_all_its_steps():
    made = pace(Clock(), None, 7)
    assert (made.total, [made.place(step) for step in (1, 7)], made.is_over(7)) == (7, [0, 6], False)


def test_the_speed_of_the_first_steps_decides_and_the_rate_falls_to_its_end_in_time():
    clock = Clock()
    clock.now = 6.0  # of loading
    made = pace(clock, 1)
    steps, places = follow(made, clock, lambda step: 3.0 if step == 1 else 0.1)  # the first one takes longer
    assert steps == made.total == pytest.approx(1 + (60 - 9) / 0.1, rel=0.06)
    assert 54 < clock.now <= 60
    assert places[60:] == list(range(60, steps))  # of the step alone, once it is decided
    assert places[0] < 20


def test_validations_are_allowed_for():
    clock = Clock()
    made = pace(clock, 1, validation=30.0, between=50)
    step, took = 0, 0.0
    while not made.is_over(step):
        step += 1
        clock.now += 0.1
        made.stepped(step)
        if step % 50 == 0:
            clock.now += 1.0
            took += 1.0
            made.validated(1.0)
    assert took > 5 and clock.now + 1.0 <= 60
    assert clock.now > 54


def test_a_machine_that_becomes_slower_ends_in_time_too():
    clock = Clock()
    made = pace(clock, 1)
    steps, places = follow(made, clock, lambda step: 0.1 if step < 200 else 0.3)
    assert clock.now == pytest.approx(60, abs=0.5)
    assert steps < made.total and places[-1] >= 0.98 * made.total  # the rate has fallen all the same


def test_a_slow_start_is_made_good():
    clock = Clock()
    made = pace(clock, 1)
    steps, _ = follow(made, clock, lambda step: 1.0 if step < 6 else 0.1)
    assert steps > 450 and 54 < clock.now <= 60


def test_no_more_steps_than_the_recipe_has():
    clock = Clock()
    made = pace(clock, 10, 40)
    steps, places = follow(made, clock, 0.01)
    assert (steps, places[-1]) == (40, 39)


def test_a_resumed_run_goes_on_to_the_same_end():
    clock = Clock()
    whole = pace(clock, 1)
    for step in range(1, 201):
        clock.now += 0.1
        whole.stepped(step)
    stored = whole.stored()
    assert stored == Paced(1, whole.total, 2, pytest.approx(20.0))
    later = Clock()
    resumed = pace(later, 1)
    resumed.resume(stored)
    assert resumed.total == whole.total
    steps, places = follow(resumed, later, 0.1, first=200)
    assert steps == whole.total and places == list(range(200, steps))
    assert 35 < later.now <= 40


def test_other_minutes_are_decided_anew():
    clock = Clock()
    resumed = pace(clock, 2)
    resumed.resume(Paced(1, 500, 2, 58.0))
    steps, _ = follow(resumed, clock, 0.1, first=500)
    assert steps == pytest.approx(500 + 620, rel=0.06)
    assert pace(Clock(), None, 70).total == 70

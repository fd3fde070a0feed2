"""Schedules, without any network."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import UsageError
from intarsia.models.video import (
    Always,
    Budget,
    FixedRate,
    LearnedDeviation,
    Moment,
    Policy,
    SceneCut,
    ScoreChange,
    alternating,
    read_policy,
)


def ticks(policy: Policy, changes: list[float], deviations: list[float] | None = None) -> list[int]:
    """Frames on which the deep part runs, given how far each frame is from the last tick."""
    memory, age, found = {}, 0, []
    for index, change in enumerate(changes):
        age += 1
        deviation = change if deviations is None else deviations[index]
        decision = policy.decide(Moment(index + 1, age, memory, lambda c=change: c, lambda d=deviation: d))
        memory = decision.memory
        if decision.tick:
            found.append(index + 1)
            age = 0
    return found


def test_schedules_by_hand() -> None:
    rising = [0.1, 0.2, 0.3, 0.1, 0.2, 0.3]
    assert ticks(Always(), rising) == [1, 2, 3, 4, 5, 6]
    assert ticks(FixedRate(3), rising) == [3, 6]
    assert ticks(FixedRate(4, 1), rising) == [1, 5]
    assert ticks(alternating(), rising) == [2, 4, 6]
    assert ticks(ScoreChange(0.3), rising) == [3, 6]
    assert ticks(ScoreChange(0.31), rising) == []
    assert ticks(ScoreChange(0.31, max_gap=4), rising) == [4]
    assert ticks(LearnedDeviation(0.5), rising, [0, 0.6, 0, 0, 0, 0.5]) == [2, 6]


def test_the_score_is_only_computed_when_it_is_asked_for() -> None:
    def never() -> float:
        raise AssertionError("computed without need")

    for policy in (Always(), FixedRate(2), alternating()):
        policy.decide(Moment(3, 1, {}, never, never))


@given(st.floats(0.05, 0.95), st.lists(st.floats(0.01, 10), min_size=300, max_size=400), st.integers(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_budget_is_kept_whatever_the_video_does(ratio: float, changes: list[float], scale: int) -> None:
    found = ticks(Budget(ratio), [change * 10.0**-scale for change in changes])
    # The threshold's logarithm stays within the scores' own range and a step, so that the steps must balance.
    slack = (math.log(10 / 0.01) + 1) / 0.3
    assert abs(len(found) - ratio * len(changes)) <= slack


def test_a_budget_prefers_what_changed_most() -> None:
    changes = [0.1, 0.1, 0.1, 1.0] * 100
    found = ticks(Budget(0.25), changes)
    assert sum(frame % 4 == 0 for frame in found) / len(found) > 0.9


def test_nothing_moves_nothing_ticks() -> None:
    assert ticks(Budget(0.5), [0.0] * 50) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedRate(0), "every is at least 1"),
        (lambda: FixedRate(3, 3), "phase from 0 to every - 1"),
        (lambda: Budget(0), "ratio is above 0"),
        (lambda: Budget(1.2), "ratio is above 0"),
        (lambda: ScoreChange(0.1, max_gap=-1), "max_gap is a number of frames"),
        (lambda: read_policy(every=3, ratio=0.5), "every and ratio are different schedules"),
    ],
)
def test_wrong_numbers(make: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()  # type: ignore[operator]


def test_options_make_policies() -> None:
    assert read_policy() == Always()
    assert read_policy(every=4, max_gap=2) == FixedRate(4, max_gap=2)
    assert read_policy(threshold=0.2) == ScoreChange(0.2)
    assert read_policy(threshold=0.2, learned=True) == LearnedDeviation(0.2)
    assert read_policy(ratio=0.5, learned=True) == Budget(0.5, learned=True)


def test_cuts_of_real_video(real_data) -> None:  # type: ignore[no-untyped-def]
    import cv2
    import torch

    def thumbnails(folder: str, count: int) -> list[torch.Tensor]:
        files = sorted((real_data / folder).glob("*"))[:count]
        pictures = [torch.from_numpy(cv2.imread(str(file))).permute(2, 0, 1)[None].float() / 58 - 2 for file in files]
        return [SceneCut().thumbnail(picture) for picture in pictures]

    davis = sorted(path.name for path in (real_data / "davis" / "JPEGImages").glob("*/*"))
    shots = [thumbnails("camvid/val", 101)] + [thumbnails(f"davis/JPEGImages/480p/{name}", 200) for name in davis]
    for shot in shots:
        assert len(shot) > 20
        assert not any(SceneCut().is_cut(now, before) for before, now in pairwise(shot))
        # also at a third of the rate
        assert not any(SceneCut().is_cut(now, before) for before, now in zip(shot[::3], shot[3::3], strict=False))
    for first in shots:
        for second in shots:
            assert first is second or SceneCut().is_cut(first[-1], second[0])

"""SteadyPredictor: shares of a class without flicker, anew at cuts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from people import red_disc, red_people

from intarsia.errors import UsageError
from intarsia.inference import SteadyPredictor


def noisy(count: int, step: float = 0.0) -> list[np.ndarray]:
    """A disc whose surroundings flicker in a colour between."""
    rng = np.random.default_rng(0)
    frames = []
    for index in range(count):
        frame, _ = red_disc(128, 128, at=(50 + step * index, 64), radius=30)
        frame[:, 110:, 0] = 128
        frame[:, 110:, 2] = 128 + rng.choice([-6, 6])
        frames.append(frame)
    return frames


def changes(labels: list[np.ndarray]) -> float:
    return float(np.mean([(now != before).mean() for before, now in pairwise(labels)]))


def test_doubt_flickers_less_than_half_as_much() -> None:
    predictor, frames = red_people(), noisy(12)
    alone = [predictor.segment(frame).labels for frame in frames]
    steady = [result.segmentation.labels for result in SteadyPredictor(predictor, "person").stream(frames)]
    assert changes(alone) > 0.02 and changes(steady) < 0.5 * changes(alone)


def test_what_moves_does_not_lag() -> None:
    predictor = red_people()
    frames = [red_disc(128, 128, at=(40 + 4 * index, 64), radius=30)[0] for index in range(8)]
    for frame, result in zip(frames, SteadyPredictor(predictor, "person").stream(frames), strict=True):
        truth = predictor.segment(frame).labels == 1
        found = result.segmentation.labels == 1
        assert (truth & found).sum() / (truth | found).sum() > 0.97
        assert result.shares is not None and result.shares.shape == (128, 128)


def test_a_cut_and_another_size_begin_anew() -> None:
    disc = red_disc(128, 128)[0]
    other = np.random.default_rng(2).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    frames = [disc, disc, other, red_disc(64, 128)[0]]
    results = list(SteadyPredictor(red_people(), "person").stream(frames))
    assert [result.cut for result in results] == [True, False, True, True]
    alone = next(iter(SteadyPredictor(red_people(), "person").stream([other])))
    np.testing.assert_array_equal(results[2].shares, alone.shares)


def test_a_class_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="person"):
        SteadyPredictor(red_people(), "persn")

"""Drawing pixels: bounded, balanced, and each with the same chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.training.fitting.sampling import PixelSample


def stream(sample: PixelSample, parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Draw from parts of labels; the one feature is the pixel's number in the whole stream."""
    start = 0
    for labels in parts:
        choice = sample.choose(labels)
        numbers = np.arange(start, start + len(labels), dtype=np.float32)[None]
        if choice:
            sample.add(choice, labels, numbers)
        start += len(labels)
    features, labels = sample.result()
    return features[:, 0].astype(int), labels


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-1, 2), max_size=40), max_size=8), st.integers(1, 60))
def test_as_many_of_each_class_as_there_are_and_no_more(parts: list[list[int]], pixels: int) -> None:
    arrays = [np.array(part, np.int64) for part in parts]
    every = np.concatenate([*arrays, np.empty(0, np.int64)])
    sample = PixelSample(pixels, 3, 1, seed=0)
    numbers, labels = stream(sample, arrays)
    counts = [int((every == label).sum()) for label in range(3)]
    assert sample.seen is not None and sample.seen.tolist() == counts
    assert [int((labels == label).sum()) for label in range(3)] == [min(max(1, pixels // 3), n) for n in counts]
    assert len(set(numbers.tolist())) == len(numbers) and np.array_equal(every[numbers], labels)


@pytest.mark.parametrize("classes", [None, 1])
def test_every_pixel_has_the_same_chance(classes: int | None) -> None:
    """400 draws of 10 of 100 pixels, which come in unequal parts: each is drawn about 40 times (sigma 6)."""
    drawn = np.zeros(100, int)
    parts = [np.zeros(size, np.int64) for size in (1, 60, 4, 30, 5)]
    for seed in range(400):
        drawn[stream(PixelSample(10, classes, 1, seed=seed), parts)[0]] += 1
    assert drawn.sum() == 4000 and drawn.min() > 15 and drawn.max() < 70
    assert drawn[:61].mean() == pytest.approx(drawn[61:].mean(), abs=4)


def test_without_classes_unlabelled_pixels_are_drawn_too() -> None:
    _, labels = stream(PixelSample(50, None, 1, seed=0), [np.array([-1] * 80 + [1] * 20, np.int64)])
    assert len(labels) == 50 and 25 < (labels == -1).sum() < 50


def test_the_same_seed_draws_the_same() -> None:
    parts = [np.random.default_rng(0).integers(-1, 3, 500) for _ in range(3)]
    first, again, other = (stream(PixelSample(90, 3, 1, seed=seed), parts)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_nothing_labelled_asks_for_nothing() -> None:
    sample = PixelSample(90, 3, 1, seed=0)
    assert sample.choose(np.full(1000, -1, np.int64)) == []
    assert len(sample.result()[1]) == 0

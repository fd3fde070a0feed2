"""V(Rand) and V(Info) against all pairs of elements, scikit-image and scikit-learn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from skimage.metrics import adapted_rand_error, variation_of_information
from sklearn.metrics import normalized_mutual_info_score

from intarsia.errors import DataError
from intarsia.metrics import PartitionAgreement, PartitionScores


def measured(*pairs: tuple[np.ndarray, np.ndarray], ignore: int | None = None) -> PartitionScores:
    metric = PartitionAgreement(ignore=ignore)
    for prediction, target in pairs:
        metric.update(prediction, target)
    return metric.compute()


def random_pair(seed: int, shape: tuple[int, ...] = (6, 7)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 4, shape), random.integers(0, 5, shape)


@pytest.mark.parametrize("shape", [(6, 7), (3, 4, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_rand_equals_all_pairs(seed: int, shape: tuple[int, ...]) -> None:
    prediction, target = random_pair(seed, shape)
    places = [place for place in np.ndindex(shape) if target[place] > 0]

    def together(labels: np.ndarray, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        return one == other or (labels[one] == labels[other] and labels[one] > 0)

    pairs = list(product(places, places))
    same = [(together(prediction, *pair), together(target, *pair)) for pair in pairs]
    both, guessed, true = sum(a and b for a, b in same), sum(a for a, _ in same), sum(b for _, b in same)
    found = measured((prediction, target))
    assert found.rand_split == pytest.approx(both / true)
    assert found.rand_merge == pytest.approx(both / guessed)
    assert found.rand == pytest.approx(2 * both / (guessed + true))


@pytest.mark.parametrize("seed", range(5))
def test_equals_other_libraries(seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 5, (40, 40)).repeat(4, 0).repeat(4, 1)
    noise = random.integers(1, 6, target.shape) + 10 * random.integers(0, 2, target.shape)
    prediction = np.where(random.random(target.shape) < 0.3, noise, target + 1)
    found = measured((prediction, target))
    # scikit-image does not pair an element with itself
    error, *rest = adapted_rand_error(target, prediction)
    assert (found.rand, found.rand_split, found.rand_merge) == pytest.approx((1 - error, *rest), abs=2e-3)
    inside = target > 0
    assert found.info == pytest.approx(normalized_mutual_info_score(target[inside], prediction[inside]))
    split, merge = variation_of_information(target[inside], prediction[inside])
    entropies = [
        -sum(p * np.log2(p) for p in np.unique(numbers[inside], return_counts=True)[1] / inside.sum())
        for numbers in (prediction, target)
    ]
    expected = (1 - split / entropies[0], 1 - merge / entropies[1])
    assert (found.info_split, found.info_merge) == pytest.approx(expected)


def test_splits_and_merges_by_hand() -> None:
    target = np.array([1, 1, 1, 1, 2, 2, 2, 2, 0, 0])
    merged, split = np.full(10, 7), np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    found = measured((target * 5, target))
    assert (found.rand, found.info, found.images) == pytest.approx((1, 1, 1))
    found = measured((merged, target))
    assert (found.rand_split, found.rand_merge, found.rand) == pytest.approx((1, 0.5, 2 / 3))
    assert (found.info_split, found.info_merge, found.info) == pytest.approx((1, 0, 0))
    found = measured((split, target))
    assert (found.rand_split, found.rand_merge, found.rand) == pytest.approx((0.5, 1, 2 / 3))
    assert (found.info_split, found.info_merge, found.info) == pytest.approx((0.5, 1, 2 / 3))


def test_background_of_the_prediction_is_no_segment() -> None:
    target = np.array([1, 1, 1, 1])
    found = measured((np.array([3, 3, 0, 0]), target))
    assert found.rand_split == pytest.approx((4 + 1 + 1) / 16) and found.rand_merge == 1


def test_streaming_unknown_elements_and_nothing_at_all() -> None:
    first, second = random_pair(1), random_pair(2)
    whole = measured(first, second)
    assert whole.rand == pytest.approx((measured(first).rand + measured(second).rand) / 2)
    one, other = PartitionAgreement(), PartitionAgreement()
    one.update(*first)
    other.update(*second)
    one.merge(other)
    assert one.compute() == whole
    target = np.array([1, 1, 2, 255])
    assert measured((np.array([1, 1, 2, 2]), target), ignore=255).rand == 1
    nothing = measured((np.ones(4, int), np.zeros(4, int)))
    assert np.isnan(nothing.rand) and nothing.images == 0 and nothing.to_json()["info"] is None
    with pytest.raises(DataError, match="down to -1"):
        measured((np.array([-1]), np.array([1])))
    with pytest.raises(DataError, match="differ in shape"):
        measured((np.array([1, 2]), np.array([1])))

"""The stored forest is scikit-learn's."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from intarsia.errors import ModelError
from intarsia.models.classical import FittingData
from intarsia.models.classical.forest import Forest, _rounded_down


def samples(classes: int, count: int = 3000, features: int = 7) -> FittingData:
    random = np.random.default_rng(0)
    values = random.normal(size=(count, features)).astype(np.float32)
    labels = (values[:, :classes] + random.normal(size=(count, min(classes, features)))).argmax(1)
    return FittingData(values, labels.astype(np.int64), random.uniform(0.5, 2, count).astype(np.float32))


@pytest.mark.parametrize(("classes", "trees", "leaves"), [(2, 1, 2), (2, 12, 300), (5, 25, 64), (7, 3, 1000)])
def test_equals_predict_proba(classes: int, trees: int, leaves: int) -> None:
    data = samples(classes)
    head = Forest(classes, trees=trees, leaves=leaves, least_pixels=2)
    head.fit(data, seed=3, progress=lambda *_: None)
    theirs = RandomForestClassifier(trees, max_leaf_nodes=leaves, min_samples_leaf=2, random_state=3)
    theirs.fit(data.features, data.labels, data.weights)
    fresh = np.random.default_rng(1).normal(size=(1000, 7)).astype(np.float32)
    expected = theirs.predict_proba(fresh)
    for way in (head.in_numba, head.in_torch, head):
        found = way(torch.from_numpy(np.ascontiguousarray(fresh.T))).softmax(0).numpy().T
        assert np.abs(found - expected).max() <= 1e-6


def test_extra_trees_and_values_on_a_threshold() -> None:
    """Whole-number features lie exactly on what float32 makes of some thresholds."""
    random = np.random.default_rng(0)
    values = (random.integers(0, 9, (2000, 4)) / 10).astype(np.float32)
    labels = (values.sum(1) * 10).astype(int) % 4
    theirs = ExtraTreesClassifier(10, max_leaf_nodes=200, random_state=0).fit(values, labels)
    head = Forest(4, trees=10, leaves=200, least_pixels=1)
    head.take([tree.tree_ for tree in theirs.estimators_], theirs.classes_)
    planes = torch.from_numpy(np.ascontiguousarray(values.T))
    assert np.abs(head.in_numba(planes).softmax(0).numpy().T - theirs.predict_proba(values)).max() <= 1e-6
    assert torch.equal(head.in_numba(planes), head.in_torch(planes))


def test_a_threshold_is_rounded_down() -> None:
    exact = np.array([0.1, 1 / 3, 0.5, -0.1, 2.0**-30 + 1])
    rounded = _rounded_down(exact)
    assert (rounded.astype(float) <= exact).all() and rounded[2] == 0.5
    assert (np.nextafter(rounded, np.float32(np.inf)).astype(float) > exact).all()


def test_a_class_that_was_not_seen_is_never_predicted() -> None:
    data = samples(2)
    head = Forest(4, trees=4, leaves=50, least_pixels=1)
    head.fit(
        FittingData(data.features, np.where(data.labels == 1, 3, 1), data.weights), seed=0, progress=lambda *_: None
    )
    found = head(torch.from_numpy(data.features.T)).softmax(0)
    assert found[[0, 2]].max() < 1e-8 and set(found.argmax(0).tolist()) == {1, 3}


def test_the_same_seed_grows_the_same_forest_with_progress() -> None:
    told: list[tuple[str, int, int]] = []
    states = []
    for seed in (0, 0, 1):
        head = Forest(3, trees=12, leaves=20, least_pixels=1)
        head.fit(samples(3), seed=seed, progress=lambda *stage: told.append(stage))
        states.append(head.threshold.clone())
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])
    assert told[:2] == [("growing trees", 0, 12), ("growing trees", 10, 12)]


def test_any_number_of_pixels_and_threads() -> None:
    data = samples(3)
    head = Forest(3, trees=3, leaves=20, least_pixels=1)
    head.fit(data, seed=0, progress=lambda *_: None)
    planes = torch.from_numpy(np.ascontiguousarray(data.features.T))
    whole = head(planes)
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            for pixels in (0, 1, 255, 256, 257, 3000):
                assert torch.equal(head(planes[:, :pixels].contiguous()), whole[:, :pixels])
    finally:
        torch.set_num_threads(threads)


def test_without_numba_it_says_what_would_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    data = samples(3)
    head = Forest(3, trees=3, leaves=20, least_pixels=1)
    head.fit(data, seed=0, progress=lambda *_: None)
    planes = torch.from_numpy(np.ascontiguousarray(data.features.T))
    expected = head(planes)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"eight times as long as on Numba: pip install 'intarsia\[classical\]'"):
        assert torch.equal(head(planes), expected)


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"leaves": 1}, {"least_pixels": 0}, {"trees": -3}])
def test_absurd_options(wrong: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="a forest has at least one tree"):
        Forest(3, **{"trees": 3, "leaves": 20, "least_pixels": 1} | wrong)


def test_a_forest_too_large_for_its_numbers() -> None:
    with pytest.raises(ModelError, match="100000 trees of 1000000 leaves are too many"):
        Forest(3, trees=100_000, leaves=1_000_000, least_pixels=1)

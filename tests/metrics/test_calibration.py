"""Calibration error against hand-computed numbers and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from intarsia.errors import DataError, UsageError
from intarsia.metrics import Calibration


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(2, 4, 40, 30))
    return torch.from_numpy(logits).softmax(1).numpy(), random.integers(0, 4, (2, 40, 30))


def test_hand_computed() -> None:
    metric = Calibration(2, bins=2)
    # confidences .9 right, .7 wrong, 1.0 right, .6 ignored: one bin [.5, 1], accuracy 2/3, confidence 2.6/3
    metric.update(np.array([[[0.1, 0.7, 0.0, 0.6], [0.9, 0.3, 1.0, 0.4]]]), np.array([[1, 1, 1, 255]]))
    found = metric.compute()
    assert found.ece == pytest.approx(0.2) and found.mce == pytest.approx(0.2)
    assert found.edges.tolist() == [0, 0.5, 1] and found.share.tolist() == [0, 1]
    assert found.accuracy[1] == pytest.approx(2 / 3) and found.confidence[1] == pytest.approx(2.6 / 3)
    assert found.to_json()["accuracy"][0] is None


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_equals_torchmetrics_and_merges(bins: int) -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error

    probabilities, target = random_case(bins)
    target[0, :5] = 255
    first, second, winners = (Calibration(4, bins=bins) for _ in range(3))
    first.update(probabilities[:1], target[:1])
    second.update(torch.from_numpy(probabilities[1:]), torch.from_numpy(target[1:]))
    first.merge(second)
    winners.update_winners(probabilities.max(1), probabilities.argmax(1), target)
    for norm, name in (("l1", "ece"), ("max", "mce")):
        expected = multiclass_calibration_error(
            torch.from_numpy(probabilities), torch.from_numpy(target), 4, n_bins=bins, norm=norm, ignore_index=255
        )
        assert getattr(first.compute(), name) == pytest.approx(float(expected), abs=1e-6)
        assert getattr(winners.compute(), name) == pytest.approx(float(expected), abs=1e-6)
    with pytest.raises(UsageError, match="same classes and settings"):
        first.merge(Calibration(4, bins=bins + 1))


def test_nothing_counted_has_no_error() -> None:
    metric = Calibration(2)
    metric.update(np.full((1, 2, 1), 0.5), np.array([[255]]))
    assert np.isnan(metric.compute().ece) and np.isnan(metric.compute().mce)


def test_bad_input_is_explained() -> None:
    metric = Calibration(2)
    with pytest.raises(DataError, match=r"must sum to 1, here they sum to 0\.4"):
        metric.update(np.full((1, 2, 3), 0.2), np.zeros((1, 3), int))
    with pytest.raises(DataError, match="hold NaN"):
        metric.update(np.full((1, 2, 3), np.nan), np.zeros((1, 3), int))
    with pytest.raises(DataError, match="from 0 to 1"):
        metric.update_winners(np.array([np.nan]), np.array([0]), np.array([0]))
    with pytest.raises(DataError, match="differ in shape"):
        metric.update_winners(np.array([0.5, 0.5]), np.array([0]), np.array([0]))
    with pytest.raises(DataError, match="nor ignore_index 255: 2"):
        metric.update_winners(np.array([0.5]), np.array([0]), np.array([2]))
    with pytest.raises(UsageError, match="bins is at least 1"):
        Calibration(2, bins=0)
    assert np.isnan(metric.compute().ece)

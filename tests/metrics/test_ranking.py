"""Average precision and curves against hand-computed numbers, brute force and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import DataError, UsageError
from intarsia.metrics import PrecisionRecall


def softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).softmax(1).numpy()


def random_case(seed: int, classes: int, *shape: int, sharp: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    target = random.integers(0, classes, (shape[0], *shape[1:]))
    logits = random.normal(size=(shape[0], classes, *shape[1:]))
    logits += sharp * 0.5 * (np.arange(classes).reshape(1, -1, *[1] * (len(shape) - 1)) == target[:, None])
    return softmax((sharp * logits).astype(np.float32)), target


def brute_force_ap(scores: np.ndarray, own: np.ndarray) -> float:
    """The definition: recall gained times precision at every threshold, from the highest down."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        recall = own[taken].sum() / own.sum()
        total += (recall - before) * own[taken].mean()
        before = recall
    return total


def binary(*foreground: float) -> np.ndarray:
    p = np.array(foreground, np.float32)
    return np.stack([1 - p, p])[None]


@pytest.mark.parametrize("exact", [False, True])
def test_hand_computed(exact: bool) -> None:
    metric = PrecisionRecall(2, exact=exact)
    metric.update(binary(0.9, 0.8, 0.7, 0.4, 0.2), np.array([[1, 0, 1, 255, 0]]))
    found = metric.compute()
    # class 1: hit (1/1), miss, hit (2/3), miss; class 0 by 1 - p: .8 hit (1/1), .3 miss, .2 hit (2/3), .1 miss
    assert found.ap.tolist() == pytest.approx([5 / 6, 5 / 6])
    assert found.mean_ap == pytest.approx(5 / 6)
    curve = found.curves[1]
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert curve.recall.tolist() == pytest.approx([1 / 2, 1 / 2, 1, 1])
    assert curve.threshold.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.2], abs=1e-3)
    threshold, f1 = curve.best()
    assert (threshold, f1) == (pytest.approx(0.7, abs=1e-3), pytest.approx(0.8))
    assert curve.best("iou") == (threshold, pytest.approx(2 / 3))
    with pytest.raises(UsageError, match="'f1' or 'iou', not 'dice'"):
        curve.best("dice")  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), classes=st.integers(2, 5), levels=st.sampled_from([3, 1000]))
def test_exact_mode_equals_brute_force_with_ties(seed: int, classes: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.multinomial(levels, np.ones(classes) / classes, size=(2, 30))
    probabilities = np.moveaxis(counts / levels, -1, 1).astype(np.float32)
    target = random.integers(0, classes, (2, 30))
    target[random.random((2, 30)) < 0.2] = 255
    metric = PrecisionRecall(classes, exact=True)
    metric.update(probabilities[:1], target[:1])
    metric.update(probabilities[1:], target[1:])
    found = metric.compute()
    known = target != 255
    for index in range(classes):
        own = (target == index)[known]
        if own.any():
            assert found.ap[index] == pytest.approx(brute_force_ap(probabilities[:, index][known], own))
        else:
            assert np.isnan(found.ap[index]) and not found.curves[index].recall.size


@pytest.mark.parametrize("shape", [(2, 60, 70), (1, 12, 20, 30), (3, 4000)])
def test_bins_are_within_2e_4_of_torchmetrics_exact(shape: tuple[int, ...]) -> None:
    from torchmetrics.functional.classification import multiclass_average_precision

    probabilities, target = random_case(0, 6, *shape, sharp=6.0)
    target[0, :3] = 255
    expected = multiclass_average_precision(
        torch.from_numpy(probabilities), torch.from_numpy(target), 6, average="none", ignore_index=255
    )
    for exact, error in ((False, 2e-4), (True, 1e-6)):
        metric = PrecisionRecall(6, exact=exact)
        metric.update(torch.from_numpy(probabilities), torch.from_numpy(target))
        assert np.abs(metric.compute().ap - expected.numpy()).max() < error


def test_the_curve_is_that_of_torchmetrics() -> None:
    from torchmetrics.functional.classification import multiclass_precision_recall_curve

    probabilities, target = random_case(1, 3, 1, 500)
    precision, recall, threshold = multiclass_precision_recall_curve(
        torch.from_numpy(probabilities), torch.from_numpy(target), 3
    )
    metric = PrecisionRecall(3, exact=True)
    metric.update(probabilities, target)
    for curve, p, r, t in zip(metric.compute().curves, precision, recall, threshold, strict=True):
        assert np.allclose(curve.threshold[::-1], t) and np.allclose(curve.precision[::-1], p[:-1])
        assert np.allclose(curve.recall[::-1], r[:-1])


def test_saturated_and_tiny_probabilities_are_counted() -> None:
    metric = PrecisionRecall(2)
    metric.update(binary(1.0, 0.0, 1e-30, 1 - 6e-8), np.array([[1, 0, 0, 1]]))
    assert metric.compute().ap.tolist() == [1, 1]


@pytest.mark.parametrize("exact", [False, True])
def test_merge_equals_one_pass(exact: bool) -> None:
    probabilities, target = random_case(2, 4, 2, 300)
    whole, first, second = (PrecisionRecall(4, exact=exact) for _ in range(3))
    whole.update(probabilities, target)
    first.update(probabilities[:1], target[:1])
    second.update(probabilities[1:], target[1:])
    first.merge(second)
    assert first.compute().ap.tolist() == whole.compute().ap.tolist()
    assert first.compute(leave_out=[0]).mean_ap == pytest.approx(whole.compute().ap[1:].mean())
    with pytest.raises(UsageError, match="same classes and settings"):
        first.merge(PrecisionRecall(4, exact=not exact))


@pytest.mark.parametrize("exact", [False, True])
def test_empty_truth_and_absent_classes_have_no_ap(exact: bool) -> None:
    metric = PrecisionRecall(3, exact=exact)
    assert np.isnan(metric.compute().mean_ap)
    metric.update(np.full((1, 3, 2, 2), 1 / 3, np.float32), np.full((1, 2, 2), 255))
    assert np.isnan(metric.compute().mean_ap)
    metric.update(np.full((1, 3, 1, 1), 1 / 3, np.float32), np.zeros((1, 1, 1), int))
    found = metric.compute()
    assert found.mean_ap == 1 and np.isnan(found.ap[1:]).all()
    assert found.to_json()["ap"] == [1, None, None] and found.to_json()["best_f1"] == [1, None, None]


@pytest.mark.parametrize(
    ("probabilities", "target", "said"),
    [
        (np.full((1, 2, 4), 0.6), np.zeros((1, 4), int), "must sum to 1, here they sum to 1.2"),
        (np.array([[[np.nan], [0.5]]]), np.zeros((1, 1), int), "hold NaN"),
        (np.array([[[3.0], [-2.0]]]), np.zeros((1, 1), int), "between -2 and 3; take the softmax of logits first"),
        (np.full((1, 2, 4), 0.5), np.zeros((1, 3), int), r"target \(1, 3\) does not fit probabilities \(1, 2, 4\)"),
        (np.full((1, 3, 4), 1 / 3), np.zeros((1, 4), int), r"are \(N, 2, \.\.\.\) for 2 classes"),
        (np.full((1, 2, 4), 1), np.zeros((1, 4), int), "floating-point numbers, not int64"),
        (np.full((1, 2, 4), 0.5), np.zeros((1, 4)), "labels are integers, not float64"),
        (np.full((1, 2, 4), 0.5), np.full((1, 4), 7), "nor ignore_index 255: 7"),
    ],
)
def test_bad_input_is_explained(probabilities: np.ndarray, target: np.ndarray, said: str) -> None:
    for exact in (False, True):
        metric = PrecisionRecall(2, exact=exact)
        with pytest.raises(DataError, match=said):
            metric.update(probabilities, target)
        assert np.isnan(metric.compute().mean_ap)

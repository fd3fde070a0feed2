"""The confusion matrix against brute force, torchmetrics, and its written conventions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import DataError, UsageError
from intarsia.metrics import ConfusionMatrix


def test_hand_computed_scores():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([[0, 0, 1, 1], [1, 0, 0, 1]]), np.array([[0, 0, 0, 1], [1, 1, 255, 255]]))
    # valid: (t, p) = 00 00 01 11 11 10 -> counts [[2, 1], [1, 2]]; class 2 occurs nowhere
    assert matrix.counts[:, :3].tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 0]]
    scores = matrix.compute()
    assert scores.pixel_accuracy == pytest.approx(4 / 6)
    assert scores.mean_accuracy == pytest.approx(2 / 3)
    assert scores.iou[:2] == pytest.approx([0.5, 0.5])
    assert np.isnan(scores.iou[2])
    assert scores.miou == pytest.approx(0.5)
    assert scores.f1[:2] == pytest.approx([2 / 3, 2 / 3])
    assert scores.mean_f1 == pytest.approx(2 / 3)
    assert scores.fwiou == pytest.approx(0.5)
    assert scores.precision[:2] == pytest.approx([2 / 3, 2 / 3])
    assert scores.frequency.tolist() == [0.5, 0.5, 0.0]


def test_class_predicted_but_absent_counts_zero_and_absent_from_both_is_left_out():
    matrix = ConfusionMatrix(4)
    matrix.update(np.array([0, 0, 3, 1]), np.array([0, 0, 0, 1]))
    scores = matrix.compute()
    assert scores.iou[3] == 0
    assert np.isnan(scores.iou[2])
    assert scores.miou == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_ignoring_elements_is_not_leaving_a_class_out():
    prediction, target = np.array([1, 1, 1, 0]), np.array([0, 0, 1, 0])
    left_out, ignored = ConfusionMatrix(2), ConfusionMatrix(2)
    left_out.update(prediction, target)
    ignored.update(prediction, np.where(target == 0, 255, target))
    assert left_out.compute(leave_out=[0]).miou == pytest.approx(1 / 3)  # false positives on class 0 still count
    assert ignored.compute().iou[1] == 1.0


def test_prediction_of_no_class_is_a_miss():
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([255, 0, 7]), np.array([0, 0, 0]))
    assert matrix.compute().iou[0] == pytest.approx(1 / 3)
    assert matrix.compute().pixel_accuracy == pytest.approx(1 / 3)


def test_nothing_counted_gives_nan_not_a_crash():
    scores = ConfusionMatrix(2).compute()
    assert np.isnan(scores.miou)
    assert scores.to_json()["miou"] is None
    assert scores.to_json()["iou"] == [None, None]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    classes=st.integers(1, 300),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]),
)
def test_equals_brute_force(seed, classes, dtype):
    random = np.random.default_rng(seed)
    ignore = 65535 if classes > 255 else 255
    if dtype == np.uint8 and classes > 255:
        dtype = np.uint16
    target = random.integers(0, classes, 200).astype(dtype)
    target[random.random(200) < 0.2] = ignore
    prediction = random.integers(0, classes, 200).astype(dtype)
    matrix = ConfusionMatrix(classes, ignore_index=ignore)
    matrix.update(prediction[:77], target[:77])
    matrix.update(prediction[77:].reshape(3, 41), target[77:].reshape(3, 41))
    expected = np.zeros((classes, classes + 1), dtype=np.int64)
    for t, p in zip(target.tolist(), prediction.tolist(), strict=True):
        if t != ignore:
            expected[t, p] += 1
    assert np.array_equal(matrix.counts, expected)


def test_equals_torchmetrics_on_a_large_map_and_takes_tensors():
    from torchmetrics.classification import MulticlassConfusionMatrix

    torch.manual_seed(0)
    target, prediction = torch.randint(19, (2, 700, 901)), torch.randint(19, (2, 700, 901))
    target[0, :100] = 255
    ours, theirs = ConfusionMatrix(19), MulticlassConfusionMatrix(19, ignore_index=255)
    ours.update(prediction, target)
    theirs.update(prediction, target)
    assert np.array_equal(ours.counts[:, :19], theirs.compute().numpy())


def test_merge_equals_one_pass():
    random = np.random.default_rng(0)
    target, prediction = random.integers(0, 5, (2, 100)), random.integers(0, 5, (2, 100))
    whole, first, second = (ConfusionMatrix(5) for _ in range(3))
    whole.update(prediction, target)
    first.update(prediction[0], target[0])
    second.update(prediction[1], target[1])
    first.merge(second)
    assert np.array_equal(first.counts, whole.counts)
    with pytest.raises(UsageError, match="same classes"):
        first.merge(ConfusionMatrix(4))


def test_bad_input_is_explained():
    matrix = ConfusionMatrix(3)
    with pytest.raises(DataError, match=r"neither a class \(0..2\) nor ignore_index 255: 3, 9"):
        matrix.update(np.array([0, 0]), np.array([9, 3]))
    with pytest.raises(DataError, match="differ in shape"):
        matrix.update(np.zeros((2, 2), int), np.zeros(4, int))
    with pytest.raises(DataError, match="labels are integers, not float64"):
        matrix.update(np.zeros(2), np.zeros(2, int))
    with pytest.raises(UsageError, match="must lie above"):
        ConfusionMatrix(3, ignore_index=1)
    assert not matrix.counts.any()


def test_every_integer_type_counts_alike():
    random = np.random.default_rng(0)
    target, prediction = random.integers(0, 6, (2, 3, 40, 50))
    target[0, :5] = 255
    expected = ConfusionMatrix(6)
    expected.update(prediction.astype(np.uint8), target.astype(np.uint8))
    assert expected.counts.sum() == (target != 255).sum()
    for dtype in (np.int16, np.uint16, np.int32, np.int64, np.uint64):
        matrix = ConfusionMatrix(6)
        matrix.update(prediction.astype(dtype)[:, ::-1], target.astype(dtype)[:, ::-1])
        assert np.array_equal(matrix.counts, expected.counts)
    matrix = ConfusionMatrix(2)
    matrix.update(prediction > 2, target > 2)
    assert matrix.counts[1, 1] == ((prediction > 2) & (target > 2)).sum()


def test_predictions_outside_a_byte_are_misses_and_targets_outside_it_errors():
    matrix = ConfusionMatrix(255)
    matrix.update(np.array([-1, 256, 70000, 254]), np.array([254, 254, 254, 254]))
    assert matrix.counts[254].tolist() == [0] * 254 + [1, 3]
    for wrong in (-1, 256, 70000):
        with pytest.raises(DataError, match=f"nor ignore_index 255: {wrong}"):
            matrix.update(np.array([0, 0]), np.array([0, wrong]))
    wide = ConfusionMatrix(300, ignore_index=65535)
    with pytest.raises(DataError, match="nor ignore_index 65535: -1, 300"):
        wide.update(np.zeros(3, int), np.array([300, -1, 65535]))


def test_counts_stay_exact_beyond_what_float32_holds():
    # OpenCV hands counts over as float32, in which 2 ** 24 + 1 does not exist
    labels = np.zeros(2**24 + 1, np.uint8)
    matrix = ConfusionMatrix(2)
    matrix.update(labels, labels)
    assert matrix.counts[0, 0] == 2**24 + 1


def test_nothing_one_pixel_and_points():
    matrix = ConfusionMatrix(2)
    matrix.update(np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.uint8))
    assert np.isnan(matrix.compute().miou)
    matrix.update(np.uint8(1), np.uint8(1))
    assert matrix.compute().miou == 1
    matrix.update(np.array([0, 1, 1]), np.array([0, 0, 1]))  # three points
    assert matrix.counts[:, :2].tolist() == [[1, 1], [0, 2]]


def test_groups_of_classes():
    matrix = ConfusionMatrix(4)
    matrix.update(np.array([0, 1, 1, 2, 3, 0, 255, 2]), np.array([1, 1, 0, 2, 2, 3, 0, 0]))
    # a: classes 0 and 1 (4 true elements, 3 right within the group), b: class 2; class 3 is in no group
    scores = matrix.grouped({"a": (0, 1), "b": (2,)}).compute()
    assert scores.iou.tolist() == pytest.approx([3 / 5, 1 / 3])
    assert scores.pixel_accuracy == pytest.approx(4 / 7)
    for groups, said in (
        ({"a": (0, 4)}, r"4 is none of the classes 0\.\.3"),
        ({"a": (0,), "b": (0,)}, "no class belongs to two groups"),
        ({"a": ()}, "every group needs a class"),
    ):
        with pytest.raises(UsageError, match=said):
            matrix.grouped(groups)


def test_leaving_out_an_unknown_class_is_an_error():
    with pytest.raises(UsageError, match=r"5 is none of the classes 0\.\.1"):
        ConfusionMatrix(2).compute(leave_out=[5])

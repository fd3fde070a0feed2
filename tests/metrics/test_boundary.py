"""Boundary measures against brute force and hand-computed numbers."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intarsia.errors import DataError, UsageError
from intarsia.metrics import BoundaryF1, BoundaryIoU, ConfusionMatrix, TrimapScores, boundary_band

LABELS = arrays(np.uint8, (9, 7), elements=st.sampled_from([0, 1, 2]))
VOID = arrays(np.bool_, (9, 7), elements=st.sampled_from([False] * 6 + [True]))


def brute_force(target: np.ndarray, radius: int) -> np.ndarray:
    band = np.zeros(target.shape, bool)
    for (row, column), label in np.ndenumerate(target):
        near = target[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1]
        band[row, column] = label != 255 and bool(((near != label) & (near != 255)).any())
    return band


def half(width: int, split: int, height: int = 10) -> np.ndarray:
    """Class 0 left of column `split`, class 1 from there on."""
    return (np.arange(width) >= split)[None].repeat(height, 0).astype(np.uint8)


# --- the band -------------------------------------------------------------------------------------------------------


def test_one_edge():
    target = np.zeros((4, 10), np.uint8)
    target[:, 5:] = 3
    assert boundary_band(target, 2)[0].tolist() == [False] * 3 + [True] * 4 + [False] * 3


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, (9, 7), elements=st.sampled_from([0, 1, 18, 255])),
    st.integers(1, 3),
    st.sampled_from([np.uint8, np.int64, np.uint16]),
)
def test_band_equals_brute_force(target, radius, dtype):
    assert np.array_equal(boundary_band(target.astype(dtype), radius), brute_force(target, radius))


@pytest.mark.parametrize("label", [0, 254, 255])
def test_one_class_has_no_boundary(label):
    assert not boundary_band(np.full((5, 5), label, np.uint8), 2).any()


# --- trimap ---------------------------------------------------------------------------------------------------------


def test_trimap_counts_the_band_alone():
    target, prediction = half(20, 10), half(20, 13)
    target[:, 0] = 255
    metric = TrimapScores(2, radii=(1, 4))
    metric.update(np.stack([prediction, prediction]), np.stack([target, target]))
    found = metric.compute()
    # columns 9 and 10: the latter wrong; columns 6..13: 10, 11 and 12 wrong
    assert found[1].pixel_accuracy == pytest.approx(1 / 2)
    assert found[4].pixel_accuracy == pytest.approx(5 / 8)
    assert found[4].iou.tolist() == pytest.approx([4 / 7, 1 / 4])
    other = TrimapScores(2, radii=(1, 4))
    other.update(prediction, target)
    other.merge(other)
    assert np.array_equal(other.matrices[4].counts, metric.matrices[4].counts)


@settings(max_examples=30, deadline=None)
@given(LABELS, LABELS, VOID, st.integers(1, 3))
def test_trimap_equals_brute_force(prediction, target, void, radius):
    target = np.where(void, 255, target)
    metric, expected = TrimapScores(3, radii=[radius]), ConfusionMatrix(3)
    metric.update(prediction, target)
    expected.update(prediction, np.where(brute_force(target, radius), target, 255))
    assert np.array_equal(metric.matrices[radius].counts, expected.counts)


# --- boundary IoU ---------------------------------------------------------------------------------------------------


def cheng_band(mask: np.ndarray, width: int) -> np.ndarray:
    """The paper's reference: a mask minus its erosion, with zeros around the image."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return mask & (eroded == 0)


@settings(max_examples=40, deadline=None)
@given(LABELS, LABELS, st.sampled_from([0.05, 0.2, 0.4]))
def test_boundary_iou_equals_the_papers_masks(prediction, target, share):
    metric = BoundaryIoU(4, share=share)
    metric.update(prediction, target)
    found = metric.compute()
    width = max(1, round(share * math.hypot(9, 7)))
    for index in range(4):
        one, other = cheng_band(prediction == index, width), cheng_band(target == index, width)
        union = (one | other).sum()
        assert found.per_class[index] == pytest.approx((one & other).sum() / union if union else np.nan, nan_ok=True)
    assert found.mean == pytest.approx(np.nanmean(found.per_class))


def test_boundary_iou_width_is_a_share_of_the_diagonal():
    # Cityscapes: 0.02 * hypot(1024, 2048) rounds to 46, so a shift by 46 pixels leaves bands that only just miss
    for shift, expected in ((0, 1.0), (46, 0.0)):
        metric = BoundaryIoU(2, share=0.02)
        target, prediction = np.zeros((1024, 2048), np.uint8), np.zeros((1024, 2048), np.uint8)
        target[400:600, 500:700] = 1
        prediction[400 + shift : 600 - shift, 500 + shift : 700 - shift] = 1
        metric.update(prediction, target)
        assert metric.compute().per_class[1] == expected


def test_boundary_iou_ignores_sums_and_conventions():
    target, prediction = half(20, 10), half(20, 10)
    target[:, 8:12] = 255
    prediction[:, 8:12] = 1
    metric = BoundaryIoU(3, share=0.12)  # three pixels: over the ignored strip, the classes do not see each other
    metric.update(prediction, target)
    assert metric.compute().per_class[:2].tolist() == [1, 1]  # what is left are the bands along the image's border
    assert np.isnan(metric.compute().per_class[2])
    metric.update(np.full((4, 4), 2), np.full((4, 4), 0))  # class 2 is predicted, but in no target
    assert metric.compute().per_class[2] == 0
    metric.update(np.full((4, 4), -1), np.full((4, 4), 2))  # a prediction of no class
    assert metric.compute().per_class[2] == 0
    other = BoundaryIoU(3, share=0.12)
    other.merge(metric)
    assert other.compute(leave_out=[2]).mean == pytest.approx(metric.compute().per_class[:2].mean())
    with pytest.raises(UsageError, match="same classes and settings"):
        other.merge(BoundaryIoU(3))


# --- boundary F1 ----------------------------------------------------------------------------------------------------


def seg2bmap(mask: np.ndarray) -> np.ndarray:
    """DAVIS's contour: differs from the next pixel to the right, below, or both."""
    contour = np.zeros(mask.shape, bool)
    for (row, column), value in np.ndenumerate(mask):
        for down, right in ((0, 1), (1, 0), (1, 1)):
            if row + down < mask.shape[0] and column + right < mask.shape[1]:
                contour[row, column] |= mask[row + down, column + right] != value
    return contour


def perimeter(mask: np.ndarray) -> np.ndarray:
    """Pixels of the mask with a side neighbour outside it."""
    contour = np.zeros(mask.shape, bool)
    for (row, column), value in np.ndenumerate(mask):
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if 0 <= row + down < mask.shape[0] and 0 <= column + right < mask.shape[1]:
                contour[row, column] |= bool(value) and not mask[row + down, column + right]
    return contour


def f1_of(one: np.ndarray, other: np.ndarray, reach: float) -> float:
    shares = []
    for a, b in ((one, other), (other, one)):
        near = [min(math.dist(p, q) for q in np.argwhere(b)) <= reach for p in np.argwhere(a)]
        shares.append(sum(near) / len(near))
    return 2 * shares[0] * shares[1] / sum(shares) if sum(shares) else 0.0


@settings(max_examples=40, deadline=None)
@given(LABELS, LABELS, st.sampled_from(["semantic", "davis"]), st.sampled_from([0.05, 0.1, 0.2]))
def test_boundary_f1_equals_brute_force(prediction, target, convention, tolerance):
    metric = BoundaryF1(3, convention=convention, tolerance=tolerance)
    metric.update(prediction, target)
    found = metric.compute().per_class
    reach, contour, nothing = tolerance * math.hypot(9, 7), perimeter, np.nan
    if convention == "davis":
        reach, contour, nothing = math.ceil(reach), seg2bmap, 1.0
    for index in range(3):
        one, other = contour(prediction == index), contour(target == index)
        if one.any() and other.any():
            expected = f1_of(one, other, reach)
        else:
            expected = 0.0 if one.any() or other.any() else nothing
        assert found[index] == pytest.approx(expected, nan_ok=True)


def test_boundary_f1_is_a_mean_over_images_and_leaves_the_ignored_out():
    metric = BoundaryF1(2, tolerance=0.05)  # 1.1 pixels
    metric.update(half(20, 10), half(20, 10))
    metric.update(half(20, 15), half(20, 10))
    assert metric.compute().per_class.tolist() == [0.5, 0.5]
    hidden = half(20, 10)
    hidden[:, 9:16] = 255
    metric.update(half(20, 15), hidden)  # all that is wrong is unknown; no contour is left on either side
    assert metric.compute().per_class.tolist() == [0.5, 0.5]
    other = BoundaryF1(2, tolerance=0.05)
    other.merge(metric)
    assert other.compute(leave_out=[0]).mean == 0.5
    with pytest.raises(UsageError, match="same classes and settings"):
        other.merge(BoundaryF1(2, convention="davis"))


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [BoundaryIoU(3), BoundaryF1(3), TrimapScores(3)], ids=lambda m: type(m).__name__)
def test_bad_input_is_explained(metric):
    with pytest.raises(UsageError, match=r"needs labels on a grid, \(H, W\) or \(N, H, W\).*shape \(5,\).*Points"):
        metric.update(np.zeros(5, int), np.zeros(5, int))
    with pytest.raises(DataError, match="differ in shape"):
        metric.update(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(DataError, match="not float32"):
        metric.update(np.zeros((2, 2), int), np.zeros((2, 2), np.float32))
    with pytest.raises(DataError, match="nor ignore_index 255: 7"):
        metric.update(np.zeros((2, 2), int), np.array([[0, 0], [0, 7]]))


def test_bad_settings_are_explained():
    with pytest.raises(UsageError, match="share is a part of the image's diagonal"):
        BoundaryIoU(2, share=2)
    with pytest.raises(UsageError, match="tolerance is a part of the image's diagonal"):
        BoundaryF1(2, tolerance=0)
    with pytest.raises(UsageError, match="'semantic' and 'davis', not 'dvis'"):
        BoundaryF1(2, convention="dvis")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="radii are numbers of pixels"):
        TrimapScores(2, radii=[0])


@pytest.mark.parametrize("label", [0, 255])
def test_one_pixel_and_empty_truth(label):
    target = np.full((1, 1), label, np.uint8)
    scores = []
    for metric in (BoundaryIoU(2), BoundaryF1(2), BoundaryF1(2, convention="davis")):
        metric.update(np.zeros((1, 1), np.uint8), target)
        scores.append(metric.compute().per_class[0])
    assert scores == pytest.approx([1 if label == 0 else np.nan, np.nan, 1], nan_ok=True)

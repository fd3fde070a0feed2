"""Scores over time, by hand-made sequences, and the limits that real labels set."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.errors import DataError, UsageError
from intarsia.metrics import ConfusionMatrix, Flicker, TemporalConsistency, VideoConsistency, move_labels
from intarsia.models.video import DISFlow, compose

VOID = 255


def flow(x: float, y: float, height: int, width: int) -> np.ndarray:
    return np.broadcast_to(np.array([x, y], dtype=np.float32), (height, width, 2))


def test_labels_are_fetched_from_where_the_flow_points() -> None:
    labels = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
    assert move_labels(labels, flow(1, 0, 2, 3)).tolist() == [[2, 3, VOID], [5, 6, VOID]]
    assert move_labels(labels, flow(0, -1, 2, 3)).tolist() == [[VOID] * 3, [1, 2, 3]]
    assert move_labels(labels, flow(0.4, -0.4, 2, 3)).tolist() == labels.tolist(), "never between two"
    with pytest.raises(DataError, match=r"a flow for labels of \(2, 3\) is \(2, 3, 2\)"):
        move_labels(labels, flow(0, 0, 3, 3))


def test_labels_that_move_with_the_picture_are_consistent() -> None:
    random = np.random.default_rng(0)
    wide = random.integers(0, 4, (20, 40), dtype=np.uint8)
    metric = TemporalConsistency(4)
    for step in range(3):
        metric.update(wide[:, step + 1 : step + 31], wide[:, step : step + 30], flow(1, 0, 20, 30))
    assert metric.compute().miou == 1
    still = TemporalConsistency(4)
    still.update(wide[:, 1:31], wide[:, :30], flow(0, 0, 20, 30))
    assert still.compute().miou < 0.3


def test_consistency_by_hand() -> None:
    now, before = np.array([[0, 0, 1, 1]], dtype=np.uint8), np.array([[0, 1, 1, VOID]], dtype=np.uint8)
    metric = TemporalConsistency(2)
    metric.update(now, before, flow(0, 0, 1, 4))
    assert metric.compute().iou.tolist() == [0.5, 0.5]
    masked = TemporalConsistency(2)
    masked.update(now, before, flow(0, 0, 1, 4), valid=np.array([[True, False, True, True]]))
    masked.merge(TemporalConsistency(2))
    assert masked.compute().miou == 1


def test_video_consistency_by_hand() -> None:
    truth = [[0, 0, 1, VOID], [0, 0, 1, VOID], [0, 1, 1, VOID], [0, 1, 1, 0]]
    guess = [[0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 1], [1, 0, 0, 1]]
    metric = VideoConsistency(2)
    for predicted, target in zip(guess, truth, strict=True):
        metric.update(np.array([predicted], dtype=np.uint8), np.array([target], dtype=np.uint8))
    # Windows: frames 0-1: pixels 0, 1, 2 constant, all kept, two of them right; 1-2: pixels 0 and 2, one kept (wrong);
    # 2-3: pixels 0, 1, 2 constant, all kept, none right.
    assert metric.compute() == (pytest.approx((1 + 0.5 + 1) / 3), pytest.approx((2 / 3 + 0 + 0) / 3))
    assert np.isnan(VideoConsistency(4).compute()).all()
    metric.reset()
    metric.update(np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.uint8))
    other = VideoConsistency(2)
    other.merge(metric)
    assert other.compute() == metric.compute()
    with pytest.raises(UsageError, match="at least 2 frames"):
        VideoConsistency(1)
    with pytest.raises(UsageError, match="cannot be merged"):
        metric.merge(VideoConsistency(3))


def test_flicker_by_hand() -> None:
    metric = Flicker()
    metric.update(
        np.array([[0, 1, 1, 0]]), np.array([[0, 0, 1, 1]]), np.array([[0, 0, 1, VOID]]), np.array([[0, 0, 0, 1]]),
        flow(0, 0, 1, 4),
    )  # fmt: skip
    assert metric.compute() == 0.5  # the truth is steady at two pixels, and one prediction changes there
    metric.merge(metric)
    assert metric.compute() == 0.5 and np.isnan(Flicker().compute())


def test_a_frozen_video_is_perfectly_consistent() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (8, 9), dtype=np.uint8)
    consistency, flicker, steady = TemporalConsistency(3), Flicker(), VideoConsistency(3)
    for _ in range(5):
        consistency.update(labels, labels, flow(0, 0, 8, 9))
        flicker.update(labels, labels, labels, labels, flow(0, 0, 8, 9))
        steady.update(labels, labels)
    assert (consistency.compute().miou, flicker.compute(), steady.compute()) == (1, 0, (1, 1))


def test_limits_that_real_labels_set(real_data: Path) -> None:
    """CamVid's own labels, moved along the flow of its pictures: no model's consistency can be much higher."""
    split = open_dataset(real_data / "camvid", ReadOptions(layout="camvid")).split("val")
    estimate = DISFlow("medium")
    pairs = [split.read(index) for index in range(0, 24)]
    inputs = [
        torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[None, None].float() / 58 - 2 for image, _ in pairs
    ]
    classes, ignore = len(split.space), split.space.ignore_index
    scores = {
        name: ConfusionMatrix(classes, ignore_index=ignore) for name in ("held 1", "moved 1", "held 3", "moved 3")
    }
    recent = [estimate(now, before) for before, now in pairwise(inputs)]
    for index in range(3, len(pairs)):
        truth = pairs[index][1]
        chained = compose(recent[index - 1], compose(recent[index - 2], recent[index - 3]))
        for steps, motion in ((1, recent[index - 1]), (3, chained)):
            before = pairs[index - steps][1]
            scores[f"held {steps}"].update(before, truth)
            moved = move_labels(before, motion[0].permute(1, 2, 0).numpy(), ignore_index=ignore)
            scores[f"moved {steps}"].update(moved, truth)
    accuracy = {name: matrix.compute().pixel_accuracy for name, matrix in scores.items()}
    assert accuracy["moved 1"] == pytest.approx(0.975, abs=0.015) and accuracy["held 1"] == pytest.approx(
        0.95, abs=0.02
    )
    assert accuracy["moved 3"] == pytest.approx(0.967, abs=0.02) and accuracy["held 3"] < accuracy["moved 3"] - 0.03

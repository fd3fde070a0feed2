"""Class counts and descriptions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.counts import ClassCounts
from intarsia.labels import LabelSpace


def test_weights_by_hand() -> None:
    counts = ClassCounts(LabelSpace(("a", "b", "c", "d")))
    counts.add(np.array([60, 20, 20, 0, 10, 5]))
    counts.add(np.array([90, 10, 0, 0, 0, 0]))
    assert counts.frequencies.tolist() == pytest.approx([0.75, 0.15, 0.2, 0])
    assert counts.median_frequency_weights().tolist() == pytest.approx([0.2 / 0.75, 0.2 / 0.15, 1, 0])
    assert counts.median_frequency_weights(0.5).tolist() == pytest.approx([(0.2 / 0.75) ** 0.5, (4 / 3) ** 0.5, 1, 0])
    # shares .75, .15, .1, and one class never seen
    expected = [1 / np.log(1.77), 1 / np.log(1.17), 1 / np.log(1.12), 0]
    assert counts.enet_weights().tolist() == pytest.approx(expected)
    assert counts.ignored_share == pytest.approx(10 / 215)
    assert (counts.outside, counts.counted, counts.images.tolist()) == (5, 2, [2, 2, 1, 0])
    double = counts + counts
    assert double.pixels.tolist() == [300, 60, 40, 0]
    assert double.counted == 4


def test_nothing_counted() -> None:
    counts = ClassCounts(LabelSpace(("a", "b")))
    assert counts.median_frequency_weights().tolist() == [0, 0]
    assert counts.ignored_share == 0


def test_counts_equal_the_targets(pairs: Callable[..., Path]) -> None:
    random = np.random.default_rng(0)
    masks = [random.choice(np.array([0, 1, 2, 255], np.uint8), (9, 7)) for _ in range(4)]
    split = open_dataset(pairs(masks), val_fraction=0).splits["all"]
    counts = split.count()
    targets = np.concatenate([split.read(i)[1].ravel() for i in range(4)])
    assert counts.pixels.tolist() == [(targets == i).sum() for i in range(3)]
    assert counts.ignored == (targets == 255).sum()


def test_colour_masks_are_counted(pairs: Callable[..., Path]) -> None:
    mask = np.zeros((4, 4, 3), np.uint8)
    mask[:3] = (200, 0, 0)
    data = open_dataset(pairs([mask]), ReadOptions(classes=["void", "red"], palette=[(0, 0, 0), (200, 0, 0)]))
    counts = data.split("train").count()
    assert (counts.pixels.tolist(), counts.ignored) == ([12], 4)


def test_describe(pairs: Callable[..., Path]) -> None:
    root = pairs([np.zeros((8, 12), np.uint8), np.ones((8, 12), np.uint8), np.ones((6, 6), np.uint8)])
    (root / "images/2.png").write_bytes(b"")
    data = open_dataset(root, val_fraction=0)
    found = data.describe()
    facts = found["all"]
    assert (facts.items, facts.extent, facts.more["unreadable"]) == (3, "12x8", 1)
    assert facts.counts.pixels.tolist() == [96, 132]
    value = json.loads(json.dumps(data.to_json(found)))
    assert value["splits"]["all"]["sizes"] == [{"width": 12, "height": 8, "images": 2}]
    assert value["splits"]["all"]["images"] == 3
    assert value["label_space"]["names"] == ["background", "foreground"]

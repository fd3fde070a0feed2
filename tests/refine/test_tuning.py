"""Grid search: what it tries, what it scores, what it returns."""

from __future__ import annotations

import numpy as np
import pytest
from crf_cases import scene

from intarsia.metrics import ConfusionMatrix
from intarsia.refine import Preset, dense_crf, tune
from intarsia.refine.crf.tuning import GRID

GRID_SMALL = {"bilateral_weight": (0, 1, 4), "bilateral_rgb": (10, 20), "spatial_xy": (1, 3)}


def samples(count=2):
    for seed in range(count):
        yield scene(seed=seed)


def accuracy(labels, target):
    return float((labels == target).mean())


def test_scores_are_those_of_the_dense_crf():
    found = tune(samples(), accuracy, grid=GRID_SMALL, preset=Preset(2, 1, 4, 12, 10, 4))
    assert len(found.trials) == 12
    for preset, score in found.trials:
        direct = np.mean([accuracy(dense_crf(p, image, preset=preset).argmax(0), t) for p, image, t in samples()])
        assert score == pytest.approx(direct, abs=2e-4)
        assert (preset.bilateral_xy, preset.iterations) == (12, 4)
    assert found.unrefined == pytest.approx(np.mean([accuracy(p.argmax(0), t) for p, _, t in samples()]))
    assert [score for _, score in found.trials] == sorted((score for _, score in found.trials), reverse=True)
    assert (found.best, found.score) == found.trials[0]
    assert found.score > found.unrefined


def test_a_confusion_matrix_counts_all_pictures_together():
    empty = ConfusionMatrix(4)
    found = tune(samples(), empty, grid={"bilateral_weight": (2, 4)})
    assert not empty.counts.any()
    for preset, score in found.trials:
        matrix = ConfusionMatrix(4)
        for probs, image, truth in samples():
            matrix.update(dense_crf(probs, image, preset=preset).argmax(0), truth)
        assert score == pytest.approx(matrix.compute().miou, abs=1e-4)


def test_equal_scores_keep_the_grids_order_and_progress_is_told():
    said = []
    found = tune(samples(1), lambda a, b: 0.5, grid={"bilateral_xy": (9, 5, 7)}, progress=lambda *now: said.append(now))
    assert [preset.bilateral_xy for preset, _ in found.trials] == [9, 5, 7]
    assert said == [(1, 3), (2, 3), (3, 3)]


def test_the_default_grid_holds_the_default_preset():
    assert (4 in GRID["bilateral_weight"]) and (67 in GRID["bilateral_xy"]) and (3 in GRID["bilateral_rgb"])

"""One interface to all methods."""

from __future__ import annotations

import numpy as np
import pytest
from crf_cases import scene

from intarsia.errors import UsageError
from intarsia.refine import (
    METHODS,
    Refinement,
    dense_crf,
    guided_filter,
    joint_bilateral,
    refine,
    remove_small_regions,
)


def test_methods_are_the_functions_they_name():
    probs, image, _ = scene()
    pairs = {
        "crf": (
            {"preset": "kraehenbuehl-demo", "iterations": 3, "bilateral_xy": 20, "prune": 0.0},
            lambda: dense_crf(probs, image, preset=Refined, prune=0),
        ),
        "guided": ({"radius": 3}, lambda: guided_filter(probs, image, radius=3)),
        "bilateral": ({"xy": 5, "rgb": 20.0}, lambda: joint_bilateral(probs, image, xy=5, rgb=20)),
    }
    from intarsia.refine import PRESETS, Preset

    demo = PRESETS["kraehenbuehl-demo"]
    Refined = Preset(demo.spatial_weight, demo.spatial_xy, demo.bilateral_weight, 20, demo.bilateral_rgb, 3)
    for method, (options, direct) in pairs.items():
        np.testing.assert_array_equal(refine(probs, image, method, options=options), direct())
    assert set(METHODS) == {*pairs, "regions"}


def test_regions_of_probabilities_swap_the_winner():
    probs, image, _ = scene(noise=0)
    probs[:, 20, 30] = np.roll(probs[:, 20, 30], 1)
    refined = refine(probs, image, "regions", options={"pixels": 8})
    np.testing.assert_array_equal(refined.argmax(0), remove_small_regions(probs.argmax(0), pixels=8))
    changed = refined.argmax(0) != probs.argmax(0)
    assert changed[20, 30]
    np.testing.assert_array_equal(refined[:, ~changed], probs[:, ~changed])
    np.testing.assert_array_equal(np.sort(refined, 0), np.sort(probs, 0))


@pytest.mark.parametrize("method", ["crf", "guided", "bilateral"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_labels_are_refined_and_unknown_ones_filled(method, dtype):
    _, image, truth = scene(noise=3)
    names = np.array([3, 40, 7, 11], dtype)
    labels = names[truth]
    noisy = labels.copy()
    wrong = np.random.default_rng(0).random(labels.shape) < 0.08
    noisy[wrong] = 3
    noisy[10:14, 10:14] = 255
    refined = refine(noisy, image, method)
    assert refined.dtype == dtype and set(np.unique(refined)) <= {3, 40, 7, 11}
    assert (refined == labels).mean() > (noisy == labels).mean() + 0.02
    assert (refined[10:14, 10:14] == labels[10:14, 10:14]).mean() > 0.6


def test_regions_of_labels_leave_unknown_ones_alone():
    labels = np.zeros((20, 20), np.uint8)
    labels[3, 3], labels[5, 5] = 1, 255
    cleaned = refine(labels, np.zeros((20, 20, 3), np.uint8), "regions")
    assert cleaned[3, 3] == 0 and cleaned[5, 5] == 255


@pytest.mark.parametrize(("fill", "expected"), [(4, 4), (255, 255)])
def test_one_label_or_none_stays(fill, expected):
    labels = np.full((5, 6), fill, np.uint8)
    assert (refine(labels, np.zeros((5, 6, 3), np.uint8)) == expected).all()


def test_one_label_fills_what_is_unknown():
    labels = np.full((5, 6), 4, np.uint8)
    labels[2] = 255
    assert (refine(labels, np.zeros((5, 6, 3), np.uint8)) == 4).all()


def test_reading_plain_values():
    assert Refinement.read(None) is None and Refinement.read("none") is None
    assert Refinement.read({"method": "none", "options": {}}) is None and Refinement.read({}) is None
    read = Refinement.read({"method": "guided", "options": {"radius": 4}})
    assert read == Refinement("guided", {"radius": 4})
    assert Refinement.read(read.to_json()) == read
    assert Refinement.read("regions") == Refinement("regions")
    with pytest.raises(UsageError, match="Known: bilateral, crf, guided, regions"):
        Refinement.read("blur")
    with pytest.raises(UsageError, match="radius is at least 1"):
        Refinement("guided", {"radius": 0})

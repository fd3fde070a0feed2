"""Bad input of every refinement is explained."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from crf_cases import scene

from intarsia.errors import DataError, UsageError
from intarsia.refine import (
    CRFLayer,
    Preset,
    dense_crf,
    dense_crf_nd,
    guided_filter,
    joint_bilateral,
    refine,
    remove_small_regions,
    stack,
    tune,
)
from intarsia.refine.crf import backends

PROBS, IMAGE, TRUTH = scene(12, 16)
FEATURES = np.zeros((2, PROBS[0].size), np.float32)


def spoilt(value):
    probs = PROBS.copy()
    probs[1, 3, 5] = value
    return probs


@pytest.mark.parametrize("method", [dense_crf, guided_filter, joint_bilateral, lambda p, i: refine(p, i, "regions")])
@pytest.mark.parametrize(
    ("probs", "image", "said"),
    [
        (PROBS * 2, IMAGE, "sum to 1 over the classes"),
        (np.log(PROBS), IMAGE, "apply softmax to logits"),
        (np.moveaxis(PROBS, 0, 2), IMAGE, "move the class axis to the front"),
        (spoilt(np.nan), IMAGE, "hold NaN"),
        (spoilt(np.inf), IMAGE, "sum is off by inf"),
        (spoilt(-0.2), IMAGE, "must not be negative"),
        (PROBS, IMAGE[:-1], r"picture has 11x16 pixels and the map 12x16"),
        (PROBS, IMAGE.astype(np.float32) / 255, r"uint8 from 0 to 255, not float32.*\* 255"),
        (PROBS, IMAGE.astype(np.int64), "uint8 from 0 to 255, not int64"),
        (PROBS, IMAGE[..., 0], r"\(H, W, 3\) of RGB pixels, not \(12, 16\)"),
        (PROBS, np.dstack([IMAGE, IMAGE[..., :1]]), r"not \(12, 16, 4\)"),
        (PROBS[:, :0], IMAGE[:0], "classes and elements"),
    ],
)
def test_maps_and_pictures(method, probs, image, said):
    with pytest.raises(DataError, match=said):
        method(probs, image)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: dense_crf((PROBS * 255).astype(np.uint8), IMAGE), DataError, "floating-point .*, not uint8"),
        (lambda: dense_crf(PROBS[0], IMAGE), DataError, r"\(C, H, W\) with a picture \(H, W, 3\)"),
        (lambda: dense_crf(PROBS[None], IMAGE[None].repeat(2, 0)), DataError, "batches of the same length"),
        (lambda: dense_crf(PROBS, IMAGE, preset="deeplab-v2"), UsageError, "Did you mean 'deeplabv2-"),
        (lambda: dense_crf(PROBS, IMAGE, backend="cuda"), UsageError, "Known: auto, exact, numba, torch"),
        (lambda: dense_crf(PROBS, IMAGE, iterations=-1), UsageError, "iterations is at least 0"),
        (lambda: dense_crf(PROBS, IMAGE, prune=2), UsageError, "prune is a probability"),
        (lambda: dense_crf(PROBS, IMAGE, threads=0), UsageError, "threads is at least 1"),
        (lambda: Preset(1, 0, 1, 1, 1), UsageError, "spatial_xy is a standard deviation"),
        (lambda: Preset(1, 1, 1, float("nan"), 1), UsageError, "bilateral_xy is a standard deviation"),
        (lambda: Preset(-1, 1, 1, 1, 1), UsageError, "spatial_weight is at least 0"),
        (lambda: dense_crf_nd(PROBS, [(FEATURES[:, :5], 1)]), DataError, "of 192 elements"),
        (lambda: dense_crf_nd(PROBS, [(FEATURES[0], 1)]), DataError, "of 192 elements"),
        (lambda: dense_crf_nd(PROBS, [(FEATURES + np.nan, 1)]), DataError, "not finite"),
        (lambda: dense_crf_nd(PROBS, [(FEATURES + np.arange(192) * 1e5, 1)]), DataError, "check the units"),
        (lambda: dense_crf_nd(PROBS, [(FEATURES, np.ones(4))]), DataError, r"one number or a matrix \(4, 4\)"),
        (lambda: dense_crf_nd(PROBS, [(FEATURES, 1)], iterations=-2), UsageError, "iterations is at least 0"),
        (lambda: dense_crf_nd(PROBS * 3, [(FEATURES, 1)]), DataError, "sum to 1"),
        (lambda: stack((FEATURES, 0)), DataError, "positive number"),
        (lambda: stack((FEATURES, (1, 2, 3))), DataError, "one for each of its 2 features"),
        (lambda: stack((FEATURES, 1), (FEATURES[:, :7], 1)), DataError, "elements: 192, 192, 7"),
        (lambda: guided_filter(PROBS, IMAGE, radius=0), UsageError, "radius is at least 1"),
        (lambda: guided_filter(PROBS, IMAGE, epsilon=0), UsageError, "epsilon positive"),
        (lambda: joint_bilateral(PROBS, IMAGE, xy=0), UsageError, "positive numbers"),
        (lambda: remove_small_regions(PROBS[0]), DataError, "integer map"),
        (lambda: remove_small_regions(TRUTH, pixels=-1), UsageError, "at least 0"),
        (lambda: refine(TRUTH[0], IMAGE), DataError, r"integer map \(H, W\)"),
        (lambda: refine(TRUTH[:-1], IMAGE), DataError, "the map 11x16"),
        (lambda: refine(PROBS, IMAGE, "crv"), UsageError, "Did you mean 'crf'"),
        (lambda: refine(PROBS, IMAGE, "guided", options={"radus": 3}), UsageError, "Did you mean 'radius'"),
        (lambda: refine(PROBS, IMAGE, "guided", options={"radius": "3"}), UsageError, "'radius' of 'guided' is a int"),
        (lambda: refine(PROBS, IMAGE, "crf", options={"bilateral_xi": 3}), UsageError, "Did you mean 'bilateral_xy'"),
        (lambda: refine(PROBS, IMAGE, "crf", options={"iterations": True}), UsageError, "is a int, not True"),
        (lambda: CRFLayer(0), UsageError, "classes is at least 1"),
        (lambda: CRFLayer(4)(torch.zeros(1, 3, 12, 16), IMAGE[None]), DataError, r"logits \(N, 4, H, W\)"),
        (lambda: CRFLayer(4)(torch.zeros(1, 4, 12, 15), IMAGE[None]), DataError, "the map 12x15"),
        (lambda: tune([], lambda a, b: 1.0), DataError, "no samples"),
        (lambda: tune([(PROBS, IMAGE, TRUTH[1:])], lambda a, b: 1.0), DataError, "differ in size"),
        (lambda: tune([], lambda a, b: 1.0, grid={"spatial_weight": []}), UsageError, "no values to try"),
        (lambda: tune([], lambda a, b: 1.0, grid={"weight": [1]}), UsageError, "no setting 'weight'"),
    ],
)  # fmt: skip
def test_arguments(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_the_exact_backend_is_for_small_pictures():
    probs = np.full((2, 300, 300), 0.5, np.float32)
    with pytest.raises(UsageError, match="at most 65536 elements; this has 90000"):
        dense_crf(probs, np.zeros((300, 300, 3), np.uint8), backend="exact")


def test_without_numba_torch_takes_over_and_says_so(monkeypatch):
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"pip install 'intarsia\[crf\]'"):
        refined = dense_crf(PROBS, IMAGE)
    np.testing.assert_array_equal(refined, dense_crf(PROBS, IMAGE, backend="torch"))
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(UsageError, match=r"numba is not installed.*intarsia\[crf\]"):
        dense_crf(PROBS, IMAGE, backend="numba")

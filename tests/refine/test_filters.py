"""Guided and joint bilateral filter against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from crf_cases import gaussian, picture_features, scene

from intarsia.refine import guided_filter, joint_bilateral


def guided_by_hand(probs, image, radius, epsilon):
    """He et al. 2013, equations 19 to 21, window by window."""
    classes, height, width = probs.shape
    guide = image / 255.0
    slopes, offsets = np.zeros((classes, 3, height, width)), np.zeros((classes, height, width))

    def window(y, x):
        return np.s_[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]

    for y in range(height):
        for x in range(width):
            colors, values = (
                guide[window(y, x)].reshape(-1, 3),
                probs[(slice(None), *window(y, x))].reshape(classes, -1),
            )
            covariance = np.cov(colors.T, bias=True) + epsilon * np.eye(3)
            for one in range(classes):
                shared = (colors * values[one][:, None]).mean(0) - colors.mean(0) * values[one].mean()
                slopes[one, :, y, x] = np.linalg.solve(covariance, shared)
                offsets[one, y, x] = values[one].mean() - slopes[one, :, y, x] @ colors.mean(0)
    out = np.zeros(probs.shape)
    for y in range(height):
        for x in range(width):
            for one in range(classes):
                slope = slopes[(one, slice(None), *window(y, x))].reshape(3, -1).mean(1)
                out[one, y, x] = slope @ guide[y, x] + offsets[(one, *window(y, x))].mean()
    out = out.clip(0)
    return out / out.sum(0)


@pytest.mark.parametrize(("radius", "epsilon"), [(2, 1e-2), (5, 1e-3)])
def test_guided_filter_is_the_papers(radius, epsilon):
    probs, image, _ = scene(14, 18, 3)
    expected = guided_by_hand(probs, image, radius, epsilon)
    np.testing.assert_allclose(guided_filter(probs, image, radius=radius, epsilon=epsilon), expected, atol=2e-4)


def test_guided_filter_keeps_what_is_linear_in_the_picture():
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))
    image = np.dstack([ramp, 255 - ramp, ramp // 2])
    first = (ramp / 255).astype(np.float32)
    probs = np.stack([first, 1 - first])
    np.testing.assert_allclose(guided_filter(probs, image, epsilon=1e-6), probs, atol=1e-3)


@pytest.mark.parametrize("backend", ["numba", "torch", "exact"])
def test_joint_bilateral_is_a_weighted_mean(backend):
    probs, image, _ = scene(20, 24)
    pairs = gaussian(picture_features(image, 4, 15))
    expected = (probs.reshape(4, -1) @ pairs / pairs.sum(1)).reshape(probs.shape)
    found = joint_bilateral(probs, image, xy=4, rgb=15, backend=backend)
    assert np.abs(found - expected).mean() < (1e-6 if backend == "exact" else 0.02)
    assert (found.argmax(0) == expected.argmax(0)).mean() > 0.98
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("method", [guided_filter, joint_bilateral])
def test_filters_repair_edges_and_share_the_interface(method):
    probs, image, truth = scene(seed=3)
    refined = method(probs, image)
    assert (refined.argmax(0) == truth).mean() > (probs.argmax(0) == truth).mean() + 0.005
    assert refined.dtype == np.float32 and refined.min() >= 0
    tensor = method(torch.from_numpy(probs), torch.from_numpy(image))
    np.testing.assert_array_equal(tensor.numpy(), refined)
    pruned = method(np.insert(probs * 0.995, 2, np.float32(0.005), axis=0), image)
    assert not pruned[2].any()
    np.testing.assert_allclose(np.delete(pruned, 2, 0), refined, atol=1e-5)


@pytest.mark.parametrize("method", [guided_filter, joint_bilateral])
def test_one_class_and_one_pixel(method):
    np.testing.assert_allclose(method(np.ones((1, 5, 4), np.float32), np.zeros((5, 4, 3), np.uint8)), 1)
    pixel = np.array([0.7, 0.3], np.float32).reshape(2, 1, 1)
    np.testing.assert_allclose(method(pixel, np.full((1, 1, 3), 200, np.uint8)), pixel, atol=1e-5)

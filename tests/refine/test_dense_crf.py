"""The dense CRF against all pairs, between backends, and its invariances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from crf_cases import gaussian, mean_field, picture_features, scene, softmax, symmetric

from intarsia.refine import Preset, dense_crf, dense_crf_nd, positions, stack
from intarsia.refine.crf.backends import find_backend
from intarsia.refine.crf.inference import picture_terms, unary
from intarsia.refine.crf.presets import DEFAULT, PRESETS

SMOOTH = Preset(3, 1, 4, 12, 10)


def brute_force(probs, image, preset):
    kernels = [
        (symmetric(gaussian(picture_features(image, preset.spatial_xy))), preset.spatial_weight),
        (
            symmetric(gaussian(picture_features(image, preset.bilateral_xy, preset.bilateral_rgb))),
            preset.bilateral_weight,
        ),
    ]
    return mean_field(probs.reshape(len(probs), -1), kernels, preset.iterations).reshape(probs.shape)


def test_exact_backend_is_the_papers_algorithm():
    probs, image, _ = scene(20, 24)
    expected = brute_force(probs, image, PRESETS[DEFAULT])
    np.testing.assert_allclose(dense_crf(probs, image, backend="exact", prune=0), expected, atol=2e-5)


@pytest.mark.parametrize("preset", [*PRESETS, SMOOTH])
def test_lattice_agrees_with_all_pairs(preset):
    probs, image, _ = scene(36, 44, 5)
    exact = dense_crf(probs, image, preset=preset, backend="exact", prune=0)
    assert (exact.argmax(0) != probs.argmax(0)).mean() > 0.02
    for backend in ("numba", "torch"):
        refined = dense_crf(probs, image, preset=preset, backend=backend, prune=0)
        assert (refined.argmax(0) == exact.argmax(0)).mean() >= 0.99
        assert np.abs(refined - exact).mean() < 0.01
        np.testing.assert_allclose(refined.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("preset", [DEFAULT, "kraehenbuehl-demo", SMOOTH])
def test_torch_and_numba_are_one(preset):
    probs, image, _ = scene(90, 70, 11)
    ours, plain = (dense_crf(probs, image, preset=preset, backend=backend) for backend in ("numba", "torch"))
    assert (ours.argmax(0) == plain.argmax(0)).mean() > 0.9995
    assert np.abs(ours - plain).mean() < 1e-5


def test_refinement_repairs_what_the_network_blurred():
    probs, image, truth = scene(seed=3)
    before, after = (probs.argmax(0) == truth).mean(), (dense_crf(probs, image).argmax(0) == truth).mean()
    assert after > before + 0.02


def test_repeated_runs_give_equal_bits():
    probs, image, _ = scene(100, 120, 3, noise=25)
    first = dense_crf(probs, image, backend="numba")
    for _ in range(4):
        np.empty(1 << 20, np.int64).fill(7)
        assert np.array_equal(dense_crf(probs, image, backend="numba"), first)


@pytest.mark.parametrize("classes", [1, 2, 4, 5, 8, 9, 16, 17, 21, 33, 150])
def test_any_number_of_classes(classes):
    probs, image, _ = (
        scene(24, 30, classes) if classes > 1 else (np.ones((1, 24, 30), np.float32), scene()[1][:24, :30], 0)
    )
    ours = dense_crf(probs, image, preset=SMOOTH, backend="numba", prune=0)
    plain = dense_crf(probs, image, preset=SMOOTH, backend="torch", prune=0)
    np.testing.assert_allclose(ours, plain, atol=2e-3)
    np.testing.assert_allclose(ours.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 37), (37, 1), (2, 3), (7, 200)])
@pytest.mark.parametrize("preset", [DEFAULT, "deeplabv2-vgg16", "deeplabv1-largefov"])
def test_thin_pictures(size, preset):
    random = np.random.default_rng(0)
    probs = softmax(random.normal(size=(3, *size)) * 2)
    image = random.integers(0, 60, (*size, 3), dtype=np.uint8)
    ours = dense_crf(probs, image, preset=preset, backend="numba", iterations=1)
    exact = dense_crf(probs, image, preset=preset, backend="exact", iterations=1)
    np.testing.assert_allclose(ours, dense_crf(probs, image, preset=preset, backend="torch", iterations=1), atol=1e-4)
    assert np.abs(ours - exact).mean() < 0.06


@pytest.mark.parametrize("backend", ["numba", "torch", "exact"])
def test_one_pixel_has_a_closed_form(backend):
    # The kernel of one element is normalised to 1, so Q = softmax(log p + (w1 + w2) Q).
    probs = np.array([0.5, 0.3, 0.2], np.float32).reshape(3, 1, 1)
    expected = np.log([0.5, 0.3, 0.2])
    q = np.array([0.5, 0.3, 0.2])
    for _ in range(10):
        q = np.exp(expected + 7 * q) / np.exp(expected + 7 * q).sum()
    refined = dense_crf(probs, np.zeros((1, 1, 3), np.uint8), backend=backend)
    np.testing.assert_allclose(refined[:, 0, 0], q, atol=1e-5)


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_constant_picture_has_a_closed_form(backend):
    # All elements agree, so one update adds weight x p x (n K n 1), which on a constant picture is about 1 inside.
    probs = np.broadcast_to(np.array([0.5, 0.3, 0.2], np.float32)[:, None, None], (3, 40, 40)).copy()
    image = np.full((40, 40, 3), 90, np.uint8)
    preset = Preset(2, 1.5, 0, 1, 1, iterations=1)
    sums = symmetric(gaussian(picture_features(image, 1.5))).sum(1).reshape(40, 40)
    assert sums[20, 20] == pytest.approx(1, abs=1e-6)
    expected = softmax(np.log(probs) + 2 * probs * sums)
    np.testing.assert_allclose(dense_crf(probs, image, preset=preset, backend=backend), expected, atol=2e-4)
    both = dense_crf(probs, image, preset=Preset(2, 1.5, 4, 3, 5, iterations=1), backend=backend)
    inside = np.s_[:, 15:25, 15:25]
    np.testing.assert_allclose(both[inside], softmax(np.log(probs) + 6 * probs)[inside], atol=0.015)


def free_energy(q, unary, messages):
    """Mean field's objective up to a constant (Krähenbühl and Koltun 2013, equation 4)."""
    return float(
        (q * np.log(np.maximum(q, 1e-30))).sum(dtype=np.float64) + (q * (unary - messages / 2)).sum(dtype=np.float64)
    )


@pytest.mark.parametrize(("backend", "slack"), [("exact", 0), ("numba", 1e-4), ("torch", 1e-4)])
def test_free_energy_falls(backend, slack):
    """Potts with positive weights: the pairwise energy is concave, so that parallel updates can only improve."""
    probs, image, _ = scene(24, 32)
    machine = find_backend(backend)
    energies = np.empty((4, probs[0].size), np.float32)
    unary(probs.reshape(4, -1), energies)
    terms = [(machine.build(kernel), weight) for kernel, weight in picture_terms(image, PRESETS[DEFAULT])]
    field = machine.mean_field(energies, terms)
    field.start()
    values = []
    for _ in range(10):
        q = np.empty_like(energies)
        field.read(q, range(4))
        values.append(free_energy(q, energies, field.messages()))
        field.step()
    assert values[-1] < values[0] - 100
    assert all(b <= a + slack * abs(a) + 1e-3 for a, b in pairwise(values))


def test_classes_may_come_in_any_order():
    probs, image, _ = scene(classes=19)
    order = np.random.default_rng(0).permutation(19)
    np.testing.assert_allclose(
        dense_crf(probs[order], image, prune=0), dense_crf(probs, image, prune=0)[order], atol=1e-3
    )


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_elements_may_come_in_any_order(backend):
    probs, image, _ = scene()
    flat, features = probs.reshape(4, -1), picture_features(image, 10, 10).astype(np.float32)
    order = np.random.default_rng(0).permutation(flat.shape[1])
    whole = dense_crf_nd(flat, [(features, 4.0)], backend=backend)
    shuffled = dense_crf_nd(flat[:, order], [(features[:, order], 4.0)], backend=backend)
    np.testing.assert_allclose(shuffled, whole[:, order], atol=1e-3)


@pytest.mark.parametrize("backend", ["numba", "torch", "exact"])
def test_pruned_classes_are_as_if_they_were_not_there(backend):
    probs, image, _ = scene(24, 32, 5)
    probs = np.insert(probs * 0.994, [0, 3], np.float32(0.003), axis=0)
    refined = dense_crf(probs, image, backend=backend)
    kept = [1, 2, 3, 5, 6]
    assert not refined[[0, 4]].any()
    alone = dense_crf(probs[kept] / probs[kept].sum(0), image, backend=backend, prune=0)
    np.testing.assert_allclose(refined[kept], alone, atol=1e-5)
    everything = dense_crf(probs, image, backend=backend, prune=0)
    assert (everything.argmax(0) == refined.argmax(0)).mean() > 0.998
    assert everything[[0, 4]].max() > 0


def test_a_class_that_wins_somewhere_is_never_pruned():
    probs = softmax(np.random.default_rng(0).normal(size=(40, 6, 7)) * 0.1)
    assert probs.max() < 0.05
    refined = dense_crf(probs, np.zeros((6, 7, 3), np.uint8), prune=0.5, iterations=0)
    np.testing.assert_array_equal(np.flatnonzero(refined.max((1, 2))), np.unique(probs.argmax(0)))
    np.testing.assert_array_equal(refined.argmax(0), probs.argmax(0))


def test_no_iterations_and_no_kernels_change_nothing():
    probs, image, _ = scene()
    np.testing.assert_allclose(dense_crf(probs, image, iterations=0, prune=0), probs, atol=3e-5)
    alone = Preset(0, 1, 0, 1, 1)
    np.testing.assert_allclose(dense_crf(probs, image, preset=alone, prune=0), probs, atol=3e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_is_its_pictures(threads):
    cases = [scene(30, 40, 5, seed=seed) for seed in range(3)]
    probs, images = np.stack([case[0] for case in cases]), np.stack([case[1] for case in cases])
    said = []
    batch = dense_crf(probs, images, iterations=3, threads=threads, progress=lambda *now: said.append(now))
    for one, p, image in zip(batch, probs, images, strict=True):
        assert np.array_equal(one, dense_crf(p, image, iterations=3))
    assert said == [(done, 9) for done in range(1, 10)]


def test_tensors_go_in_and_come_out():
    probs, image, _ = scene()
    refined = dense_crf(torch.from_numpy(probs), torch.from_numpy(image))
    assert isinstance(refined, torch.Tensor) and refined.dtype == torch.float32
    np.testing.assert_array_equal(refined.numpy(), dense_crf(probs, image))
    coarse = dense_crf(torch.from_numpy(probs).bfloat16(), torch.from_numpy(image))
    assert (coarse.argmax(0) == refined.argmax(0)).float().mean() > 0.99
    attached = dense_crf(torch.from_numpy(probs).requires_grad_(), image)
    assert not attached.requires_grad


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_types_and_strides_do_not_matter(dtype):
    probs, image, _ = scene()
    expected = dense_crf(probs.astype(dtype).astype(np.float32), image)
    np.testing.assert_allclose(dense_crf(probs.astype(dtype), image), expected, atol=1e-4)
    turned = dense_crf(np.asfortranarray(probs), np.asfortranarray(image))
    np.testing.assert_array_equal(turned, dense_crf(probs, image))


@pytest.mark.parametrize("backend", ["numba", "torch", "exact"])
def test_an_affinity_matrix_is_what_classes_gain_from_each_other(backend):
    probs, image, _ = scene(20, 24, 3)
    features = picture_features(image, 6, 20).astype(np.float32)
    flat = probs.reshape(3, -1)
    potts = dense_crf_nd(flat, [(features, 2.5)], backend=backend)
    np.testing.assert_allclose(dense_crf_nd(flat, [(features, 2.5 * np.eye(3))], backend=backend), potts, atol=1e-4)
    matrix = np.random.default_rng(0).normal(size=(3, 3))
    exact = dense_crf_nd(flat, [(features, matrix)], backend="exact", iterations=1)
    logits = np.log(np.maximum(flat, 1e-5)) + matrix @ flat @ symmetric(gaussian(features)).T
    np.testing.assert_allclose(exact, softmax(logits), atol=1e-5)
    one = dense_crf_nd(flat, [(features, matrix)], backend=backend, iterations=1)
    assert np.abs(one - exact).mean() < 0.005


def test_a_clip_shares_labels_between_its_frames():
    """The second frame is known, the first is not; its colours tell."""
    probs, image, truth = scene(seed=2)
    clip = np.stack(
        [np.full_like(probs, 0.25), 0.97 * np.eye(4, dtype=np.float32)[truth].transpose(2, 0, 1) + 0.0075], axis=1
    )
    frames = np.stack([image, image])
    place = positions(*clip.shape[1:])
    features = stack((place[:1], 1.0), (place[1:], 20), (frames.transpose(3, 0, 1, 2), 20))
    refined = dense_crf_nd(clip, [(features, 4.0)])
    assert refined.shape == clip.shape
    assert (refined[:, 0].argmax(0) == truth).mean() > 0.97


def test_a_cloud_with_geographic_coordinates_and_normals():
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 3000)
    xyz = np.stack(
        [500_000 + truth * 6 + random.normal(size=3000), 5_400_000 + random.normal(size=3000), random.normal(size=3000)]
    )
    normals = np.stack([truth, 1 - truth, np.zeros(3000)]) + random.normal(size=(3, 3000)) * 0.1
    right = np.where(random.random(3000) < 0.7, truth, 1 - truth)
    probs = np.where(np.arange(2)[:, None] == right, 0.6, 0.4).astype(np.float32)
    refined = dense_crf_nd(probs, [(stack((xyz, 1.0), (normals, 0.5)), 8.0)])
    assert (refined.argmax(0) == truth).mean() > 0.995


@pytest.mark.parametrize("dims", [1, 2, 3, 6, 9])
def test_filters_of_any_dimension_are_gaussian(dims):
    random = np.random.default_rng(dims)
    features = random.normal(size=(dims, 500)).astype(np.float32) * (2 if dims < 4 else 1)
    probs = softmax(random.normal(size=(3, 500)) * 2)
    for backend in ("numba", "torch"):
        refined = dense_crf_nd(probs, [(features, 2.0)], backend=backend, iterations=1)
        exact = dense_crf_nd(probs, [(features, 2.0)], backend="exact", iterations=1)
        assert np.abs(refined - exact).mean() < 0.03

"""The shim: the usual script runs, and every argument means what it means in pydensecrf."""

from __future__ import annotations

import numpy as np
import pytest
from crf_cases import gaussian, lattice_filter, mean_field, picture_features, scene, softmax

import intarsia.compat.pydensecrf.densecrf as dcrf
from intarsia.compat.pydensecrf.utils import (
    compute_unary,
    create_pairwise_bilateral,
    create_pairwise_gaussian,
    softmax_to_unary,
    unary_from_labels,
    unary_from_softmax,
)
from intarsia.errors import DataError, UsageError
from intarsia.refine import dense_crf

PROBS, IMAGE, TRUTH = scene(20, 24)
HEIGHT, WIDTH, COUNT = 20, 24, 480


def test_the_usual_script():
    """As in pydensecrf's README and in kazuto1011/deeplab-pytorch."""
    C, H, W = PROBS.shape
    U = np.ascontiguousarray(unary_from_softmax(PROBS))
    image = np.ascontiguousarray(IMAGE)
    d = dcrf.DenseCRF2D(W, H, C)
    d.setUnaryEnergy(U)
    d.addPairwiseGaussian(sxy=1, compat=3)
    d.addPairwiseBilateral(sxy=67, srgb=3, rgbim=image, compat=4)
    Q = d.inference(10)
    Q = np.array(Q).reshape((C, H, W))
    np.testing.assert_allclose(Q, dense_crf(PROBS, IMAGE, prune=0), atol=1e-4)


def test_the_script_of_any_dimension():
    d = dcrf.DenseCRF(COUNT, 4)
    d.setUnaryEnergy(unary_from_labels(TRUTH, 4, gt_prob=0.7, zero_unsure=False))
    d.addPairwiseEnergy(create_pairwise_gaussian(sdims=(3, 3), shape=(HEIGHT, WIDTH)), compat=3,
                        kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC)  # fmt: skip
    features = create_pairwise_bilateral(sdims=(80, 80), schan=(13, 13, 13), img=IMAGE, chdim=2)
    d.addPairwiseEnergy(features, compat=10, kernel=dcrf.FULL_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC)
    Q, tmp1, tmp2 = d.startInference()
    np.testing.assert_allclose(Q.max(0), 0.7, atol=1e-6)
    divergences = [d.klDivergence(Q)]
    for _ in range(5):
        d.stepInference(Q, tmp1, tmp2)
        divergences.append(d.klDivergence(Q))
    assert np.diff(divergences).max() < 1e-3
    assert divergences[-1] < divergences[0] - 1000
    np.testing.assert_allclose(Q, d.inference(5), atol=1e-5)
    assert (np.argmax(Q, axis=0) == TRUTH.ravel()).mean() > 0.9


def test_features():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].reshape(2, -1)
    np.testing.assert_allclose(create_pairwise_gaussian((2, 5), (HEIGHT, WIDTH)), [rows / 2, columns / 5], rtol=1e-6)
    found = create_pairwise_bilateral((2, 5), (10, 20, 40), IMAGE, 2)
    colors = IMAGE.reshape(-1, 3).T / np.array([[10], [20], [40]])
    np.testing.assert_allclose(found, [rows / 2, columns / 5, *colors], rtol=1e-6)
    depth = np.random.default_rng(0).random((3, HEIGHT, WIDTH)).astype(np.float32)
    volume = create_pairwise_bilateral((1, 1, 1), 0.5, depth)
    assert volume.shape == (4, 3 * COUNT)
    np.testing.assert_allclose(volume[3], depth.ravel() * 2)
    same = create_pairwise_bilateral((2, 5), (10, 20, 40), IMAGE.transpose(2, 0, 1), 0)
    np.testing.assert_array_equal(same, found)


def test_unary_energies():
    labels = np.array([[0, 1], [3, 2]])
    found = unary_from_labels(labels, 3, gt_prob=0.8)
    expected = np.array([[1 / 3, 0.8, 0.1, 0.1], [1 / 3, 0.1, 0.1, 0.8], [1 / 3, 0.1, 0.8, 0.1]])
    np.testing.assert_allclose(np.exp(-found), expected, rtol=1e-6)
    found = unary_from_labels(labels, 4, gt_prob=0.7, zero_unsure=False)
    np.testing.assert_allclose(np.exp(-found), np.full((4, 4), 0.1) + 0.6 * np.eye(4)[:, labels.ravel()], rtol=1e-6)
    np.testing.assert_allclose(unary_from_softmax(PROBS), -np.log(PROBS.reshape(4, -1).clip(1e-5)), rtol=1e-6)
    scaled = np.exp(-unary_from_softmax(PROBS, scale=0.6, clip=None))
    np.testing.assert_allclose(scaled, 0.6 * PROBS.reshape(4, -1) + 0.1, rtol=1e-5)


def test_old_names_of_the_utilities():
    labels = np.array([[0, 1, 2, 3], [3, 2, 1, 0]])
    u, p, n = 1 / 3, 0.8, 0.1
    expected = [[u, p, n, n, n, n, p, u], [u, n, p, n, n, p, n, u], [u, n, n, p, p, n, n, u]]
    with pytest.warns(DeprecationWarning, match="unary_from_labels"):
        np.testing.assert_allclose(np.exp(-compute_unary(labels, 3, GT_PROB=0.8)), expected, rtol=1e-6)
    with pytest.warns(DeprecationWarning, match="unary_from_softmax"):
        np.testing.assert_array_equal(softmax_to_unary(PROBS, 0.6), unary_from_softmax(PROBS, 0.6, clip=None))
    with pytest.warns(DeprecationWarning):
        assert softmax_to_unary(np.array([[1.0], [0.0]]))[1, 0] == np.inf


def test_names_of_constants():
    assert list(dcrf.KernelType) == [dcrf.CONST_KERNEL, dcrf.DIAG_KERNEL, dcrf.FULL_KERNEL] == [0, 1, 2]
    assert dcrf.NormalizationType.NORMALIZE_SYMMETRIC == dcrf.NORMALIZE_SYMMETRIC == 3
    assert list(dcrf.NormalizationType)[:3] == [
        dcrf.NO_NORMALIZATION, dcrf.NORMALIZE_BEFORE, dcrf.NORMALIZE_AFTER,
    ]  # fmt: skip


def test_unary_objects():
    random = np.random.default_rng(0)
    weights, features = random.normal(size=(4, 7)).astype(np.float32), random.normal(size=(7, COUNT)).astype(np.float32)
    expected = softmax(-(weights.astype(np.float64) @ features))
    for give in (
        lambda d: d.setUnary(dcrf.ConstUnary(weights @ features)),
        lambda d: d.setUnary(dcrf.LogisticUnary(weights, features)),
        lambda d: d.setUnaryEnergy(weights, features),
        lambda d: d.setUnaryEnergy(weights, f=features),
    ):
        d = dcrf.DenseCRF(COUNT, 4)
        give(d)
        np.testing.assert_allclose(d.inference(0), expected, atol=1e-5)
    assert isinstance(dcrf.LogisticUnary(weights, features), dcrf.Unary)


def test_a_class_may_be_ruled_out():
    """An infinite energy is a probability of 0, before any update and after; the others are as if it did not exist."""
    energies = unary_from_softmax(PROBS)
    energies[3] = np.inf
    ruled_out, without = dcrf.DenseCRF2D(WIDTH, HEIGHT, 4), dcrf.DenseCRF2D(WIDTH, HEIGHT, 3)
    for d, given in ((ruled_out, energies), (without, energies[:3])):
        d.setUnaryEnergy(given)
        d.addPairwiseGaussian(sxy=1, compat=3)
        d.addPairwiseBilateral(sxy=67, srgb=3, rgbim=IMAGE, compat=4)
    for steps in (0, 5):
        found = ruled_out.inference(steps)
        assert (found[3] == 0).all()
        np.testing.assert_allclose(found[:3], without.inference(steps), atol=1e-6)
    assert ruled_out.klDivergence(found) == pytest.approx(without.klDivergence(found[:3]), rel=1e-5)


@pytest.mark.parametrize("sigma", [1.5, 4])
@pytest.mark.parametrize("normalization", range(4))
def test_normalisation(sigma, normalization):
    d = dcrf.DenseCRF2D(WIDTH, HEIGHT, 4)
    d.setUnaryEnergy(unary_from_softmax(PROBS))
    d.addPairwiseGaussian(sxy=sigma, compat=2, normalization=normalization)
    values = PROBS.reshape(4, -1).astype(np.float64)
    features = picture_features(IMAGE, sigma)
    if sigma <= 2:
        pairs = gaussian(features)
        ones, filtered = pairs.sum(1), lambda v: v @ pairs
    else:
        ones, filtered = lattice_filter(features, np.ones((1, COUNT)))[0], lambda v: lattice_filter(features, v)
    messages = [
        lambda: filtered(values) * (0.8 if sigma > 2 else 1),
        lambda: filtered(values / ones),
        lambda: filtered(values) / ones,
        lambda: filtered(values / np.sqrt(ones)) / np.sqrt(ones),
    ][normalization]()
    np.testing.assert_allclose(d.inference(1), softmax(np.log(values) + 2 * messages), atol=2e-3)


def test_compat_is_a_gain_as_a_number_and_a_cost_as_an_array():
    features = create_pairwise_gaussian((1, 1), (HEIGHT, WIDTH))
    values = PROBS.reshape(4, -1)
    random = np.random.default_rng(0)
    matrix, diagonal = random.normal(size=(4, 4)).astype(np.float32), random.normal(size=4).astype(np.float32)
    filtered = lattice_filter(features, values / np.sqrt(sums := lattice_filter(features, np.ones((1, COUNT)))[0]))
    filtered /= np.sqrt(sums)
    for compat, gain in ((2.5, 2.5 * np.eye(4)), (diagonal, -np.diag(diagonal)), (matrix, -(matrix + matrix.T) / 2)):
        d = dcrf.DenseCRF(COUNT, 4)
        d.setUnaryEnergy(unary_from_softmax(PROBS))
        d.addPairwiseEnergy(features, compat)
        np.testing.assert_allclose(d.inference(1), softmax(np.log(values) + gain @ filtered), atol=1e-4)


def test_widths_of_each_axis_and_channel():
    d = dcrf.DenseCRF2D(WIDTH, HEIGHT, 4)
    d.setUnaryEnergy(unary_from_softmax(PROBS))
    d.addPairwiseGaussian((1.0, 2.0), 3.0)
    d.addPairwiseBilateral((6, 12), (10, 20, 30), IMAGE, 4.0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].reshape(2, -1)
    colors = IMAGE.reshape(-1, 3).T / np.array([[10], [20], [30]])
    kernels = [(np.stack([columns, rows / 2]), 3), (np.stack([columns / 6, rows / 12, *colors]), 4)]
    pairs = [(root[:, None] * k * root, w) for f, w in kernels for k in [gaussian(f)] for root in [k.sum(1) ** -0.5]]
    exact = mean_field(PROBS.reshape(4, -1), pairs, 3)
    found = d.inference(3)
    assert (found.argmax(0) == exact.argmax(0)).mean() > 0.985
    assert np.abs(found - exact).mean() < 0.02


def test_the_divergence_counts_pairs_twice():
    d = dcrf.DenseCRF2D(WIDTH, HEIGHT, 4)
    energies = unary_from_softmax(PROBS)
    d.setUnaryEnergy(energies)
    d.addPairwiseGaussian(sxy=1.5, compat=2)
    q = PROBS.reshape(4, -1).astype(np.float64)
    pairs = gaussian(picture_features(IMAGE, 1.5))
    root = pairs.sum(1) ** -0.5
    expected = (q * np.log(q)).sum() + (q * energies).sum() - 2 * (q * (q * root @ pairs * root)).sum()
    assert d.klDivergence(PROBS.reshape(4, -1)) == pytest.approx(expected, rel=1e-4)


def test_without_unary_energies_all_classes_are_alike():
    np.testing.assert_allclose(dcrf.DenseCRF(5, 4).inference(3), 0.25)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda d: d.setUnaryEnergy(np.zeros((3, COUNT), np.float32)), DataError, r"\(4, 480\), classes by elements"),
        (lambda d: d.setUnaryEnergy(np.full((4, COUNT), np.inf)), DataError, "infinite for all .* element 0"),
        (lambda d: d.setUnaryEnergy(np.where(np.arange(COUNT) == 7, np.nan, np.ones((4, 1)))), DataError, "element 7"),
        (lambda d: d.setUnaryEnergy(np.where(np.arange(COUNT) == 7, -np.inf, np.ones((4, 1)))), DataError, "minus inf"),
        (lambda d: d.setUnaryEnergy(np.zeros(4)), DataError, r"\(classes, elements\), not \(4,\)"),
        (lambda d: d.setUnary(dcrf.ConstUnary(np.zeros((4, 3)))), DataError, r"\(4, 480\), classes by elements"),
        (lambda d: dcrf.LogisticUnary(np.zeros((4, 3)), np.zeros((4, 480))), DataError, r"\(4, 3\) and \(4, 480\)"),
        (lambda d: create_pairwise_gaussian((1, 2, 3), (4, 4)), UsageError, "2 axes, but there are 3"),
        (lambda d: create_pairwise_bilateral((2, 5), (1, 2), IMAGE, 2), UsageError, "3 channels, but there are 2"),
        (lambda d: d.addPairwiseEnergy(np.zeros((2, 7), np.float32), 3), DataError, r"\(d, 480\)"),
        (lambda d: d.addPairwiseGaussian(3, np.ones((2, 2))), DataError, r"\(4, 4\), not \(2, 2\)"),
        (lambda d: d.addPairwiseGaussian((1, 2, 3), 3), UsageError, "one standard deviation or 2"),
        (lambda d: d.addPairwiseGaussian(3, 3, normalization=7), UsageError, "NORMALIZE constant"),
        (lambda d: d.addPairwiseGaussian(0, 3), UsageError, "positive"),
        (lambda d: d.addPairwiseBilateral(3, 3, IMAGE.astype(float), 3), DataError, "uint8 .*float64"),
        (lambda d: d.addPairwiseBilateral(3, 3, IMAGE[1:], 3), DataError, r"not uint8 \(19, 24, 3\)"),
        (lambda d: d.addPairwiseBilateral(3, (1, 0, 1), IMAGE, 3), UsageError, "positive"),
        (lambda d: unary_from_labels(TRUTH, 4, gt_prob=1), UsageError, "between 0 and 1"),
        (lambda d: unary_from_labels(TRUTH + 5, 4, gt_prob=0.5), DataError, "none of the 4 classes"),
        (lambda d: unary_from_labels(TRUTH - 2, 4, gt_prob=0.5, zero_unsure=False), DataError, "none of the 4 classes"),
        (lambda d: unary_from_softmax(PROBS, scale=2), UsageError, "scale"),
    ],
)
def test_bad_input(call, error, said):
    """Errors are Intarsia's own, and ValueErrors too, which scripts catch."""
    with pytest.raises(error, match=said) as raised:
        call(dcrf.DenseCRF2D(WIDTH, HEIGHT, 4))
    assert isinstance(raised.value, ValueError)

"""Subnormal numbers, which stall many processors, arise nowhere in the dense CRF's buffers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from crf_cases import scene, softmax

from intarsia.refine.crf import exact, tensors
from intarsia.refine.crf.backends import find_backend
from intarsia.refine.crf.compiled import filters
from intarsia.refine.crf.inference import bilateral
from intarsia.refine.crf.kernels import Features, Grid

HEIGHT, WIDTH = 12, 16


def subnormal(values) -> int:
    array = np.asarray(values)
    return int(((array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)).sum())


def kernels(image):
    return [Grid((HEIGHT, WIDTH), (1.0, 1.0)), bilateral(image, 8.0, 20.0)]


@pytest.mark.parametrize("scale", [1.0, 40.0], ids=["usual", "very sure"])
@pytest.mark.parametrize("classes", range(1, 22))
def test_compiled_buffers(classes, scale):
    """Neither lanes without a class nor classes of a vanishing probability leave any."""
    probs, image, _ = scene(HEIGHT, WIDTH, classes, seed=classes)
    energies = (-np.log(np.maximum(probs, 1e-5)) * scale).reshape(classes, -1).astype(np.float32)
    machine = find_backend("numba")
    terms = [(machine.build(kernel), 3.0) for kernel in kernels(image)]
    field = machine.mean_field(energies, terms)
    field.start()
    for _ in range(3):
        field.step()
        for buffer in (field._marginals, terms[0][0]._rows, terms[1][0]._lattice):
            assert subnormal(buffer.flat) == 0
    assert subnormal(field.messages()) == 0
    torch_field = find_backend("torch").mean_field(
        energies, [(tensors.build(kernel), 3.0) for kernel in kernels(image)]
    )
    torch_field.start()
    for _ in range(3):
        torch_field.step()
    found, expected = np.empty_like(energies), np.empty_like(energies)
    field.read(found, range(classes))
    torch_field.read(expected, range(classes))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_marginals_keep_their_digits():
    """Only what is below 2^-100 becomes 0: the logarithm of a small marginal is still right."""
    energies = np.array([[0.0], [60.0], [90.0]], np.float32)
    field = find_backend("numba").mean_field(energies, [])
    field.start()
    found = np.empty_like(energies)
    field.read(found, range(3))
    np.testing.assert_allclose(np.log(found[:2, 0]), [0, -60], atol=1e-4)
    assert found[2, 0] == 0


@pytest.mark.parametrize("machine", ["numba", "torch"])
def test_given_values_and_features_may_be_tiny(machine):
    """What a caller passes in is flushed where it is first read."""
    values = np.full((3, 64), 1e-40, np.float32)
    values[0] = 1
    features = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    features[:, ::4] = 1e-41
    backend = find_backend(machine)
    field = backend.mean_field(values, [(backend.build(Features(features)), 1.0)])
    field.start(values)
    found = field.messages()
    assert subnormal(found) == 0
    assert (found[1:] == 0).all() and (found[0] > 0.1).all()


def test_weights_of_corners_and_taps():
    """An element on a lattice point weighs nothing at the simplex's other corners; a narrow Gaussian is one tap."""
    place = np.zeros((5, 20), np.float32)
    place[:, 1:] = np.float32(1e-12)
    built = filters.LatticeFilter(Features(place, "none"))
    weights = built._before
    assert subnormal(weights) == 0
    assert set(np.unique(weights)) == {0, 1}
    np.testing.assert_array_equal(Grid((4, 4), (0.07, 0.1)).taps(0), [1])
    np.testing.assert_array_equal(Grid((4, 4), (0.07, 0.1)).taps(1), [1])


def test_all_pairs_that_are_far_apart():
    """Kernel values between 1e-38 and 1e-45 would be subnormal; beyond 1e-26 they are 0."""
    far = np.array([[0.0, 5.0, 13.5, 14.0]], np.float32)
    kernel = exact.build(Features(far, "none"))
    found = kernel(torch.eye(4)).numpy()
    assert subnormal(found) == 0
    np.testing.assert_allclose(found[0], [1, np.exp(-12.5), 0, 0], rtol=1e-5)


def test_gradients_of_the_torch_filter():
    """What is negligible beside the largest gradient becomes 0, at whatever scale the loss is."""
    _, image, _ = scene(HEIGHT, WIDTH)
    kernel = tensors.build(bilateral(image, 8.0, 20.0))
    values = torch.from_numpy(softmax(np.zeros((2, HEIGHT * WIDTH)))).T.contiguous().requires_grad_()
    weight = torch.full_like(values, 1e-20)
    weight[::3] = 1e-38
    (kernel(values) * weight).sum().backward()
    assert subnormal(values.grad) == 0
    assert float(values.grad.abs().max()) == pytest.approx(1e-20, rel=1)

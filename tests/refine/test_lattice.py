"""The compiled loops: storage, registers, hash table and filters, each against plain NumPy or all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from crf_cases import gaussian, lattice_filter

from intarsia.refine.crf import permutohedral
from intarsia.refine.crf.backends import find_backend
from intarsia.refine.crf.compiled import lattice
from intarsia.refine.crf.compiled.blocks import Blocks, softmax
from intarsia.refine.crf.kernels import Features, Grid


@pytest.mark.parametrize(
    ("classes", "lanes"),
    [
        (1, [4]), (4, [4]), (5, [8]), (8, [8]), (9, [16]), (16, [16]), (17, [16, 4]), (21, [16, 8]), (32, [16, 16]),
        (150, [16] * 9 + [8]),
    ],
)  # fmt: skip
def test_blocks_keep_what_they_are_given(classes, lanes):
    values = np.random.default_rng(0).normal(size=(classes, 9001)).astype(np.float32)
    blocks = Blocks(classes, 9001)
    assert blocks.lanes == lanes
    assert blocks.flat.ctypes.data % 64 == 0
    blocks.write(values, -2, 7)
    order = np.random.default_rng(1).permutation(classes)
    out = np.zeros_like(values)
    blocks.read(out, order)
    np.testing.assert_array_equal(out[order], values * np.float32(-2))
    assert (blocks.flat == 7).sum() == (sum(lanes) - classes) * 9001


@pytest.mark.parametrize("classes", [1, 3, 7, 16, 21, 40])
def test_softmax_to_the_base_2(classes):
    logits = (np.random.default_rng(0).normal(size=(classes, 50)) * 40).astype(np.float32)
    blocks, out = Blocks(classes, 50), Blocks(classes, 80)
    blocks.write(logits, 1, -1e30)
    out.flat[:] = 5
    softmax(blocks.lanes[-1])(blocks.flat, 50, len(blocks.lanes) - 1, out.flat, 80, 20)
    found = np.zeros((classes, 80), np.float32)
    out.read(found, range(classes))
    powers = np.exp2(logits.astype(np.float64) - logits.max(0))
    np.testing.assert_allclose(found[:, 20:70], powers / powers.sum(0), atol=1e-6)
    assert (found[:, :20] == 5).all() and (found[:, 70:] == 5).all()


def messages(backend, kernel, values):
    """The filtered values (C, N)."""
    machine = find_backend(backend)
    field = machine.mean_field(values, [(machine.build(kernel), 1.0)])
    field.start(values)
    return field.messages()


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(("dims", "classes"), [(1, 2), (2, 5), (3, 12), (5, 21), (8, 1)])
def test_filter_is_the_papers(backend, dims, classes):
    random = np.random.default_rng(dims)
    features = (random.normal(size=(dims, 403)) * (4 if dims < 4 else 1)).astype(np.float32)
    values = random.random((classes, 403)).astype(np.float32)
    ones = lattice_filter(features, np.ones((1, 403)))
    plain = lattice_filter(features, values) / (1 + 2.0**-dims)
    np.testing.assert_allclose(messages(backend, Features(features, "none"), values), plain, rtol=2e-4)
    after = lattice_filter(features, values) / ones
    np.testing.assert_allclose(messages(backend, Features(features, "after"), values), after, rtol=2e-4)
    before = lattice_filter(features, values / ones)
    np.testing.assert_allclose(messages(backend, Features(features, "before"), values), before, rtol=2e-4)
    both = lattice_filter(features, values / np.sqrt(ones)) / np.sqrt(ones)
    np.testing.assert_allclose(messages(backend, Features(features), values), both, rtol=2e-4)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("normalisation", ["none", "before", "after", "symmetric"])
@pytest.mark.parametrize(("size", "sigma"), [((9, 14), (1.0, 1.0)), ((70, 3), (2.0, 0.4)), ((1, 30), (1.5, 2.0))])
def test_convolution_is_all_pairs(backend, normalisation, size, sigma):
    kernel = Grid(size, sigma, normalisation)
    rows, columns = np.mgrid[: size[0], : size[1]].reshape(2, -1)
    pairs = gaussian(np.stack([rows / sigma[0], columns / sigma[1]]))
    sums = pairs.sum(1)
    left, right = {
        "none": (1, 1), "before": (1, 1 / sums), "after": (1 / sums, 1), "symmetric": (sums**-0.5, sums**-0.5),
    }[normalisation]  # fmt: skip
    values = np.random.default_rng(0).random((19, size[0] * size[1])).astype(np.float32)
    expected = left * (values * right @ pairs)
    np.testing.assert_allclose(
        messages(backend, kernel, values), expected, atol=3e-3 if normalisation == "none" else 6e-4
    )


def test_a_large_picture_is_updated_in_parts():
    """Parts of a few rows give what one part of all rows gives."""
    random = np.random.default_rng(0)
    values = random.random((5, 700 * 90)).astype(np.float32)
    found = messages("numba", Grid((700, 90), (1.0, 1.0)), values)
    machine = find_backend("numba")
    field = machine.mean_field(-np.log(values), [(machine.build(Grid((700, 90), (1.0, 1.0))), 1.0)])
    field.start(values)
    field.step()
    marginals = np.empty_like(values)
    field.read(marginals, range(5))
    powers = values * np.exp(found)
    np.testing.assert_allclose(marginals, powers / powers.sum(0), atol=1e-5)


def test_growing_the_table_takes_over_only_what_is_in_use():
    sums = np.array([5, 7, 9, 5, 11, 7, 13, 15])  # what lies beyond the first three is left-over memory
    more, table = lattice._grown(sums, 3)
    assert more[:3].tolist() == [5, 7, 9]
    assert sorted(table[table >= 0].tolist()) == [0, 1, 2]


def test_lattice_keys_are_odd_and_the_scale_is_the_papers():
    keys = permutohedral.keys(5)
    assert keys[-1] == 0 and (keys[:-1] % 2 == 1).all() and len(np.unique(keys)) == 6
    np.testing.assert_allclose(
        permutohedral.scale(2), [np.sqrt(2 / 3) * 3 / np.sqrt(2), np.sqrt(2 / 3) * 3 / np.sqrt(6)]
    )

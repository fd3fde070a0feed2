"""The boundary band against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intarsia.metrics import boundary_band


def brute_force(target: np.ndarray, radius: int) -> np.ndarray:
    band = np.zeros(target.shape, bool)
    for (row, column), label in np.ndenumerate(target):
        near = target[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1]
        band[row, column] = label != 255 and bool(((near != label) & (near != 255)).any())
    return band


def test_one_edge():
    target = np.zeros((4, 10), np.uint8)
    target[:, 5:] = 3
    assert boundary_band(target, 2)[0].tolist() == [False] * 3 + [True] * 4 + [False] * 3


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, (9, 7), elements=st.sampled_from([0, 1, 18, 255])), st.integers(1, 3))
def test_equals_brute_force(target, radius):
    assert np.array_equal(boundary_band(target, radius), brute_force(target, radius))


@pytest.mark.parametrize("label", [0, 254, 255])
def test_one_class_has_no_boundary(label):
    assert not boundary_band(np.full((5, 5), label, np.uint8), 2).any()

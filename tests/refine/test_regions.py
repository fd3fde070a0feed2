"""Small regions: by hand, and against a slow and plain implementation."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.refine import remove_small_regions


def by_hand(labels, pixels, ignore=255):
    """Flood fill, then rounds in which small regions ask the regions around them."""
    height, width = labels.shape
    region = -np.ones(labels.shape, int)
    members = []
    for start in np.ndindex(height, width):
        if region[start] >= 0:
            continue
        region[start] = len(members)
        members.append([start])
        for y, x in members[-1]:
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= near[0] < height and 0 <= near[1] < width
                if inside and region[near] < 0 and labels[near] == labels[start]:
                    region[near] = region[start]
                    members[-1].append(near)
    label = {index: int(labels[pixels_[0]]) for index, pixels_ in enumerate(members)}
    small = {i for i, m in enumerate(members) if len(m) < pixels and label[i] != ignore}
    given = {i: label[i] for i in label if i not in small and label[i] != ignore}
    while True:
        found = {}
        for index in small - set(given):
            votes = Counter()
            for y, x in members[index]:
                for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if (
                        0 <= near[0] < height
                        and 0 <= near[1] < width
                        and region[near] != index
                        and region[near] in given
                    ):
                        votes[given[region[near]]] += 1
            if votes:
                found[index] = min(votes, key=lambda one: (-votes[one], one))
        if not found:
            break
        given |= found
    out = labels.copy()
    for index in small & set(given):
        for place in members[index]:
            out[place] = given[index]
    return out


def test_a_speck_takes_the_label_around_it():
    labels = np.zeros((7, 9), np.uint8)
    labels[2:4, 2:4] = 5
    labels[5, 7] = 3
    expected = labels.copy()
    expected[5, 7] = 0
    np.testing.assert_array_equal(remove_small_regions(labels, pixels=4), expected)
    assert not remove_small_regions(labels, pixels=5).any()
    np.testing.assert_array_equal(remove_small_regions(labels, pixels=0), labels)


def test_the_longest_contact_decides_and_the_lower_label_of_equals():
    labels = np.array([[1, 1, 1, 2], [1, 9, 2, 2], [1, 2, 2, 2]], np.int32)
    assert remove_small_regions(labels, pixels=2)[1, 1] == 1
    labels[2, 1] = labels[0, 1] = 2
    assert remove_small_regions(labels, pixels=2)[1, 1] == 2


def test_diagonal_neighbours_are_not_connected():
    labels = np.zeros((4, 4), np.uint8)
    labels[1, 1] = labels[2, 2] = 1
    assert not remove_small_regions(labels, pixels=2).any()


def test_nested_regions_and_regions_without_a_large_neighbour():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:7, 2:7] = 1
    labels[4, 4] = 2
    assert not remove_small_regions(labels, pixels=30).any()
    np.testing.assert_array_equal(remove_small_regions(labels, pixels=100), labels)


def test_ignored_pixels_are_neither_changed_nor_given():
    labels = np.full((5, 6), 255, np.uint8)
    labels[2, 2] = 3
    np.testing.assert_array_equal(remove_small_regions(labels), labels)
    labels[:, 4:] = 1
    labels[0, 4] = 255
    np.testing.assert_array_equal(remove_small_regions(labels, pixels=5), labels)
    np.testing.assert_array_equal(remove_small_regions(labels, pixels=5, ignore_index=-1)[2, 2], 255)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), size=st.tuples(st.integers(1, 14), st.integers(1, 14)), pixels=st.integers(0, 12),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int64]),
)  # fmt: skip
def test_equals_plain_implementation(seed, size, pixels, dtype):
    random = np.random.default_rng(seed)
    labels = random.choice([0, 1, 2, 255], size=size, p=[0.5, 0.3, 0.1, 0.1]).astype(dtype)
    found = remove_small_regions(labels, pixels=pixels)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, by_hand(labels, pixels))


@pytest.mark.parametrize("pixels", [64, 500])
def test_what_is_left_is_large(pixels):
    random = np.random.default_rng(0)
    labels = (random.random((120, 160)) < 0.06).astype(np.uint8) + (np.arange(160) > 80).astype(np.uint8) * 4
    cleaned = remove_small_regions(labels, pixels=pixels)
    np.testing.assert_array_equal(remove_small_regions(cleaned, pixels=pixels), cleaned)
    assert set(np.unique(cleaned)) == {0, 4}

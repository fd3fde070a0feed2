"""Run lengths: against pycocotools, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as reference

from intarsia.annotations import rle
from intarsia.errors import DataError

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14)))


@settings(deadline=None)
@given(MASKS)
def test_masks_come_back_and_agree_with_pycocotools(mask: np.ndarray) -> None:
    theirs = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = rle.to_text(rle.runs(mask))
    assert text == theirs["counts"].decode()
    assert np.array_equal(rle.decode_runs(rle.from_text(text), mask.shape), mask)
    rows = rle.runs(mask, "C")
    assert np.array_equal(rle.decode_runs(rows, mask.shape, "C"), mask)
    assert rows.sum() == mask.size


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**31), max_size=30))
def test_text_of_any_counts(counts: list[int]) -> None:
    assert rle.from_text(rle.to_text(counts)).tolist() == counts


def test_hand_computed() -> None:
    mask = np.array([[0, 1, 1], [0, 1, 0]], np.bool_)
    assert rle.runs(mask).tolist() == [2, 3, 1]  # columns: 00 11 10
    assert rle.runs(mask, "C").tolist() == [1, 2, 1, 1, 1]  # rows: 011 010
    assert rle.runs(np.ones((2, 2), np.bool_)).tolist() == [0, 4]
    assert rle.runs(np.zeros((0, 3), np.bool_)).tolist() == []


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ([1, 2], (2, 2), "add up to 3"),
        ([-1, 5], (2, 2), "negative"),
        ([2**70], (2, 2), "not a list of numbers"),
        (["a"], (2, 2), "not a list of numbers"),
        ([2**62, 2**62, 2**62, 2**62], (2, 2), "longer than the mask"),
        ([4], (10**6, 10**6), "more than any image"),
        ([], (-1, 2), "more than any image"),
    ],
)
def test_counts_that_are_refused(counts: list, size: tuple[int, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rle.decode_runs(counts, size)


@pytest.mark.parametrize("text", ["é", "\x00", "zzz", "o" * 20, "oooooooooooooooo0"])
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="run lengths"):
        rle.from_text(text)


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120)))
def test_any_text_is_counts_or_an_error(text: str) -> None:
    try:
        counts = rle.from_text(text)
        rle.decode_runs(counts, (4, 5))
    except DataError:
        return
    assert counts.sum() == 20

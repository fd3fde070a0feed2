"""MaskCoding: stored values to class indices."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.datasets import MaskCoding
from intarsia.datasets.coding import number_list, percent, share_list, value_list
from intarsia.errors import DataError
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("a", "b", "c"))


def test_values_are_looked_up() -> None:
    coding = MaskCoding(values={0: 0, 5: 1, 700: 2, 255: 255})
    raw = np.array([[0, 5], [700, 255]], np.uint16)
    labels = coding.decode(raw, SPACE)
    assert labels.tolist() == [[0, 1], [2, 255]]
    assert labels.dtype == np.uint8


def test_large_label_spaces_use_sixteen_bits() -> None:
    space = LabelSpace(tuple(f"class_{i}" for i in range(300)))
    coding = MaskCoding(values={i: i for i in range(300)} | {65535: 65535})
    labels = coding.decode(np.array([[0, 299, 65535]], np.uint16), space)
    assert labels.tolist() == [[0, 299, 65535]]
    assert labels.dtype == np.uint16


def test_an_unknown_value_is_named_with_its_pixels() -> None:
    coding = MaskCoding(values={0: 0, 1: 1})
    with pytest.raises(DataError, match=r"value 7 \(2 pixels\).*known: 0, 1.*\(ignore\)"):
        coding.decode(np.array([[0, 7, 7, 1]], np.uint8), SPACE)
    with pytest.raises(DataError, match=r"value 65535 \(1 pixels\)"):
        coding.decode(np.array([[0, 65535]], np.uint16), SPACE)


def test_gray_stored_as_rgb_is_gray() -> None:
    raw = np.repeat(np.array([[[0], [1]]], np.uint8), 3, axis=2)
    assert MaskCoding(values={0: 0, 1: 2}).decode(raw, SPACE).tolist() == [[0, 2]]


def test_colours_in_an_index_data_set_are_refused() -> None:
    raw = np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8)
    with pytest.raises(DataError, match=r"colour-coded.*\(255, 0, 0\) 50\.0%"):
        MaskCoding(values={0: 0}).decode(raw, SPACE)


def test_threshold() -> None:
    coding = MaskCoding(threshold=127)
    assert coding.decode(np.array([[0, 127, 128, 255]], np.uint8), SPACE).tolist() == [[0, 0, 1, 1]]
    tinted = np.array([[[250, 255, 240], [9, 6, 5]]], np.uint8)
    assert coding.decode(tinted, SPACE).tolist() == [[1, 0]]


def test_colours_are_looked_up_and_unknown_ones_named() -> None:
    coding = MaskCoding(colors={(255, 0, 0): 1, (0, 0, 255): 0, (0, 0, 0): 255})
    raw = np.array([[[255, 0, 0], [0, 0, 255], [0, 0, 0], [255, 0, 0]]], np.uint8)
    assert coding.decode(raw, SPACE).tolist() == [[1, 0, 255, 1]]
    raw[0, 3] = (1, 2, 3)
    with pytest.raises(DataError, match=r"colours that no class.*\(1, 2, 3\) 25\.0%"):
        coding.decode(raw, SPACE)
    with pytest.raises(DataError, match=r"single values.*colour-coded"):
        coding.decode(raw[..., 0], SPACE)


@pytest.mark.parametrize(
    "coding",
    [
        MaskCoding(values={0: 0, 11: 255}),
        MaskCoding(colors={(1, 2, 3): 0, (255, 255, 255): 1}),
        MaskCoding(threshold=127),
    ],
)
def test_json_round_trip(coding: MaskCoding) -> None:
    assert MaskCoding.from_json(coding.to_json()) == coding


@pytest.mark.parametrize("value", [{}, [], {"values": [[1]]}, {"colors": [[1, 2, 3]]}, {"threshold": None}])
def test_json_that_is_no_coding(value: object) -> None:
    with pytest.raises(DataError, match="not a mask coding"):
        MaskCoding.from_json(value)


def test_exactly_one_rule() -> None:
    with pytest.raises(DataError, match="exactly one"):
        MaskCoding()
    with pytest.raises(DataError, match="exactly one"):
        MaskCoding(values={0: 0}, threshold=3)


def test_counting_a_histogram_agrees_with_decoding() -> None:
    raw = np.array([[0, 0, 3, 9, 9, 9, 200]], np.uint8)
    coding = MaskCoding(values={0: 1, 3: 0, 9: 255})
    assert coding.count(np.bincount(raw.ravel()), SPACE).tolist() == [1, 2, 0, 3, 1]
    assert MaskCoding(threshold=8).count(np.bincount(raw.ravel()), SPACE).tolist() == [3, 4, 0, 0, 0]


def test_words() -> None:
    assert number_list([0, 1, 2, 3, 7, 255]) == "0-3, 7, 255"
    assert number_list([4, 5]) == "4, 5"
    assert value_list({12: 4, 3: 1}) == "values 3 (1 pixels), 12 (4 pixels)"
    assert share_list({0: 3, 0xFF8000: 1}, 4) == "(0, 0, 0) 75.0%, (255, 128, 0) 25.0%"
    assert percent(1, 100_000) == "<0.1%"
    assert percent(0, 10) == "0.0%"

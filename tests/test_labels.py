"""LabelSpace: construction, lookup tables, messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace, distinct_colors, mirrored_pairs


def test_defaults() -> None:
    space = LabelSpace(("sky", "road"))
    assert len(space) == 2
    assert space.palette == ((0, 114, 178), (230, 159, 0))
    assert space.ignore_index == 255
    assert space.dtype == np.uint8


@pytest.mark.parametrize(
    ("classes", "ignore", "dtype"), [(1, 255, np.uint8), (255, 255, np.uint8), (256, 65535, np.uint16)]
)
def test_ignore_index_lies_above_the_classes(classes: int, ignore: int, dtype: type) -> None:
    space = LabelSpace(tuple(f"c{i}" for i in range(classes)))
    assert space.ignore_index == ignore
    assert space.dtype == dtype


def test_colors_table_is_black_where_there_is_no_class() -> None:
    space = LabelSpace(("a", "b"), ((1, 2, 3), (4, 5, 6)), ignore_index=4)
    assert space.colors().tolist() == [[1, 2, 3], [4, 5, 6], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_index_suggests_the_closest_name() -> None:
    space = LabelSpace(("sky", "road", "pedestrian"))
    assert space.index("road") == 1
    with pytest.raises(UsageError, match=r"no class is named 'pedestrain'\. Did you mean 'pedestrian'\?"):
        space.index("pedestrain")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ()}, "at least one class"),
        ({"names": ("a", "b", "a")}, "must be unique; repeated: a"),
        ({"names": "sky"}, "a list of texts, not the single text 'sky'"),
        ({"names": ("a", "b"), "palette": ((0, 0, 0),)}, "1 colours for 2 classes"),
        ({"names": ("a",), "palette": ((0, 0, 256),)}, "RGB values from 0 to 255"),
        ({"names": ("a",), "palette": ((0, 0),)}, "three numbers each"),
        ({"names": ("a", "b"), "ignore_index": 1}, "ignore_index 1 must lie above the 2 class indices"),
        ({"names": ("a", "b"), "ignore_index": 70000}, "at most at 65535"),
    ],
)
def test_what_is_no_label_space(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LabelSpace(**arguments)


def test_lookup_goes_by_name_not_position() -> None:
    here = LabelSpace(("road", "sky", "pavement"))
    other = LabelSpace(("sky", "sidewalk", "tree", "road"), ignore_index=5)
    assert here.lookup_from(other).tolist() == [1, 255, 255, 0, 255, 255]
    assert here.lookup_from(other, {"sidewalk": "pavement"}).tolist() == [1, 2, 255, 0, 255, 255]
    with pytest.raises(UsageError, match="Did you mean 'pavement'"):
        here.lookup_from(other, {"sidewalk": "pavment"})


@given(st.lists(st.text(min_size=1), min_size=1, max_size=300, unique=True))
def test_json_round_trip(names: list[str]) -> None:
    space = LabelSpace(tuple(names))
    assert LabelSpace.from_json(space.to_json()) == space


@pytest.mark.parametrize("value", [None, [], {}, {"names": 3}, {"names": ["a"], "palette": [[1]]}, {"names": "ab"}])
def test_forged_json(value: Any) -> None:
    with pytest.raises(DataError, match=r"not a label space|single text|three numbers"):
        LabelSpace.from_json(value)


def test_distinct_colors_are_distinct_and_not_black() -> None:
    colors = distinct_colors(300)
    assert len(set(colors)) == 300
    assert (0, 0, 0) not in colors


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["skin", "right_eye", "left_eye"], [("left_eye", "right_eye")]),
        (["l_brow", "r_brow", "brow"], [("l_brow", "r_brow")]),
        (["Kidney, Right", "Kidney, Left", "Spleen"], [("Kidney, Left", "Kidney, Right")]),
        (["leftArm", "rightArm", "leftLeg", "rightLeg"], [("leftArm", "rightArm"), ("leftLeg", "rightLeg")]),
        (["ctx-lh-cuneus", "ctx-rh-cuneus"], [("ctx-lh-cuneus", "ctx-rh-cuneus")]),
        (["left_eye", "right_ear", "cleft", "bright", "leftover", "rightover"], []),
        (["road", "car", "l", "lane_left"], []),
        (["left", "right", "_"], [("left", "right")]),
    ],
)
def test_names_of_two_sides_are_pairs(names: list[str], pairs: list[tuple[str, str]]) -> None:
    assert mirrored_pairs(names) == pairs

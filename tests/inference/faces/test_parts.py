"""Parts of faces: how much of each pixel, and of which part."""

from __future__ import annotations

import numpy as np
import pytest
from faces_drawn import DrawnFace, drawn_points
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.inference.faces.parts import PARTS, eye_distance, face_parts, filled, outline

SIZE = (320, 320)


def circle(x: float, y: float, radius: float) -> np.ndarray:
    turns = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    return np.stack([x + radius * np.cos(turns), y + radius * np.sin(turns)], axis=1).astype(np.float32)


@given(x=st.floats(20, 44), y=st.floats(20, 44), radius=st.floats(4, 18))
@settings(max_examples=30, deadline=None)
def test_shares_add_up_to_the_area_and_lie_around_its_middle(x: float, y: float, radius: float) -> None:
    mask = filled(circle(x, y, radius), (64, 64))
    assert mask.sum() == pytest.approx(np.pi * radius**2, rel=0.02 + 0.2 / radius)
    rows, columns = np.mgrid[:64, :64]
    assert (mask * columns).sum() / mask.sum() == pytest.approx(x, abs=0.05)
    assert (mask * rows).sum() / mask.sum() == pytest.approx(y, abs=0.05)


@given(right=st.integers(-40, 90), down=st.integers(-40, 90))
@settings(max_examples=20, deadline=None)
def test_a_shape_may_reach_out_of_the_picture(right: int, down: int) -> None:
    whole = filled(circle(100, 100, 20.3), (200, 200))
    moved = filled(circle(100 + right - 100, 100 + down - 100, 20.3), (60, 50))
    expected = np.zeros((60, 50), dtype=np.float32)
    for row in range(60):
        source = row - down + 100
        if 0 <= source < 200:
            columns = np.arange(50) - right + 100
            known = (columns >= 0) & (columns < 200)
            expected[row, known] = whole[source, columns[known]]
    np.testing.assert_array_equal(moved, expected)


def test_edges_are_soft() -> None:
    square = np.array([[9.75, 9.5], [19.75, 9.5], [19.75, 19.5], [9.75, 19.5]], dtype=np.float32)
    mask = filled(square, (30, 30))
    assert mask[15, 15] == 1
    assert mask[15, 5] == 0
    assert 0.6 < mask[15, 10] < 1
    assert 0 < mask[15, 20] < 0.45


@pytest.mark.parametrize("open_", [0.0, 0.1, 0.4])
def test_no_pixel_belongs_to_two_parts(open_: float) -> None:
    parts = face_parts(drawn_points(open_=open_), SIZE)
    assert tuple(parts) == PARTS
    whole = sum(mask for name, mask in parts.items() if not name.endswith("iris"))
    assert whole.max() <= 1.001
    for name, mask in parts.items():
        assert mask.shape == SIZE
        assert mask.dtype == np.float32
        assert 0 <= mask.min() <= mask.max() <= 1
        assert (mask.max() > 0.99) == (name != "mouth" or open_ > 0)


def test_left_is_the_left_of_the_picture_and_irises_end_at_the_lids() -> None:
    parts = face_parts(drawn_points(), SIZE)
    columns = np.arange(SIZE[1])
    for name in ("eye", "brow", "iris"):
        left, right = (float((parts[f"{side}_{name}"].sum(axis=0) * columns).sum()) for side in ("left", "right"))
        assert left < right
    for side in ("left", "right"):
        assert (parts[f"{side}_iris"] <= parts[f"{side}_eye"] + 1e-6).all()
        assert 0.8 < parts[f"{side}_iris"].sum() / (np.pi * (0.12 * 80) ** 2) < 1.01


def test_an_open_mouth_is_no_part_of_the_lips() -> None:
    face = drawn_points()
    parts = face_parts(face, SIZE)
    x, y = face.points[[13, 14], :2].mean(axis=0).astype(int)
    assert parts["mouth"][y, x] == 1
    assert parts["lips"][y, x] == 0
    assert parts["lips"][int(face.points[17, 1]) - 3, x] == 1


def test_lips_that_touch_have_nothing_between_them() -> None:
    parts = face_parts(drawn_points(open_=0.008), SIZE)
    assert not parts["mouth"].any()
    assert parts["lips"].sum() == pytest.approx(filled(outline(drawn_points(open_=0.008), "lips"), SIZE).sum())


def test_a_face_is_measured_by_its_eyes() -> None:
    assert eye_distance(drawn_points(eyes=55)) == pytest.approx(55, abs=0.01)
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]], dtype=np.float32)
    turned = DrawnFace(drawn_points(eyes=55).points @ turn.T)
    assert eye_distance(turned) == pytest.approx(55, abs=0.01)


def test_parts_grow_with_their_face() -> None:
    small, large = (face_parts(drawn_points((160, 150), eyes), SIZE) for eyes in (40, 80))
    for name in ("skin", "lips", "left_eye"):
        assert large[name].sum() / small[name].sum() == pytest.approx(4, rel=0.05)

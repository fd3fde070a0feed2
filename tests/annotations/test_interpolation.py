"""Positions between keyframes, by hand and by property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intarsia.annotations.blending import blend_angle, blend_outline
from intarsia.annotations.document import AnnotatedVideo, Keyframe, Track
from intarsia.annotations.geometry import (
    Circle,
    Cuboid,
    Ellipse,
    Keypoint,
    Mask,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    Tag,
)
from intarsia.annotations.interpolation import between

SQUARE = np.array([(0, 0), (10, 0), (10, 10), (0, 10)], float)


def video(*keyframes: Keyframe, start: int = 0, stop: int = 10, step: int = 1) -> AnnotatedVideo:
    return AnnotatedVideo("v.mp4", (Track("car", keyframes, instance=4),), start, stop, step, width=9, height=8)


def box(x: float) -> Rectangle:
    return Rectangle(x, 0, x + 2, 2)


def test_a_track_moves_stops_and_comes_back() -> None:
    found = list(
        video(
            Keyframe(1, box(0), attributes={"a": "x"}),
            Keyframe(3, box(4), occluded=True),
            Keyframe(5, box(4), outside=True),
            Keyframe(8, box(20), z=3),
        ).images()
    )
    assert [image.frame for image in found] == list(range(11))
    positions = [[shape.geometry.x1 for shape in image.shapes] for image in found]  # type: ignore[union-attr]
    assert positions == [[], [0], [2], [4], [4], [], [], [], [20], [20], [20]]
    (shape,) = found[2].shapes
    assert (shape.label, shape.instance, shape.attributes, shape.occluded) == ("car", 4, {"a": "x"}, False)
    assert found[4].shapes[0].occluded
    assert found[9].shapes[0].z == 3
    assert (found[3].name, found[3].width, found[3].height) == ("frame_000003.png", 9, 8)


def test_steps_and_times() -> None:
    found = list(video(Keyframe(10, box(0)), Keyframe(16, box(6)), start=10, stop=19, step=3).images())
    assert [image.frame for image in found] == [10, 13, 16, 19]
    assert [image.shapes[0].geometry.x1 for image in found] == [0, 3, 6, 6]  # type: ignore[union-attr]
    timed = AnnotatedVideo("v", (), 0, 4, 2, frames_per_second=25.0)
    assert [image.time for image in timed.images()] == [0.0, 0.08, 0.16]


@pytest.mark.parametrize(
    ("left", "right", "middle"),
    [
        (Rectangle(0, 0, 2, 2, 350), Rectangle(2, 4, 4, 8, 20), Rectangle(1, 2, 3, 5, 5)),
        (Ellipse(0, 0, 2, 2, 10), Ellipse(2, 0, 4, 2, 350), Ellipse(1, 0, 3, 2, 0)),
        (Circle(0, 0, 2), Circle(2, 4, 6), Circle(1, 2, 4)),
        (Points(((0, 0),)), Points(((2, 4),)), Points(((1, 2),))),
        (Points(((0, 0), (1, 1))), Points(((2, 4), (3, 3))), Points(((0, 0), (1, 1)))),
        (Polyline(((0, 0), (4, 0))), Polyline(((0, 2), (4, 2))), Polyline(((0, 1), (4, 1)))),
        (Cuboid(((0, 0),) * 8), Cuboid(((2, 4),) * 8), Cuboid(((1, 2),) * 8)),
        (Tag(), Tag(), Tag()),
        (Circle(0, 0, 2), Rectangle(0, 0, 1, 1), Circle(0, 0, 2)),
    ],
)
def test_between(left: object, right: object, middle: object) -> None:
    assert between(left, right, 0.5) == middle  # type: ignore[arg-type]


def test_masks_and_polygons_with_holes_stay() -> None:
    mask = Mask(np.ones((2, 2), bool))
    assert between(mask, Mask(np.zeros((2, 2), bool)), 0.5) is mask
    ring = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0))
    holed = Polygon(((ring, ring),))
    assert between(holed, holed, 0.5) is holed


def test_skeletons_move_by_the_names_of_their_points() -> None:
    left = Skeleton((Keypoint("a", 0, 0), Keypoint("b", 1, 1, "occluded"), Keypoint("c", 5, 5)))
    right = Skeleton((Keypoint("b", 3, 1), Keypoint("a", 2, 2)))
    expected = Skeleton((Keypoint("a", 1, 1), Keypoint("b", 2, 1, "occluded"), Keypoint("c", 5, 5)))
    assert between(left, right, 0.5) == expected


def test_outlines_with_other_numbers_of_points() -> None:
    # The right square has a further point in the middle of its first side; it starts halfway to its nearest corners.
    right = np.array([(0, 0), (5, 0), (10, 0), (10, 10), (0, 10)], float)
    assert blend_outline(SQUARE, right, 1.0, closed=True).tolist()[0] == [0, 0]
    found = blend_outline(SQUARE, right + np.array([10, 0]), 0.5, closed=True)
    assert {(5.0, 0.0), (15.0, 0.0), (15.0, 10.0), (5.0, 10.0)} <= set(map(tuple, found.tolist()))
    back = blend_outline(right, SQUARE, 0.0, closed=True)
    assert {tuple(point) for point in back.tolist()} >= {(0.0, 0.0), (10.0, 10.0), (0.0, 10.0)}


def test_angles_take_the_shorter_arc() -> None:
    assert blend_angle(350, 10, 0.5) == 0
    assert blend_angle(10, 350, 0.25) == 5
    assert blend_angle(0, 90, 0.5) == 45


coordinate = st.integers(-50, 50).map(float)
outline = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12).map(lambda found: np.array(found, float))


@given(outline, outline, st.floats(0, 1), st.booleans())
def test_blended_outlines_stay_between(left: np.ndarray, right: np.ndarray, weight: float, closed: bool) -> None:
    found = blend_outline(left, right, weight, closed=closed)
    assert np.isfinite(found).all()
    assert len(found) >= 1
    both = np.vstack([left, right])
    assert (found >= both.min(axis=0) - 1e-9).all()
    assert (found <= both.max(axis=0) + 1e-9).all()


@given(outline, st.floats(0, 1))
def test_an_outline_between_itself_is_itself(points: np.ndarray, weight: float) -> None:
    distinct = np.unique(points, axis=0)
    if len(distinct) >= 3:
        np.testing.assert_allclose(blend_outline(distinct, distinct, weight, closed=True), distinct, atol=1e-9)

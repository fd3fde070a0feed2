"""Faces are where MediaPipe's own pipeline finds them, however a photo is turned, scaled or crowded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.inference.faces.detector import Detection, overlap
from intarsia.inference.faces.finding import Face, FaceFinder
from intarsia.inference.region import Region

# Points of the photo below by MediaPipe 0.10.21 (FaceMesh, refine_landmarks): x, y, depth
ORIGIN = {
    0: (223.62, 140.49, -9.31), 13: (223.48, 143.24, -5.73), 33: (195.21, 100.92, 4.53), 152: (221.27, 177.44, 7.54),
    263: (255.76, 104.28, 3.99), 468: (203.48, 101.10, 0.91), 473: (246.59, 103.47, 0.52), 10: (226.26, 71.69, -10.59),
}  # fmt: skip
EYES = 43.2  # pixels between the irises


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(threads=1)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(pytest.importorskip("skimage.data").astronaut())


@pytest.fixture(scope="module")
def face(finder: FaceFinder, astronaut: np.ndarray) -> Face:
    (found,) = finder.find(astronaut)
    return found


def test_the_points_are_those_of_the_origin(face: Face) -> None:
    assert face.points.shape == (478, 3) and face.score > 0.99
    for index, point in ORIGIN.items():
        assert np.abs(face.points[index] - point).max() < 0.01 * EYES, index


def test_a_face_is_found_wherever_it_is_and_however_it_is_turned(
    finder: FaceFinder, astronaut: np.ndarray, face: Face
) -> None:
    turned = finder.find(np.ascontiguousarray(astronaut[:, ::-1]))
    assert len(turned) == 1 and abs(turned[0].points[1, 0] - (512 - face.points[1, 0])) < 0.1 * EYES
    (sideways,) = finder.find(np.rot90(astronaut, -1).copy()) or [face]
    assert sideways.score > 0.5
    wide = np.full((512, 2000, 3), 90, np.uint8)
    wide[:, 1300:1812] = astronaut
    (found,) = finder.find(wide)
    assert np.abs(found.points[:, :2] - face.points[:, :2] - (1300, 0)).max() < 0.1 * EYES


def test_small_faces_of_a_group_are_found_each_once(finder: FaceFinder, astronaut: np.ndarray) -> None:
    group = np.full((1000, 1400, 3), 120, np.uint8)
    small = np.ascontiguousarray(astronaut[::2, ::2][:200, 40:220])
    for top, left in ((20, 30), (40, 700), (700, 1100), (500, 300), (760, 20)):
        group[top : top + 200, left : left + 180] = small
    assert len(finder.find(group)) == 5


def test_nothing_is_found_where_there_is_nothing(finder: FaceFinder) -> None:
    for shape in ((1, 1, 3), (3, 900, 3), (480, 640, 3)):
        assert finder.find(np.full(shape, 128, np.uint8)) == []


def test_a_face_is_tracked_until_it_is_lost(finder: FaceFinder, astronaut: np.ndarray, face: Face) -> None:
    moved = np.roll(astronaut, 12, axis=1)
    (found,) = finder.track(moved, [face])
    assert np.abs(found.points[:, :2] - face.points[:, :2] - (12, 0)).max() < 0.1 * EYES
    assert finder.track(np.zeros_like(astronaut), [found]) == []
    (again,) = finder.track(astronaut, [])
    assert np.array_equal(again.points, face.points)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(20, 400), st.floats(20, 300), st.floats(10, 600), st.floats(-3.1, 3.1), st.floats(0, 64), st.floats(0, 64)
)
def test_points_of_a_crop_keep_their_shape_in_the_photo(
    x: float, y: float, side: float, angle: float, across: float, down: float
) -> None:
    region = Region((x, y), side, angle)
    middle, corner, point = region.to_photo(np.array([[32, 32, 0], [0, 0, 0], [across, down, 1]], np.float32), 64)
    assert middle[:2] == pytest.approx((x, y), abs=1e-3)
    assert np.hypot(*(corner[:2] - middle[:2])) == pytest.approx(side / np.sqrt(2), rel=1e-6)
    step = side / 64
    assert np.hypot(*(point[:2] - corner[:2])) == pytest.approx(np.hypot(across, down) * step, rel=1e-4, abs=1e-3)
    assert point[2] == pytest.approx(step)


def test_what_is_cropped_is_laid_back() -> None:
    rows, columns = np.mgrid[:240, :320].astype(np.float32)
    photo = np.repeat(((np.sin(rows / 30) + np.cos(columns / 40)) * 60 + 120)[..., None], 3, axis=2).astype(np.uint8)
    region = Region((150.0, 110.0), 128.0, 0.4)
    back = region.spread(region.crop(photo, 128)[..., 0].astype(np.float32), 240, 320, beyond=-1.0)
    inside = back[70:150, 110:190]
    assert np.abs(inside - photo[70:150, 110:190, 0]).max() < 4 and back[0, 0] == back[-1, -1] == -1
    assert (Region((-500.0, 0.0), 20).spread(np.ones((8, 8), np.float32), 9, 9, beyond=0.0) == 0).all()


def test_a_region_is_turned_as_the_eyes_are() -> None:
    points = np.zeros((6, 2))
    points[1] = (10, 10)
    region = Detection(np.array([0.0, 0, 20, 10]), points, 1.0).region()
    assert region.centre == (10, 5) and region.side == 30 and region.angle == pytest.approx(np.pi / 4)
    assert overlap(np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])) == pytest.approx(1 / 3)


def test_a_face_that_a_coarse_look_misplaces_is_found(finder: FaceFinder, astronaut: np.ndarray) -> None:
    large = np.full((1333, 2000, 3), 120, np.uint8)
    large[167:667, 333:833] = cv2.resize(astronaut, (500, 500), interpolation=cv2.INTER_AREA)
    (found,) = finder.find(large)
    assert np.hypot(*(found.points[468, :2] - found.points[473, :2])) == pytest.approx(EYES * 500 / 512, rel=0.1)

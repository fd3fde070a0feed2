"""Lanes, on roads that are drawn: each within a pixel or two, none where there is no paint, the same every time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roads import CAMERA, SPACE, Course, Road, draw_road, lateral_errors

from intarsia.apps.drive import Camera, Driver, Scene
from intarsia.apps.drive.hud import draw_scene
from intarsia.apps.drive.lanes import Curve
from intarsia.apps.drive.tracking import LaneTracker
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace

BEND = Course(heading=0.01, bend=1 / 250, shift=0.4)


def look(road: Road, camera: Camera | None = CAMERA) -> Scene:
    return Driver(camera).look(road.image, road.labels, SPACE)


def columns(scene: Scene, rows: np.ndarray) -> np.ndarray:
    return np.array([scene.column(lane, rows) for lane in scene.lanes]).reshape(-1, len(rows))


@pytest.mark.parametrize("kind", ["plain", "shadows", "dappled", "worn", "night"])
def test_lanes_lie_where_they_were_drawn(kind: str) -> None:
    road = draw_road(kind, BEND, seed=4)
    scene = look(road)
    error, missed, extra = lateral_errors(road, columns(scene, road.rows))
    assert error < 1.5 and (missed, extra) == (0, 0)
    assert scene.position_cm is not None
    middle = float(BEND.across(np.array(scene.ground.distance(scene.row))))
    assert scene.position_cm == pytest.approx(-100 * middle, abs=12)


def test_the_horizon_is_found_without_a_camera() -> None:
    road = draw_road("plain", Course(shift=-0.5), seed=1)
    scene = look(road, None)
    error, missed, extra = lateral_errors(road, columns(scene, road.rows))
    assert error < 2 and (missed, extra) == (0, 0)
    assert scene.ground.y == pytest.approx(CAMERA.ground(640, 360).y, abs=3)
    assert scene.position is not None and scene.position_cm is None


def test_no_lane_is_a_valid_answer_and_no_road_is_said() -> None:
    road = draw_road("none", BEND)
    assert (look(road).status, look(road).lanes) == ("no lane", ())
    driver = Driver()
    blank = driver.look(road.image, np.zeros_like(road.labels), SPACE)
    assert (blank.status, blank.lanes, blank.free_row) == ("no road", (), None)
    with pytest.raises(DataError, match="shows no road"):
        driver.summary()
    assert draw_scene(road.image, blank).shape == road.image.shape


def test_equal_pictures_are_seen_equally_at_any_size() -> None:
    road = draw_road("worn", BEND, seed=5)
    once, again = look(road).to_json(), look(road).to_json()
    assert once == again == json.loads(json.dumps(once))
    twice = Road(*(np.repeat(np.repeat(a, 2, 0), 2, 1) for a in (road.image, road.labels)), road.rows, road.columns)
    large = look(twice)
    assert large.position == pytest.approx(2 * (look(road).position or 0), abs=3)
    before = road.image.copy()
    assert not np.array_equal(draw_scene(road.image, look(road)), before)
    assert np.array_equal(road.image, before)


def test_lines_go_behind_what_stands_on_the_road() -> None:
    road = draw_road("plain", Course(shift=-0.5), seed=1)
    scene = look(road)
    left = scene.lane("left")
    assert left is not None
    row = round(scene.row) - 40
    column = round(float(scene.column(left, float(row))))
    hidden = np.zeros_like(scene.hidden)
    where = slice((row - 20) // 2, (row + 20) // 2), slice((column - 20) // 2, (column + 20) // 2)  # of 320 columns
    hidden[where] = True
    free, behind = draw_scene(road.image, scene), draw_scene(road.image, replace(scene, hidden=hidden))
    around = slice(row - 8, row + 8), slice(column - 4, column + 4)
    assert (np.abs(free[around].astype(int) - (255, 210, 40)).max(axis=2) < 8).any()
    assert not (np.abs(behind[around].astype(int) - (255, 210, 40)).max(axis=2) < 60).any()
    np.testing.assert_array_equal(free[row + 40 :], behind[row + 40 :])


def test_what_cannot_be_seen_is_refused() -> None:
    road = draw_road()
    with pytest.raises(DataError, match="knows no road"):
        Driver().look(road.image, road.labels, LabelSpace(("cat", "dog", "cow", "hen", "pig")))
    with pytest.raises(UsageError, match=r"horizon at 1\d\d %"):
        look(road, CAMERA.model_copy(update={"pitch": -30}))
    with pytest.raises(DataError, match="64 pixels"):
        Driver().look(road.image[:40], road.labels[:40], SPACE)


def test_things_and_the_way_that_is_free() -> None:
    road = draw_road("plain", Course())
    labels = road.labels.copy()
    labels[200:240, 290:350] = SPACE.index("Car")
    labels[210:260, 100:120] = SPACE.index("Pedestrian")
    scene = Driver(CAMERA).look(road.image, labels, SPACE)
    assert [thing.kind for thing in scene.things] == ["vehicle", "person"]
    car = scene.things[0]
    assert np.allclose(car.box, (290, 200, 60, 40), atol=2)
    assert car.metres == pytest.approx(CAMERA.ground(640, 360).distance(240), rel=0.05)
    assert scene.free_row == pytest.approx(240, abs=3)
    assert not scene.free[110, 160]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.8, 3), st.floats(300, 1500), st.floats(-2, 8), st.floats(-5, 5), st.floats(5, 60))
def test_points_of_the_road_are_seen_where_the_camera_projects_them(
    height: float, focal: float, pitch: float, across: float, ahead: float
) -> None:
    camera = Camera(height=height, focal=focal, size=(640, 360), pitch=pitch)
    down, turned = height, np.radians(pitch)
    depth = ahead * np.cos(turned) + down * np.sin(turned)
    row = 180 + focal * (down * np.cos(turned) - ahead * np.sin(turned)) / depth
    column = 320 + focal * across / depth
    ground = camera.ground(640, 360)
    if row > ground.y + 1:
        assert ground.distance(row) == pytest.approx(ahead, rel=1e-6)
        assert ground.across(column - ground.x, row) == pytest.approx(across, abs=1e-6)


def test_a_lane_is_followed_held_and_lost() -> None:
    tracker, ground = LaneTracker(), CAMERA.ground(640, 360)
    left, right = Curve(-1.3, 0, 0, (20, 150), 40), Curve(1.4, 0, 0, (20, 150), 40)
    lanes, _ = tracker.update([left, right], ground)
    assert [(lane.number, lane.seen) for lane in lanes] == [(1, True), (2, True)]
    lanes, _ = tracker.update([left], ground.at(ground.x, ground.y + 2))
    assert [(lane.number, lane.seen) for lane in lanes] == [(1, True), (2, False)]
    held = ground.x + lanes[1].curve.offset(100 - 2)  # the same row of the picture under the lower horizon
    assert held == pytest.approx(ground.x + right.offset(100), abs=1)
    for _ in range(5):
        lanes, lost = tracker.update([left], ground)
        assert not lost
    lanes, lost = tracker.update([left], ground)
    assert ([lane.number for lane in lanes], lost) == ([1], (2,))
    lanes, _ = tracker.update([left, right], ground)
    assert len(lanes) == 1  # seen once
    lanes, _ = tracker.update([left, right], ground)
    assert [lane.number for lane in lanes] == [1, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("height: 1.3\nfocal: 600\n", "size: field required"),
        ("height: -1\nfocal: 600\nsize: [640, 360]\n", "height: .* greater than 0"),
        ("heigth: 1.3\n", "unknown key 'heigth'.* Did you mean 'height'"),
        ("- 1\n", "keys and values"),
        ("a: [", "no YAML"),
    ],
)
def test_camera_files_are_checked(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "camera.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        Camera.load(file)
    with pytest.raises(UsageError, match="cannot read"):
        Camera.load(tmp_path / "other.yaml")


def test_a_camera_file_holds_for_pictures_of_other_sizes(tmp_path: Path) -> None:
    file = tmp_path / "camera.yaml"
    file.write_text("height: 1.3\nfocal: 600\nsize: [640, 360]\npitch: 3\n")
    assert Camera.load(file) == CAMERA
    ground = CAMERA.ground(1280, 720)
    assert ground.distance(400) == pytest.approx(CAMERA.ground(640, 360).distance(200))
    assert ground.across(20, 400) == pytest.approx(CAMERA.ground(640, 360).across(10, 200))

"""Bodies of a photo, and the bundles that are steps of several as models of pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import intarsia
from intarsia.errors import UsageError
from intarsia.inference.bodies import BodyFinder
from intarsia.inference.choosing import Chooser, choose_for, look


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(pytest.importorskip("skimage.data").astronaut())


@pytest.fixture(scope="module")
def finder() -> BodyFinder:
    return BodyFinder(threads=1)


def test_a_body_has_points_and_a_mask(finder: BodyFinder, astronaut: np.ndarray) -> None:
    (body,) = finder.find(astronaut)
    assert body.points.shape == (33, 4) and body.mask.shape == (512, 512) and body.mask.dtype == np.float32
    nose, left_eye, right_eye = body.points[[0, 2, 5], :2]  # their own left and right
    assert np.abs(nose - (225, 118)).max() < 12 and right_eye[0] < nose[0] < left_eye[0]
    assert body.points[:, 3].min() >= 0 and body.points[:, 3].max() <= 1 and body.points[0, 3] > 0.9
    assert body.mask[300, 230] > 0.9 and body.mask[20, 30] < 0.1
    mask = finder.mask(astronaut)
    assert 0.5 < mask.mean() < 0.6 and mask.min() >= 0 and mask.max() <= 1


def test_who_fills_a_photo_is_also_looked_at_from_further_away(finder: BodyFinder, astronaut: np.ndarray) -> None:
    close = np.ascontiguousarray(astronaut[:240, 120:340])
    small = cv2.copyMakeBorder(close, 120, 0, 110, 110, cv2.BORDER_REPLICATE)
    for photo, fills in ((close, True), (small, False)):
        once = cv2.resize(finder.person(photo), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        assert (once.mean() > 0.45) == fills
        changed = (once != (finder.mask(photo) > 0.5)).mean()
        assert (0.001 < changed < 0.02) if fills else changed < 0.001


def test_two_people_apart_are_two_bodies(finder: BodyFinder, astronaut: np.ndarray) -> None:
    both = np.full((560, 1160, 3), 200, np.uint8)
    both[48:, 20:380], both[48:, 760:1120] = astronaut[:, 60:420], astronaut[:, 60:420]
    found = finder.find(both)
    assert len(found) == 2
    assert sorted(body.points[0, 0] < 560 for body in found) == [False, True]
    left, right = sorted(found, key=lambda body: float(body.points[0, 0]))
    assert left.mask[:, 700:].max() < 0.5 and right.mask[:, :450].max() < 0.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 700, 3), (90, 120, 3)])
def test_nobody_is_no_error(finder: BodyFinder, shape: tuple[int, int, int]) -> None:
    blank = np.full(shape, 90, np.uint8)
    assert finder.find(blank) == [] and finder.mask(blank).shape == shape[:2]


def test_steps_are_models_of_pictures(astronaut: np.ndarray) -> None:
    faces = intarsia.load("face")
    found = faces.segment(astronaut)
    assert found.labels.shape == (512, 512)
    assert found["left_eye"].any() and found["lips"].any() and 0.02 < found["skin"].mean() < 0.04
    rows, columns = np.nonzero(found["left_iris"])
    assert abs(columns.mean() - 203.5) < 1.5 and abs(rows.mean() - 101.1) < 1.5
    wide = faces.segment(np.full((40, 700, 3), 128, np.uint8))
    assert wide.labels.shape == (40, 700) and not wide.labels.any()
    bodies = intarsia.load("body")
    assert bodies.segment(astronaut)["person"][300, 230] and bodies.identity().runtime["name"] == "onnx"


def test_steps_say_how_they_are_computed() -> None:
    with pytest.raises(UsageError, match="moves regions that were clicked"):
        intarsia.load("clicks")
    with pytest.raises(UsageError, match=r"finds faces for the bundle face and no pixels; .* -m face"):
        intarsia.load("face-detector")
    with pytest.raises(UsageError, match=r"body.onnx is computed by the runtime onnx, in fp32 on the CPU"):
        intarsia.load("body", runtime="openvino")


def test_a_look_chooses_among_the_bundled_models(astronaut: np.ndarray, real_data: Path) -> None:
    photos = sorted((real_data / "camvid" / "val").iterdir())[:2]
    choice = choose_for([astronaut], np.asarray)
    assert choice.model == "person" and "people fill 5" in choice.reason
    chooser = Chooser()
    for photo in photos:
        assert chooser.choose(look(photo)).model == "street"
    assert chooser.choose(np.full((3, 900, 3), 30, np.uint8)).model == "street"
    blank = choose_for([np.zeros((64, 64, 3), np.uint8), astronaut, astronaut], np.asarray)
    assert blank.model == "person" and "2 of the 3 pictures" in blank.reason


@pytest.mark.parametrize("name", ["chelsea", "cell", "coins", "brick"])
def test_animals_cells_and_textures_are_neither_people_nor_pages(name: str) -> None:
    shown = np.asarray(getattr(pytest.importorskip("skimage.data"), name)())
    assert Chooser().choose(np.stack([shown] * 3, axis=-1) if shown.ndim == 2 else shown).model == "street"


def test_slices_of_a_scan_are_no_people(real_data: Path) -> None:
    chooser = Chooser()
    slices = sorted((real_data / "liver_ct_slices" / "images").iterdir())[::25]
    assert {chooser.choose(look(one)).model for one in slices} == {"street"}


def test_grey_photos_of_people_are_people() -> None:
    shown = np.asarray(pytest.importorskip("skimage.data").camera())
    assert Chooser().choose(np.stack([shown] * 3, axis=-1)).model == "person"


def test_what_was_looked_at_of_late_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    chooser = Chooser()
    pictures = [np.full((8, 8, 3), level, np.uint8) for level in (0, 90)]
    first = [chooser.choose(picture) for picture in pictures]
    monkeypatch.setattr(chooser, "_choose", lambda seen: pytest.fail("it was looked at"))
    assert [chooser.choose(picture.copy()) for picture in pictures] == first
    with pytest.raises(pytest.fail.Exception):
        chooser.choose(pictures[0].reshape(4, 16, 3))  # the same bytes, another picture


def test_pages_have_nothing_brighter_than_paper() -> None:
    noise = np.random.default_rng(0)
    page = np.full((600, 480, 3), 220, np.uint8)
    for top in range(20, 580, 24):
        for left in range(20, 460, 12):
            page[top : top + 8, left : left + 5] = 60
    chooser = Chooser()
    assert chooser.choose(page).model == "handwriting"
    glitter = page.astype(np.int16)
    glitter[noise.random(page.shape[:2]) < 0.04] = 255
    glitter[page == 220] -= 30
    assert chooser.choose(glitter.astype(np.uint8)).model == "street"


def test_segment_looks_at_one_picture_however_it_is_given(astronaut: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(astronaut).save(tmp_path / "photo.png")
    given = (astronaut, Image.fromarray(astronaut), tmp_path / "photo.png", str(tmp_path / "photo.png"))
    for one in (*given, (tmp_path / "photo.png").read_bytes()):
        assert intarsia.segment(one).space.names == ("background", "person")
    many = list(intarsia.segment(str(tmp_path)))
    assert len(many) == 1 and "Road" in many[0].space.names

"""Portrait mode: the person stays, nothing of them gets into what is behind."""

from __future__ import annotations

import numpy as np
import pytest
from people import BLUE, red_disc, red_people

from intarsia.apps.bokeh import out_of_focus
from intarsia.apps.grounds import Blur, Plain, Transparent, read_ground
from intarsia.apps.portrait import portrait
from intarsia.errors import NothingFound, UsageError
from intarsia.media.images import write_image


def pixels(photo: np.ndarray, **options: object) -> np.ndarray:
    return np.asarray(portrait(photo, model=red_people(), **options))  # type: ignore[arg-type]


def test_no_red_outside_and_the_plain_ground_stays_what_it_is() -> None:
    photo, alpha = red_disc()
    found = pixels(photo)
    outside = alpha == 0
    # What the rim mixes reaches a pixel further than the disc itself.
    np.testing.assert_array_equal(found[outside], np.broadcast_to(BLUE, (outside.sum(), 3)))


def test_the_person_is_bit_identical() -> None:
    rng = np.random.default_rng(0)
    photo, alpha = red_disc()
    photo = np.clip(photo + rng.integers(-9, 10, photo.shape), 0, 255).astype(np.uint8)
    for options in ({}, {"background": "navy"}, {"background": "transparent"}):
        found = pixels(photo, **options)
        inside = alpha == 1
        inside[:, :-3] &= inside[:, 3:]
        same = (found[..., :3] == photo).all(axis=2)
        assert same[alpha == 1].mean() > 0.97
    y, x = np.mgrid[:200, :300]
    core = np.hypot(x - 150, y - 100) < 50
    np.testing.assert_array_equal(found[core][:, :3], photo[core])


def test_a_light_out_of_focus_is_a_disc() -> None:
    photo = np.zeros((200, 200, 3), np.uint8)
    photo[100, 100] = 255
    nobody = np.zeros((200, 200), np.float32)
    nobody[0, 0] = 1  # far away, so that the blur is at its widest
    found = out_of_focus(photo, nobody, 1.0)[..., 0]
    lit = found > 0.5 * found.max()
    y, x = np.nonzero(lit)
    radius = np.hypot(x - 100, y - 100).max()
    assert 6 < radius < 10
    assert lit.sum() == pytest.approx(np.pi * (radius + 0.5) ** 2, rel=0.15)  # full, and round
    assert found[lit].std() < 0.1 * found[lit].mean()  # evenly bright


def test_the_blur_grows_with_the_distance() -> None:
    photo = np.zeros((100, 400, 3), np.uint8)
    photo[:, ::2] = 255
    person = np.zeros((100, 400), np.float32)
    person[:, :10] = 1
    found = out_of_focus(photo, person, 0.1)[50, :, 0]
    assert found[14:40].std() > found[200:390].std()


def test_what_is_behind_covers() -> None:
    photo, alpha = red_disc()
    halves = np.zeros((10, 60, 3), np.uint8)
    halves[:, 30:] = 200
    found = Plain(halves).covering(200, 300)
    assert found.shape == (200, 300, 3) and found[0, 0, 0] == 0 and found[-1, -1, 0] == 200
    green = pixels(photo, background="#00ff00")
    assert (green[alpha == 0] == (0, 255, 0)).mean() > 0.99


def test_transparent() -> None:
    photo, alpha = red_disc()
    found = pixels(photo, background="transparent")
    assert found.shape == (200, 300, 4)
    assert np.abs(found[..., 3] / 255 - alpha).mean() < 0.01


def test_nobody_and_nothing_else_are_said() -> None:
    with pytest.raises(NothingFound, match="nobody"):
        pixels(np.full((60, 80, 3), BLUE, np.uint8))
    with pytest.raises(NothingFound, match="no background"):
        pixels(np.full((60, 80, 3), (230, 20, 20), np.uint8))


def test_grounds_are_understood(tmp_path: object) -> None:
    assert isinstance(read_ground("blur"), Blur) and isinstance(read_ground("transparent"), Transparent)
    for colour in ("#b0123b", "rgb(176, 18, 59)"):
        ground = read_ground(colour)
        assert isinstance(ground, Plain) and ground.picture.tolist() == [[[176, 18, 59]]]
    with pytest.raises(UsageError, match="navy"):
        read_ground("navi")
    with pytest.raises(UsageError, match="no file"):
        read_ground("beach.jpg")
    with pytest.raises(UsageError, match="at most 1"):
        Blur(1.5)


def test_a_file_is_the_background(tmp_path) -> None:  # type: ignore[no-untyped-def]
    write_image(tmp_path / "wall.png", np.full((30, 30, 3), 9, np.uint8))
    photo, alpha = red_disc()
    found = pixels(photo, background=tmp_path / "wall.png")
    assert (found[alpha == 0] == 9).mean() > 0.99


def test_a_cup_is_nobody() -> None:
    coffee = np.asarray(pytest.importorskip("skimage.data").coffee())
    with pytest.raises(NothingFound, match="neither a face nor a body"):
        portrait(coffee)

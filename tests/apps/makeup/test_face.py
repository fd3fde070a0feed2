"""One face and its make-up: what is painted, and what never is."""

from __future__ import annotations

import numpy as np
import pytest
from faces_drawn import DrawnFace, drawn_face, drawn_points
from numpy.typing import NDArray

from intarsia.apps.makeup.face import Layer, paint_face, refusal
from intarsia.apps.makeup.hair import HairFinder
from intarsia.apps.makeup.look import Look
from intarsia.errors import UsageError
from intarsia.inference.faces.parts import face_parts
from intarsia.media.oklab import to_oklab

ALL = Look(lips="#b0123b", hair="#6a2fa0", skin="smooth", eyes="#2a8a40", brows="#101010", strength=1)


def dark_above(image: NDArray[np.uint8], face: DrawnFace) -> NDArray[np.float32]:
    """The hair of a drawn face."""
    return (np.abs(image.astype(int) - (70, 45, 30)).max(axis=2) < 25).astype(np.float32)


def painted(
    look: Look, face: DrawnFace | None = None, hair: HairFinder | None = dark_above
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[Layer]]:
    face = face or drawn_points()
    before = drawn_face(faces=(face,))
    after = before.copy()
    layers = paint_face(after, face, look, look.colours(), [], hair if look.hair else None)
    return before, after, layers


def covered(layers: list[Layer], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    found = np.zeros(shape[:2], dtype=bool)
    for layer in layers:
        found[layer.place] |= layer.mask > 0
    return found


def test_what_is_outside_of_all_masks_stays_to_the_bit() -> None:
    before, after, layers = painted(ALL)
    assert {layer.name for layer in layers} == {"skin", "brows", "eyes", "lips", "hair"}
    same = (before == after).all(axis=2)
    assert same[~covered(layers, before.shape)].all()
    assert not same.all()
    assert same[:, :8].all()
    assert same[-60:].all()


@pytest.mark.parametrize("open_", [0.1, 0.25, 0.5])
def test_teeth_stay_to_the_bit(open_: float) -> None:
    face = drawn_points(open_=open_)
    before, after, _ = painted(Look(lips="black", skin="smooth", strength=1), face)
    mouth = face_parts(face, before.shape[:2])["mouth"] >= 0.5
    assert mouth.sum() > 50
    assert np.array_equal(before[mouth], after[mouth])


def test_eyes_stay_to_the_bit_unless_they_are_painted() -> None:
    before, after, _ = painted(Look(lips="red", skin="smooth", brows="black", hair="blue", strength=1))
    parts = face_parts(drawn_points(), before.shape[:2])
    opened = parts["left_eye"] + parts["right_eye"] >= 0.5
    assert np.array_equal(before[opened], after[opened])


def test_irises_are_painted_and_neither_pupils_nor_the_white() -> None:
    before, after, _ = painted(Look(eyes="#2a8a40", strength=1))
    face = drawn_points()
    parts = face_parts(face, before.shape[:2])
    white = (parts["left_eye"] > 0.5) & (parts["left_iris"] == 0)
    assert np.array_equal(before[white], after[white])
    x, y = face.points[468, :2].round().astype(int)
    assert np.array_equal(before[y, x], after[y, x])
    ring = after[y - 1 : y + 2, x + 7].mean(axis=0)
    assert ring[1] > ring[0] + 40


@pytest.mark.parametrize("colour", ["#b0123b", "#000000", "#ffffff", "#204080"])
def test_the_texture_of_lips_stays(colour: str) -> None:
    before, after, layers = painted(Look(lips=colour, strength=1))
    (lips,) = layers
    inside = lips.mask == 1
    was, now = (to_oklab(image[lips.place])[inside][:, 0] for image in (before, after))
    assert np.corrcoef(was, now)[0, 1] >= 0.98


def test_brows_are_painted_where_they_are_dark() -> None:
    _, after, _ = painted(Look(brows="#203080", strength=1))
    x, y = drawn_points().points[[105, 52], :2].mean(axis=0).astype(int)
    red, _, blue = after[y, x].astype(int)
    assert blue > red + 40


def test_hair_ends_at_the_faces_of_others() -> None:
    one, other = drawn_points(), drawn_points((250, 150), 80)
    before = drawn_face(faces=(one, other))
    after = before.copy()
    everywhere: HairFinder = lambda image, face: np.ones(image.shape[:2], dtype=np.float32)  # noqa: E731
    paint_face(after, one, Look(hair="blue"), {"hair": (0, 0, 255)}, [other], everywhere)
    skin = face_parts(other, before.shape[:2])["skin"] == 1
    assert np.array_equal(before[skin], after[skin])


def test_faces_that_cannot_be_painted_are_refused() -> None:
    assert refusal(drawn_points()) == ""
    assert refusal(drawn_points(eyes=7)) == "it is too small"
    side = drawn_points().points.copy()
    side[:, 0] = 160 + (side[:, 0] - 160) * 0.6
    side[234] = side[168] - np.array([5, 0, 0])
    assert refusal(DrawnFace(side)) == "it is seen from the side"


def test_a_face_at_the_border_is_painted_as_far_as_it_is_seen() -> None:
    face = drawn_points((20, 30), 80)
    before, after, layers = painted(ALL, face)
    same = (before == after).all(axis=2)
    assert same[~covered(layers, before.shape)].all()
    assert not same[:60, :60].all()


def test_a_face_outside_of_the_picture_is_not_painted() -> None:
    before, after, layers = painted(ALL, drawn_points((-400, 900), 80))
    assert layers == []
    assert np.array_equal(before, after)


def test_a_grey_picture_is_painted() -> None:
    grey = np.repeat(drawn_face().mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    look = Look(lips="#b0123b", strength=1)
    paint_face(grey, drawn_points(), look, look.colours(), [], None)
    x, y = drawn_points().points[17, :2].astype(int)
    red, green, _ = grey[y - 8, x].astype(int)
    assert red > green + 60


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "nothing to paint"),
        ({"lips": "rd"}, "'rd' is no colour"),
        ({"lips": "red", "strength": 1.5}, "strength is between 0"),
        ({"skin": "smoth"}, "skin is smooth, or left"),
    ],
)
def test_looks_that_mean_nothing_are_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Look(**said)  # type: ignore[arg-type]

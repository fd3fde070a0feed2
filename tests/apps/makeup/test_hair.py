"""Hair: found by its looks, or by a network."""

from __future__ import annotations

import numpy as np
import pytest
from faces_drawn import DrawnFace, drawn_face, drawn_points
from numpy.typing import NDArray

from intarsia.apps.makeup.hair import WORKED, by_looks, by_network
from intarsia.inference.faces.parts import eye_distance, filled, outline

GROUND, HAIR, SKIN = (120, 150, 170), (70, 45, 30), (222, 170, 140)


def like(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.abs(image.astype(int) - colour).max(axis=2) < 30


class Person:
    """Knows a drawn person by not being the ground."""

    def probabilities(self, source: NDArray[np.uint8]) -> NDArray[np.float32]:
        person = (~like(source, GROUND)).astype(np.float32)
        return np.stack([1 - person, person])


class Clothes:
    """Says the same share of hair, class 1 of 3, everywhere, but perhaps another in the lower half; and no ground."""

    def __init__(self, hair: float = 0.5, below: float | None = None) -> None:
        self.hair, self.below, self.seen = hair, below, (0, 0)

    def probabilities(self, source: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen = source.shape[:2]
        hair = np.full(self.seen, self.hair, dtype=np.float32)
        if self.below is not None:
            hair[self.seen[0] // 2 :] = self.below
        return np.stack([np.zeros_like(hair), hair, 1 - hair])


@pytest.mark.parametrize("turn", [0, 25, -40])
def test_hair_is_found_by_its_colour(turn: float) -> None:
    face, image = drawn_points(), drawn_face()
    image, face = turned(image, face, turn)
    found = by_looks(Person(), Clothes(), 1, 0)(image, face) > 0.5
    truth = like(image, HAIR)
    assert (found & truth).sum() / (found | truth).sum() > 0.8
    assert (found & like(image, SKIN)).mean() < 0.01


def turned(image: NDArray[np.uint8], face: DrawnFace, degrees: float) -> tuple[NDArray[np.uint8], DrawnFace]:
    import cv2

    around = cv2.getRotationMatrix2D((160, 200), degrees, 1)
    points = face.points.copy()
    points[:, :2] = points[:, :2] @ around[:, :2].T + around[:, 2]
    size = image.shape[1], image.shape[0]
    return np.asarray(cv2.warpAffine(image, around, size, borderValue=GROUND), dtype=np.uint8), DrawnFace(points)


def test_nobody_there_is_no_hair() -> None:
    class Nobody:
        def probabilities(self, source: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.stack([np.ones(source.shape[:2]), np.zeros(source.shape[:2])]).astype(np.float32)

    assert not by_looks(Nobody(), Clothes(), 1, 0)(drawn_face(), drawn_points()).any()


def test_what_a_model_of_clothes_takes_for_something_else_is_no_hair() -> None:
    image, face = drawn_face(), drawn_points()
    image[300:] = HAIR  # a jacket of the same colour
    believed = by_looks(Person(), Clothes(), 1, 0)(image, face) > 0.5
    found = by_looks(Person(), Clothes(below=0.01), 1, 0)(image, face) > 0.5
    assert believed[300:].mean() > 0.5
    assert found[300:].mean() < 0.1
    np.testing.assert_array_equal(found[:150], believed[:150])


def test_colour_decides_where_a_model_of_clothes_sees_nobody() -> None:
    class Nothing:
        def probabilities(self, source: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.stack([np.full(source.shape[:2], share, dtype=np.float32) for share in (1, 0, 0)])

    image, face = drawn_face(), drawn_points()
    found = by_looks(Person(), Nothing(), 1, 0)(image, face) > 0.5
    truth = like(image, HAIR)
    assert (found & truth).sum() / truth.sum() > 0.5
    assert (found & like(image, SKIN)).mean() < 0.01


def test_small_heads_are_enlarged_for_the_model_of_clothes() -> None:
    image, face, clothes = drawn_face(), drawn_points(), Clothes()
    small = DrawnFace(face.points / 8)
    found = by_looks(Person(), clothes, 1, 0)(np.ascontiguousarray(image[::8, ::8]), small)
    assert found.shape == (50, 40)
    assert clothes.seen[0] == pytest.approx(50 * WORKED / eye_distance(small), abs=1)
    by_looks(Person(), clothes, 1, 0)(image, face)
    assert clothes.seen == (400, 320)


def test_eyes_and_mouth_are_no_hair_whatever_a_model_says() -> None:
    image, face = drawn_face(), drawn_points()
    found = by_looks(Person(), Clothes(hair=0.999), 1, 0)(image, face)
    for part in ("left_eye", "lips"):
        assert found[filled(outline(face, part), (400, 320)) > 0.5].max() < 1e-6


def test_a_network_tells_by_its_class() -> None:
    class Parser:
        def probabilities(self, source: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.stack([np.full(source.shape[:2], share, dtype=np.float32) for share in (0.1, 0.2, 0.7)])

    found = by_network(Parser(), 2)(drawn_face(), drawn_points())
    assert found.shape == (400, 320)
    np.testing.assert_allclose(found, 0.7)

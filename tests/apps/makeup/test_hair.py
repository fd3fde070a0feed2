"""Hair: found by its colour, or by a network."""

from __future__ import annotations

import numpy as np
import pytest
from faces_drawn import DrawnFace, drawn_face, drawn_points
from numpy.typing import NDArray

from intarsia.apps.makeup.hair import by_colour, by_network

GROUND, HAIR, SKIN = (120, 150, 170), (70, 45, 30), (222, 170, 140)


def like(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.abs(image.astype(int) - colour).max(axis=2) < 30


class Person:
    """Knows a drawn person by not being the ground."""

    def probabilities(self, source: NDArray[np.uint8]) -> NDArray[np.float32]:
        person = (~like(source, GROUND)).astype(np.float32)
        return np.stack([1 - person, person])


@pytest.mark.parametrize("turn", [0, 25, -40])
def test_hair_is_found_by_its_colour(turn: float) -> None:
    face, image = drawn_points(), drawn_face()
    image, face = turned(image, face, turn)
    found = by_colour(Person())(image, face) > 0.5
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

    assert not by_colour(Nobody())(drawn_face(), drawn_points()).any()


def test_a_network_tells_by_its_class() -> None:
    class Parser:
        def probabilities(self, source: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.stack([np.full(source.shape[:2], share, dtype=np.float32) for share in (0.1, 0.2, 0.7)])

    found = by_network(Parser(), 2)(drawn_face(), drawn_points())
    assert found.shape == (400, 320)
    np.testing.assert_allclose(found, 0.7)

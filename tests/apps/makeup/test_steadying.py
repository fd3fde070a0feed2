"""Steady faces: no trembling, no lag."""

from __future__ import annotations

import numpy as np
from faces_drawn import DrawnFace, drawn_points

from intarsia.apps.makeup.steadying import Steadying


def noisy(seed: int, shift: float = 0) -> DrawnFace:
    points = drawn_points((160 + shift, 150)).points
    noise = np.random.default_rng(seed).normal(0, 0.4, points.shape)
    return DrawnFace((points + noise).astype(np.float32))


def test_a_still_face_trembles_less() -> None:
    steadying = Steadying()
    steady = np.stack([steadying.step([noisy(seed)])[0].points for seed in range(40)])[10:, :, :2]
    raw = np.stack([noisy(seed).points for seed in range(40)])[10:, :, :2]
    assert np.diff(steady, axis=0).std() < 0.4 * np.diff(raw, axis=0).std()


def test_a_moving_face_is_followed_at_once() -> None:
    steadying = Steadying()
    for step in range(6):
        (face,) = steadying.step([drawn_points((160 + 8 * step, 150))])
        np.testing.assert_allclose(face.points, drawn_points((160 + 8 * step, 150)).points, atol=0.01)


def test_each_face_follows_its_own_points_and_new_ones_begin_anew() -> None:
    steadying = Steadying()
    left, right = drawn_points((100, 150), 40), drawn_points((400, 150), 40)
    steadying.step([left, right])
    swapped = steadying.step([right, left])
    np.testing.assert_allclose(swapped[0].points, right.points)
    far = drawn_points((250, 400), 40)
    np.testing.assert_array_equal(steadying.step([far])[0].points, far.points)
    assert steadying.step([]) == []

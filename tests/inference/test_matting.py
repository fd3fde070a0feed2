"""Matting: alpha and colours at edges, from a soft mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import RED, red_disc

from intarsia.inference.matting import EDGE, INSIDE, Matting, weighted_mean, working_size


def blurred(alpha: np.ndarray) -> np.ndarray:
    """What a network with few pixels says of it."""
    small = cv2.resize(alpha, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)


def matted(picture: np.ndarray, mask: np.ndarray, side: int = 1024) -> Matting:
    rows, columns = working_size(*picture.shape[:2], side)
    small, shares = (cv2.resize(one, (columns, rows), interpolation=cv2.INTER_AREA) for one in (picture, mask))
    return Matting(small, shares, picture.shape[:2])


def whole_alpha(matting: Matting, picture: np.ndarray) -> np.ndarray:
    matte = matting.rows(0, picture)
    found = (matte.kinds == INSIDE).astype(np.float32)
    found.reshape(-1)[matte.edge] = matte.alpha
    return found


def test_edges_come_nearer_than_the_mask() -> None:
    picture, alpha = red_disc()
    mask = blurred(alpha)
    found = whole_alpha(matted(picture, mask), picture)
    assert np.abs(found - alpha).mean() < 0.5 * np.abs(mask - alpha).mean()


def test_away_from_edges_alpha_is_exactly_0_or_1() -> None:
    picture, alpha = red_disc()
    found = whole_alpha(matted(picture, blurred(alpha)), picture)
    core, far = cv2.erode(alpha, np.ones((15, 15))) == 1, cv2.dilate(alpha, np.ones((15, 15))) == 0
    assert (found[core] == 1).all() and (found[far] == 0).all()


def test_colours_at_the_rim_lose_the_background() -> None:
    picture, alpha = red_disc()
    matte = matted(picture, blurred(alpha)).rows(0, picture)
    mixed = (matte.alpha > 0.3) & (matte.alpha < 0.9)
    before = picture.reshape(-1, 3)[matte.edge[mixed]][:, 2].mean() - RED[2]
    after = matte.colours[2, mixed].mean() - RED[2]
    assert mixed.sum() > 20 and abs(after) < 0.4 * before


def test_rows_are_those_of_the_whole() -> None:
    picture, alpha = red_disc(400, 500, at=(250, 200), radius=120)
    matting = matted(picture, blurred(alpha), side=128)
    whole = matting.rows(0, picture)
    parts = [matting.rows(top, picture[top : top + 77]) for top in range(0, 400, 77)]
    np.testing.assert_array_equal(np.concatenate([part.kinds for part in parts]), whole.kinds)
    np.testing.assert_allclose(np.concatenate([part.alpha for part in parts]), whole.alpha, atol=1e-6)


def test_over_and_cut_out_keep_what_is_wholly_the_thing() -> None:
    rng = np.random.default_rng(0)
    picture, alpha = red_disc()
    picture = np.clip(picture + rng.integers(-9, 10, picture.shape), 0, 255).astype(np.uint8)
    matting = matted(picture, blurred(alpha))
    matte, sure = matting.rows(0, picture), whole_alpha(matting, picture) == 1
    over = matte.over(picture, np.full_like(picture, 7))
    cut = matte.cut_out(picture)
    np.testing.assert_array_equal(over[sure], picture[sure])
    np.testing.assert_array_equal(cut[sure][:, :3], picture[sure])
    gone = whole_alpha(matting, picture) == 0
    assert (over[gone] == 7).all() and (cut[gone][:, 3] == 0).all() and (cut[sure][:, 3] == 255).all()


def test_a_doubtful_place_within_is_inside() -> None:
    picture, alpha = red_disc()
    mask = blurred(alpha)
    mask[90:100, 145:155] = 0.4
    found = whole_alpha(matted(picture, mask), picture)
    assert (found[85:105, 140:160] == 1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_any_size_and_any_mask(height: int, width: int, share: float) -> None:
    picture = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    matting = Matting(picture, np.full((height, width), share, np.float32), (height, width))
    matte = matting.rows(0, picture)
    assert set(np.unique(matte.kinds)) <= {0, EDGE, INSIDE}
    assert ((matte.alpha >= 0) & (matte.alpha <= 1)).all() and np.isfinite(matte.colours).all()


@pytest.mark.parametrize("radius", [1, 3])
def test_the_weighted_mean_of_one_colour_is_that_colour(radius: int) -> None:
    weight = (np.random.default_rng(1).random((30, 40)) > 0.9).astype(np.float32)
    values = np.broadcast_to(np.array([0.2, 0.5, 0.9], np.float32), (30, 40, 3)).copy()
    np.testing.assert_allclose(weighted_mean(values, weight, radius), values, atol=1e-5)

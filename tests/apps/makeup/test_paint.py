"""Paint: the mean becomes the target, texture stays, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from intarsia.apps.makeup.paint import feathered, recolour, smooth
from intarsia.media.oklab import to_oklab


def textured(seed: int = 0, height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    """Reddish, with light and dark grain."""
    rng = np.random.default_rng(seed)
    return np.clip(np.array([170, 95, 95]) + rng.normal(0, 14, (height, width, 1)), 0, 255).astype(np.uint8)


def region(height: int = 60, width: int = 80) -> NDArray[np.float32]:
    mask = np.zeros((height, width), dtype=np.float32)
    mask[15:45, 20:60] = 1
    return feathered(mask, 4)


COLOURS = {
    "red": (176, 18, 59), "blue": (40, 60, 190), "black": (0, 0, 0), "white": (255, 255, 255), "green": (0, 255, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", COLOURS)
def test_texture_stays_and_the_mean_goes_to_the_target(name: str) -> None:
    before, mask = textured(), region()
    after = before.copy()
    recolour(after, mask, COLOURS[name])
    inside = mask == 1
    was, now = to_oklab(before[inside]), to_oklab(after[inside])
    assert np.corrcoef(was[:, 0], now[:, 0])[0, 1] >= 0.98
    wanted = to_oklab(np.array(COLOURS[name], dtype=np.uint8))
    # Only black and white, beside which there is no room for texture, are met less than closely.
    assert np.abs(now.mean(axis=0) - wanted).max() < (0.17 if name in ("black", "white") else 0.05)


@pytest.mark.parametrize(("name", "low", "high"), [("black", 0, 20), ("white", 215, 255)])
def test_black_and_white_are_reached(name: str, low: int, high: int) -> None:
    image, mask = textured(), region()
    recolour(image, mask, COLOURS[name])
    assert low <= image[mask == 1].mean() <= high


@given(strength=st.floats(0, 1), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_outside_of_the_mask_no_bit_changes(strength: float, seed: int) -> None:
    before, mask = textured(seed), region()
    for paint in (
        lambda image: recolour(image, mask, (176, 18, 59), strength),
        lambda image: smooth(image, mask, 40, strength),
    ):
        after = before.copy()
        paint(after)
        assert np.array_equal(after[mask == 0], before[mask == 0])


def test_no_strength_is_no_change() -> None:
    before = textured()
    after = before.copy()
    recolour(after, region(), (0, 0, 255), 0.0)
    smooth(after, region(), 40, 0.0)
    assert np.array_equal(after, before)


def test_strength_lies_between() -> None:
    distances = []
    for strength in (0.25, 0.5, 0.75, 1.0):
        image = textured()
        recolour(image, region(), (40, 60, 190), strength)
        distances.append(
            np.linalg.norm(to_oklab(image[20:40, 25:55]).mean(axis=(0, 1)) - to_oklab(np.uint8([40, 60, 190])))
        )
    assert distances == sorted(distances, reverse=True)


def test_a_mask_grows_by_its_feather_and_no_farther() -> None:
    mask = np.zeros((41, 41), dtype=np.float32)
    mask[20, 20] = 1
    rows, columns = np.nonzero(feathered(mask, 5))
    assert max(abs(rows - 20).max(), abs(columns - 20).max()) == 5


def test_an_empty_mask_changes_nothing() -> None:
    before = textured()
    after = before.copy()
    recolour(after, np.zeros((60, 80), dtype=np.float32), (0, 0, 0))
    assert np.array_equal(after, before)


def test_skin_becomes_even_and_its_edges_stay() -> None:
    rng = np.random.default_rng(0)
    image = np.clip(np.array([205, 150, 125]) + rng.normal(0, 4, (120, 160, 1)), 0, 255)
    image[:, 80:] -= 90  # an edge
    image = image.astype(np.uint8)
    after = image.copy()
    smooth(after, np.ones((120, 160), dtype=np.float32), eyes=60)
    flat = slice(20, 100), slice(20, 60)
    assert after[flat].astype(float).std(axis=(0, 1)).max() < 0.6 * image[flat].astype(float).std(axis=(0, 1)).max()
    assert np.corrcoef(after[flat][..., 0].ravel(), image[flat][..., 0].ravel())[0, 1] > 0.8  # pores are left
    step = image[:, 90:110].mean() - image[:, 50:70].mean()
    assert after[:, 82:84].mean() - after[:, 76:78].mean() == pytest.approx(step, rel=0.1)

"""OKLab: there and back, and colours that sRGB lacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import UsageError
from intarsia.media.oklab import colour, from_oklab, to_oklab

# Computed from the matrices and the transfer function as published, in double precision.
KNOWN = {
    (255, 255, 255): (1.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 0, 0): (0.627955, 0.224863, 0.125846),
    (0, 255, 0): (0.866440, -0.233888, 0.179498),
    (0, 0, 255): (0.452014, -0.032457, -0.311528),
}


@pytest.mark.parametrize("rgb", KNOWN)
def test_known_colours(rgb: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(to_oklab(np.array(rgb, dtype=np.uint8)), KNOWN[rgb], atol=2e-5)


def test_every_colour_comes_back() -> None:
    steps = np.arange(256, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(steps[::3], steps, steps[::5], indexing="ij"), axis=-1)
    assert np.array_equal(from_oklab(to_oklab(rgb)), rgb)


@given(lightness=st.floats(0.2, 0.9), hue=st.floats(-3.1, 3.1), chroma=st.floats(0.1, 0.6))
@settings(max_examples=60, deadline=None)
def test_colours_that_there_are_not_keep_hue_and_lightness(lightness: float, hue: float, chroma: float) -> None:
    wanted = np.array([[lightness, chroma * np.cos(hue), chroma * np.sin(hue)]], dtype=np.float32)
    shown = to_oklab(from_oklab(wanted))[0]
    assert shown[0] == pytest.approx(lightness, abs=0.02)
    reached = float(np.hypot(shown[1], shown[2]))
    assert reached <= chroma + 0.01
    if reached > 0.05:
        off = (np.arctan2(shown[2], shown[1]) - hue + np.pi) % (2 * np.pi) - np.pi
        assert abs(off) < 0.15


def test_lighter_than_white_is_white() -> None:
    assert from_oklab(np.array([[1.3, 0.1, 0.1], [-0.2, 0.1, 0.1]], dtype=np.float32)).tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("#b0123b", (176, 18, 59)), ("Red", (255, 0, 0)), ("rgb(1, 2, 3)", (1, 2, 3)), ("#fff", (255,) * 3)],
)
def test_colours_by_name(said: str, meant: tuple[int, int, int]) -> None:
    assert colour(said) == meant


def test_no_colour_is_said_with_the_closest() -> None:
    with pytest.raises(UsageError, match=r"'crimsn' is no colour.*Did you mean 'crimson'"):
        colour("crimsn")

"""Filters against calculus, and features against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import ModelError
from intarsia.media.source import Place
from intarsia.models.classical.features import GROUPS, Features
from intarsia.models.classical.filters import GaussianDerivatives, eigenvalues, radius

PLACELESS = GROUPS[:-1]


@pytest.mark.parametrize("sigma", [0.5, 1, 2.5, 8])
def test_derivatives_of_polynomials_are_exact(sigma: float) -> None:
    """Normalised by sigma^order: 3x -> 3 sigma, 5x^2 -> 10 sigma^2, xy -> sigma^2; the blur of a plane is itself."""
    reach = radius(sigma)
    y, x = np.mgrid[: 2 * reach + 3, : 2 * reach + 3].astype(np.float32) / 10
    gaussian = GaussianDerivatives(sigma)
    middle = (reach + 1, reach + 1)
    step = sigma / 10
    assert gaussian(3 * x + y)[middle] == pytest.approx((3 * x + y)[middle], rel=1e-5)
    assert gaussian(3 * x, across=1)[middle] == pytest.approx(3 * step, rel=1e-4)
    assert gaussian(3 * x, down=1)[middle] == pytest.approx(0, abs=1e-5)
    assert gaussian(5 * y**2, down=2)[middle] == pytest.approx(10 * step**2, rel=1e-3, abs=1e-4)
    assert gaussian(x * y, across=1, down=1)[middle] == pytest.approx(step**2, rel=1e-3, abs=1e-5)


def test_derivatives_of_a_constant_are_zero() -> None:
    flat = np.full((9, 9), 0.7, np.float32)
    for order in ({"across": 1}, {"down": 1}, {"across": 2}, {"down": 2}, {"across": 1, "down": 1}):
        assert np.abs(GaussianDerivatives(2.0)(flat, **order)).max() < 1e-6


@given(st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3))
def test_eigenvalues_are_numpy_s(entries: list[float]) -> None:
    xx, xy, yy = (np.full((1, 1), entry, np.float32) for entry in entries)
    larger, smaller = eigenvalues(xx, xy, yy)
    expected = np.linalg.eigvalsh([[entries[0], entries[1]], [entries[1], entries[2]]])
    assert [smaller[0, 0], larger[0, 0]] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("channels", "per_scale"), [(1, 1 + 1 + 2 + 2 + 1), (3, 3 + 6), (4, 4 + 6)])
def test_number_and_order_of_features(channels: int, per_scale: int) -> None:
    features = Features(in_channels=channels, scales=(1, 3))
    planes = features.planes(np.random.default_rng(0).random((20, 30, channels), np.float32))
    assert planes.shape == (channels + 2 * per_scale + 2, 20, 30) and planes.dtype == np.float32
    assert len(features) == len(planes)
    assert list(dict.fromkeys(features.groups)) == list(GROUPS)
    assert features.margin == 18, "texture and structure filter twice, 3 sigma each"
    assert Features(in_channels=channels, scales=(3,), groups=("colour",)).margin == 9
    assert Features(in_channels=channels, scales=(3,), groups=("pixel", "position")).margin == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (5, 100)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_smaller_than_the_filters(size: tuple[int, int], channels: int) -> None:
    picture = np.random.default_rng(0).random((*size, channels), np.float32)
    planes = Features(in_channels=channels, scales=(1, 8)).planes(picture)
    assert planes.shape[1:] == size and np.isfinite(planes).all()
    assert np.abs(planes).max() < 3


def test_a_flat_picture_has_colour_only() -> None:
    features = Features(in_channels=3, scales=(1, 4), groups=PLACELESS)
    planes = features.planes(np.full((30, 30, 3), 0.4, np.float32))
    for group, plane in zip(features.groups, planes, strict=True):
        if group not in ("pixel", "colour"):
            assert np.abs(plane).max() < 1e-5, group
        assert np.ptp(plane) < 1e-5


def test_what_each_group_answers_to() -> None:
    """A dark line on white: ridges answer on it, edges beside it, and texture only near it."""
    picture = np.ones((41, 41, 1), np.float32)
    picture[:, 20] = 0
    features = Features(in_channels=1, scales=(1,), groups=PLACELESS)
    planes = features.planes(picture)
    found = {group: planes[features.groups.index(group)][20] for group in features.groups}
    assert found["ridges"].argmax() == 20 and found["ridges"][20] > 0.3
    assert abs(found["edges"][20]) < 1e-6 and found["edges"].argmax() in (19, 21)
    assert found["texture"][20] > 0.1 and found["texture"][5] < 1e-6
    structure = planes[[i for i, group in enumerate(features.groups) if group == "structure"], 20, 19]
    assert structure[0] > 0.1 and structure[1] < 1e-3, "one direction only"


def test_position_is_the_pixel_s_place_in_the_whole() -> None:
    features = Features(in_channels=1, scales=(1,), groups=("position",))
    planes = features.planes(np.zeros((2, 4, 1), np.float32))
    assert planes[0, :, 0].tolist() == [0.25, 0.75]
    assert planes[1, 0].tolist() == [0.125, 0.375, 0.625, 0.875]
    part = features.planes(np.zeros((1, 2, 1), np.float32), Place((1, 2), (2, 4), (2, 4)))
    assert part[0].tolist() == [[0.75, 0.75]] and part[1].tolist() == [[0.625, 0.875]]
    half = features.planes(np.zeros((1, 2, 1), np.float32), Place((0, 2), (0, 4), (2, 4)))
    assert half[0].tolist() == [[0.5, 0.5]] and half[1].tolist() == [[0.25, 0.75]], "the picture at half its size"
    assert Place((1, 2), (0, 3), (2, 4)).mirrored() == Place((1, 2), (1, 4), (2, 4))


def test_all_but_position_turn_with_the_picture() -> None:
    picture = np.random.default_rng(0).random((40, 50, 3), np.float32)
    features = Features(in_channels=3, scales=(1, 2), groups=PLACELESS)
    straight, turned = features.planes(picture), features.planes(np.ascontiguousarray(np.rot90(picture)))
    assert np.allclose(turned, np.rot90(straight, axes=(1, 2)), atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 3), st.integers(0, 4), st.integers(60, 150), st.integers(60, 150))
def test_a_tile_has_the_features_of_the_whole_to_the_last_bit(top: int, left: int, height: int, width: int) -> None:
    picture = np.random.default_rng(0).random((230, 270, 3), np.float32)
    features = Features(in_channels=3, scales=(1, 3), groups=GROUPS)
    whole = features.planes(picture)
    top, left, margin = top * 32, left * 32, features.margin
    bottom, right = min(top + height, 230), min(left + width, 270)
    tile = features.planes(
        np.ascontiguousarray(picture[top:bottom, left:right]), Place((top, bottom), (left, right), (230, 270))
    )
    inner = (
        slice(margin if top else 0, None if bottom == 230 else bottom - top - margin),
        slice(margin if left else 0, None if right == 270 else right - left - margin),
    )
    assert np.array_equal(tile[:, *inner], whole[:, top:bottom, left:right][:, *inner])


@pytest.mark.parametrize("scales", [(), (0.1,), (1, -2), (100,), (float("nan"),)])
def test_scales_out_of_range(scales: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match=r"scales are standard deviations from 0.3 to 64 pixels"):
        Features(in_channels=3, scales=scales)

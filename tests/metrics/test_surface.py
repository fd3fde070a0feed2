"""Surface distances against brute force, MONAI and surface-distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import surface_distance
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import DataError, UsageError
from intarsia.metrics import SurfaceDistance, surface_distances

# The peers' own: names that SciPy and MONAI will drop.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{kind}Warning") for kind in ("Deprecation", "Future")]


def surface_points(mask: np.ndarray) -> list[tuple[int, ...]]:
    """Elements with a face neighbour outside the mask; beyond the array is outside."""
    padded = np.pad(mask, 1)
    found = []
    for point in np.argwhere(mask).tolist():
        for axis in range(mask.ndim):
            for step in (-1, 1):
                beside = [p + 1 + step * (axis == a) for a, p in enumerate(point)]
                if not padded[tuple(beside)] and tuple(point) not in found:
                    found.append(tuple(point))
    return found


def brute_force(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, float, float]:
    a, b = (np.array(surface_points(mask)) * spacing for mask in (one, other))
    table = np.linalg.norm(a[:, None] - b[None], axis=2)
    there, back = table.min(1), table.min(0)
    percentiles = np.percentile(there, 95), np.percentile(back, 95)
    return max(there.max(), back.max()), max(percentiles), np.concatenate([there, back]).mean()


def blob(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> np.ndarray:
    grid = np.indices(shape).reshape(len(shape), -1).T
    return (np.linalg.norm((grid - np.array(centre)) / (1, *[1.3] * (len(shape) - 1)), axis=1) <= radius).reshape(shape)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    shape=st.one_of(st.tuples(*[st.integers(1, 8)] * 2), st.tuples(*[st.integers(1, 5)] * 3)),
    density=st.sampled_from([0.1, 0.5, 0.9]),
    steps=st.lists(st.sampled_from([0.5, 1.0, 2.5]), min_size=3, max_size=3),
)
def test_equals_brute_force(seed: int, shape: tuple[int, ...], density: float, steps: list[float]) -> None:
    random = np.random.default_rng(seed)
    one, other = random.random((2, *shape)) < density
    spacing = tuple(steps[: len(shape)])
    found = surface_distances(one, other, spacing=spacing)
    values = (found.hausdorff, found.hd95, found.assd)
    if one.any() and other.any():
        assert values == pytest.approx(brute_force(one, other, spacing))
    elif one.any() or other.any():
        assert values == (math.inf,) * 3
    else:
        assert values == pytest.approx((math.nan,) * 3, nan_ok=True)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((90, 120), (1.0, 1.0)), ((90, 120), (0.5, 2.0)), ((20, 40, 44), (3.0, 0.8, 0.8))]
)
def test_equals_monai(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance  # see test_conventions.py

    one = blob(shape, tuple(s / 2 for s in shape), min(shape) / 3)
    other = blob(shape, tuple(s / 2 + 3 for s in shape), min(shape) / 3.5)
    found = surface_distances(one, other, spacing=spacing)
    a, b = (torch.from_numpy(mask)[None, None] for mask in (one, other))
    settings = {"include_background": True, "spacing": list(spacing)}
    assert found.hausdorff == pytest.approx(float(compute_hausdorff_distance(a, b, **settings)), rel=1e-5)
    assert found.hd95 == pytest.approx(float(compute_hausdorff_distance(a, b, percentile=95, **settings)), rel=1e-5)
    assd = compute_average_surface_distance(a, b, symmetric=True, **settings)
    assert found.assd == pytest.approx(float(assd), rel=1e-5)


@pytest.mark.parametrize(("shape", "spacing"), [((90, 120), (1.0, 1.0)), ((20, 40, 44), (3.0, 0.8, 0.8))])
def test_is_within_a_voxel_of_surface_distance(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    # its surface runs between the elements, ours through those of the mask
    one = blob(shape, tuple(s / 2 for s in shape), min(shape) / 3)
    other = blob(shape, tuple(s / 2 + 3 for s in shape), min(shape) / 3.5)
    found = surface_distances(one, other, spacing=spacing)
    theirs = surface_distance.compute_surface_distances(one, other, spacing)
    voxel = math.hypot(*spacing)
    assert abs(found.hausdorff - surface_distance.compute_robust_hausdorff(theirs, 100)) <= voxel
    assert abs(found.hd95 - surface_distance.compute_robust_hausdorff(theirs, 95)) <= voxel
    there, back = surface_distance.compute_average_surface_distance(theirs)
    assert abs(found.assd - (there + back) / 2) <= voxel / 2


def test_hand_computed_in_millimetres() -> None:
    one, other = np.zeros((3, 12), bool), np.zeros((3, 12), bool)
    one[1, 2] = other[1, 2] = other[1, 6] = True
    found = surface_distances(one, other, spacing=(2, 0.5))
    # from one: 0; from other: 0 and 4 * 0.5
    assert (found.hausdorff, found.hd95, found.assd) == pytest.approx((2, 1.9, 2 / 3))


def test_streaming_means_misses_and_classes() -> None:
    target = np.zeros((2, 4, 5), np.uint8)
    prediction = target.copy()
    target[0, 1, 1], prediction[0, 1, 3] = 1, 1
    target[1, 2, 2] = 2
    metric = SurfaceDistance(4, spacing=(2, 1), skip=[0])
    metric.update(prediction, target)
    found = metric.compute()
    diagonal = math.hypot(3 * 2, 4 * 1)
    assert found.hausdorff.tolist() == pytest.approx([np.nan, 2, diagonal, np.nan], nan_ok=True)
    assert found.images.tolist() == [0, 1, 1, 0] and found.misses.tolist() == [0, 0, 1, 0]
    assert found.mean_assd == pytest.approx((2 + diagonal) / 2)
    assert found.to_json()["hd95"][0] is None
    halves = [SurfaceDistance(4, spacing=(2, 1), skip=[0]) for _ in range(2)]
    for one, p, t in zip(halves, prediction, target, strict=True):
        one.update(p, t)
    halves[0].merge(halves[1])
    assert np.array_equal(halves[0].compute().assd, found.assd, equal_nan=True)
    with pytest.raises(UsageError, match="same classes and settings"):
        halves[0].merge(SurfaceDistance(4, spacing=(1, 1), skip=[0]))


def test_ignored_elements_have_no_surface_and_make_none() -> None:
    target, prediction = np.zeros((2, 9, 9), np.uint8)
    target[2:7, 2:7] = 1
    prediction[2:7, 2:7] = 1
    target[2:7, 4] = 255
    prediction[2:7, 4] = 0
    prediction[0, 0] = target[0, 0] = 0
    metric = SurfaceDistance(2, skip=[0])
    metric.update(prediction, target)
    found = metric.compute()
    assert (found.hausdorff[1], found.assd[1], found.misses[1]) == (0, 0, 0)
    prediction[:, 6] = 0  # now a column of the known part is missed
    metric.update(prediction, target)
    assert metric.compute().hausdorff[1] == pytest.approx((0 + 1) / 2)


def test_one_voxel_and_empty_truth() -> None:
    metric = SurfaceDistance(2, spacing=(1, 1, 1))
    metric.update(np.zeros((1, 1, 1), int), np.zeros((1, 1, 1), int))
    metric.update(np.zeros((1, 1, 1), int), np.full((1, 1, 1), 255))
    found = metric.compute()
    assert found.hausdorff[0] == 0 and np.isnan(found.hausdorff[1]) and found.images.tolist() == [1, 0]


def test_masks_of_any_type_that_hold_0_and_1() -> None:
    mask = np.zeros((6, 7), bool)
    mask[2:4, 1:5] = True
    other = np.roll(mask, 1, axis=1)
    expected = surface_distances(mask, other)
    for kind in (np.float32, np.float64, np.float16, np.uint8, int):
        assert surface_distances(mask.astype(kind), other.astype(kind)) == expected
    assert surface_distances(255 * mask.astype(np.uint8), 3 * other.astype(int)) == expected
    for wrong in (0.5 * mask, np.where(mask, np.nan, 0)):
        with pytest.raises(DataError, match="a mask holds 0 and 1, and this one other numbers"):
            surface_distances(wrong, other)


def test_bad_input_is_explained() -> None:
    for spacing in ((0.0, 1.0), (1.0, -1.0), (1.0, math.nan), (1.0,), (1.0, math.inf)):
        with pytest.raises(UsageError, match="positive numbers only"):
            SurfaceDistance(2, spacing=spacing)
        with pytest.raises(UsageError, match="positive numbers only"):
            surface_distances(np.ones((2, 2), bool), np.ones((2, 2), bool), spacing=spacing)
    with pytest.raises(UsageError, match=r"needs labels on a grid, \(D, H, W\) or \(N, D, H, W\).*Points"):
        SurfaceDistance(2, spacing=(1, 1, 1)).update(np.zeros(6, int), np.zeros(6, int))
    volume = np.ones((2, 3, 3), bool)
    for mask, spacing in ((volume, (1.0, 1.0)), (volume[0], (1.0, 1.0, 1.0)), (volume[:1], (2.0, 1.0))):
        with pytest.raises(UsageError, match="one spacing for each axis of the mask"):
            surface_distances(mask, mask, spacing=spacing)
    with pytest.raises(DataError, match="differ in shape"):
        surface_distances(np.ones((2, 2), bool), np.ones((2, 3), bool))
    with pytest.raises(DataError, match="not float64"):
        SurfaceDistance(2).update(np.zeros((2, 2)), np.zeros((2, 2), int))
    with pytest.raises(DataError, match="nor ignore_index 255: 2"):
        SurfaceDistance(2).update(np.zeros((2, 2), int), np.full((2, 2), 2))

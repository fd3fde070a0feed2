"""Normals, shapes, thinning and ground of surfaces whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.transforms.clouds.geometry import eigen, height_above_ground, shape_features, spacing, thin

pytest.importorskip("scipy")


def plane(count: int = 400) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.c_[random.uniform(0, 10, (count, 2)), np.zeros(count)].astype(np.float32)


def test_normal_of_a_tilted_plane() -> None:
    points = plane()
    points[:, 2] = 0.5 * points[:, 0]
    _, normals = eigen(points, 12)
    expected = np.array([-0.5, 0, 1]) / np.sqrt(1.25)
    assert np.abs(normals - expected).max() < 1e-3


def test_normals_of_a_sphere_point_up() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(3000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    _, normals = eigen(points.astype(np.float32), 16)
    assert np.median(np.abs((normals * points).sum(axis=1))) > 0.99
    assert (normals[:, 2] >= -1e-6).all()


def test_shapes_of_line_plane_and_ball() -> None:
    random = np.random.default_rng(0)
    line = np.c_[np.linspace(0, 10, 200), np.zeros((200, 2))].astype(np.float32)
    ball = random.normal(size=(4000, 3)).astype(np.float32)
    wall = plane()[:, [0, 2, 1]]
    linearity, planarity, sphericity, verticality = [], [], [], []
    for points in (line, plane(), ball, wall):
        found = shape_features(*eigen(points, 20)).mean(axis=0)
        linearity.append(found[0])
        planarity.append(found[1])
        sphericity.append(found[2])
        verticality.append(found[4])
    assert np.argmax(linearity) == 0
    assert linearity[0] > 0.99
    assert planarity[1] > 0.5 > planarity[2]
    assert np.argmax(sphericity) == 2
    assert verticality[1] < 0.01
    assert verticality[3] > 0.99


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.ones((30, 3)), np.zeros((0, 3))])
def test_points_in_one_place(points: np.ndarray) -> None:
    found = shape_features(*eigen(points.astype(np.float32), 16))
    assert found.shape == (len(points), 5)
    assert not found.any()
    assert height_above_ground(points).tolist() == [0] * len(points)
    assert spacing(points.astype(np.float32)) == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), voxel=st.floats(0.05, 3))
def test_thinning_keeps_one_point_of_each_cube(seed: int, voxel: float) -> None:
    xyz = np.random.default_rng(seed).uniform(-4, 4, (200, 3))
    kept = thin(xyz, voxel)
    cubes = {tuple(cube) for cube in np.floor(xyz / voxel).astype(int)}
    assert {tuple(cube) for cube in np.floor(xyz[kept] / voxel).astype(int)} == cubes
    assert len(kept) == len(cubes)
    assert (np.diff(kept) > 0).all()
    assert thin(xyz, 0).tolist() == list(range(200))


def test_height_over_a_slope_with_a_house() -> None:
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(0, 80, 0.5), np.arange(0, 80, 0.5)))
    ground = 0.1 * x + 300
    house = (np.abs(x - 40) < 6) & (np.abs(y - 40) < 6)
    z = ground + 8 * house
    noise = np.array([[20.2, 20.2, 250.0]])  # one echo from below the ground
    height = height_above_ground(np.concatenate([np.c_[x, y, z], noise]))
    assert np.abs(height[:-1][house] - 8).max() < 0.8
    # At the upper border of a slope the opening cuts off half its window.
    inner = (x > 13) & (x < 67) & ~house
    assert height[:-1][inner].max() < 0.8
    assert height[:-1][~house].max() < 0.1 * 13
    assert height[-1] == 0


def test_height_of_a_part_is_that_of_the_whole() -> None:
    random = np.random.default_rng(0)
    xyz = np.c_[random.uniform(0, 200, (20000, 2)), random.uniform(0, 3, 20000)]
    part = xyz[:, 0] < 120
    inside = xyz[part][:, 0] < 80
    whole, alone = height_above_ground(xyz)[part][inside], height_above_ground(xyz[part])[inside]
    assert np.abs(whole - alone).max() < 1e-5


def test_ground_of_two_points_a_world_apart_needs_no_grid_of_the_world() -> None:
    found = height_above_ground(np.array([[0.0, 0, 5], [9e6, 9e6, 7]]))
    assert np.isfinite(found).all()

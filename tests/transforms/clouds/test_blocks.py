"""Columns, windows and training blocks: every point is seen, and sparse clouds end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import DataError, UsageError
from intarsia.media.clouds import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.recipe import CloudAugment
from intarsia.stopping import checked_by
from intarsia.transforms.clouds.augment import CloudTransform
from intarsia.transforms.clouds.blocks import BlockSampler, block_input, scene_probabilities, spread, windows
from intarsia.transforms.clouds.columns import Columns, block_for, density
from intarsia.transforms.clouds.features import channels, check_features, compute
from intarsia.transforms.clouds.scene import Scene, is_finite, prepare

pytest.importorskip("scipy")


def scene(xyz: np.ndarray, target: np.ndarray | None = None) -> Scene:
    return Scene(xyz.astype(np.float32), np.zeros((len(xyz), 1), np.float32), np.zeros(3), target)


def cloud(count: int = 500, seed: int = 0) -> PointCloud:
    random = np.random.default_rng(seed)
    xyz = random.uniform(0, (20, 10, 3), (count, 3))
    return PointCloud(xyz, {"intensity": random.integers(0, 65535, count).astype(np.uint16)})


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 300), side=st.floats(0.3, 40))
def test_columns_against_brute_force(seed: int, count: int, side: float) -> None:
    random = np.random.default_rng(seed)
    xyz = random.uniform(-10, 10, (count, 3)).astype(np.float32)
    columns = Columns(xyz, side)
    for centre in random.uniform(-15, 15, (5, 2)).astype(np.float32):
        expected = np.flatnonzero((np.abs(xyz[:, :2] - centre) <= side / 2).all(axis=1))
        assert columns.around(centre).tolist() == expected.tolist()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 400), side=st.floats(0.3, 50), points=st.integers(1, 1024))
def test_windows_hold_every_point_and_are_half_full_at_least(seed: int, count: int, side: float, points: int) -> None:
    xyz = np.random.default_rng(seed).uniform(-20, 20, (count, 3)).astype(np.float32)
    seen = np.zeros(count, dtype=int)
    for centre, index, wanted in windows(xyz, side, points):
        assert len(index) == points >> (points // len(index)).bit_length() - 1
        assert len(index) < 256 or len(np.unique(index)) * 2 > len(index)
        assert (np.abs(xyz[index, :2] - centre) <= side / 2).all()
        seen[np.unique(index[wanted])] += 1
    assert seen.min() >= 1


@pytest.mark.parametrize("xyz", [np.zeros((1, 3)), np.ones((40, 3)), np.array([[0, 0, 0], [1e5, 1e5, 0]])])
def test_degenerate_clouds_are_covered_too(xyz: np.ndarray) -> None:
    found = scene_probabilities(scene(xyz), _network, block=4.0, points=16, classes=3, batch=4)
    assert np.allclose(found.sum(axis=1), 1)
    assert block_for(xyz.astype(np.float32), 64) > 0


def _network(blocks: np.ndarray) -> np.ndarray:
    """Probabilities that depend on the point alone: its (absolute) height decides."""
    scores = np.stack([blocks[..., 3], 1 - blocks[..., 3], np.zeros(blocks.shape[:2])], axis=-1)
    return scores / scores.sum(axis=-1, keepdims=True)


def test_probabilities_of_a_pointwise_network_are_its_own() -> None:
    random = np.random.default_rng(0)
    share = random.uniform(size=(700, 1)).astype(np.float32)
    given = Scene(random.uniform(0, 30, (700, 3)).astype(np.float32), share, np.zeros(3))
    found = scene_probabilities(given, _network, block=7.0, points=32, classes=3, batch=5)
    assert np.allclose(found, np.c_[share, 1 - share, np.zeros(700)], atol=1e-5)


def test_a_scene_is_left_between_two_batches() -> None:
    """Ctrl-C on a cloud waited for its whole tile, a quarter of a minute of work."""
    given = scene(np.random.default_rng(0).uniform(0, 30, (900, 3)))
    seen = 0

    def network(blocks: np.ndarray) -> np.ndarray:
        nonlocal seen
        seen += 1
        return np.full((*blocks.shape[:2], 3), 1 / 3)

    def stop() -> None:
        if seen:
            raise KeyboardInterrupt

    with checked_by(stop), pytest.raises(KeyboardInterrupt):
        scene_probabilities(given, network, block=5.0, points=16, classes=3, batch=4)
    assert seen == 1
    with checked_by(stop), pytest.raises(KeyboardInterrupt):
        spread(given.xyz, given, np.ones((len(given), 3), np.float32), 3)


def test_core_gets_what_the_whole_gets() -> None:
    random = np.random.default_rng(0)
    given = scene(random.uniform(0, 30, (900, 3)))

    def context(blocks: np.ndarray) -> np.ndarray:  # depends on the other points of the block
        share = 1 / (1 + np.exp(-blocks[..., :3].mean(axis=(1, 2))))
        return np.broadcast_to(np.stack([share, 1 - share], -1)[:, None], (*blocks.shape[:2], 2))

    settings = {"block": 6.0, "points": 32, "classes": 2, "batch": 3}
    whole = scene_probabilities(given, context, **settings)
    core = np.array([[10.0, 10], [20, 20]])
    part = scene_probabilities(given, context, core=core, **settings)
    inside = ((given.xyz[:, :2] >= core[0]) & (given.xyz[:, :2] < core[1])).all(axis=1)
    assert inside.sum() > 50
    assert np.allclose(whole[inside], part[inside], atol=1e-6)


def test_spread_gives_points_their_own_and_others_the_nearest() -> None:
    given = scene(np.array([[0.0, 0, 0], [10, 0, 0]]))
    values = np.array([[1.0, 0], [0, 1]], dtype=np.float32)
    found = spread(np.array([[0.0, 0, 0], [10, 0, 0], [2, 0, 0]]), given, values, 3)
    assert np.allclose(found[:2], values, atol=1e-6)
    assert np.allclose(found[2], [(1 / 4) / (1 / 4 + 1 / 64), (1 / 64) / (1 / 4 + 1 / 64)])


def test_training_blocks_come_from_rare_classes_as_often_as_from_others() -> None:
    random = np.random.default_rng(0)
    xyz = random.uniform(0, 100, (5000, 3))
    target = (xyz[:, 0] > 99).astype(np.uint8)  # one percent, at one edge
    sampler = BlockSampler([scene(xyz, target)], block=4.0, points=32, balance=1.0, classes=2)
    centres = np.array([sampler.draw(np.random.default_rng(seed))[2] for seed in range(300)])
    assert 0.4 < (centres[:, 0] > 97).mean() < 0.6
    even = BlockSampler([scene(xyz, target)], block=4.0, points=32, balance=0.0, classes=2)
    centres = np.array([even.draw(np.random.default_rng(seed))[2] for seed in range(300)])
    assert (centres[:, 0] > 97).mean() < 0.1
    assert len(even) == 5000 // 32


def test_sparse_cloud_ends() -> None:
    sampler = BlockSampler(
        [scene(np.zeros((1, 3)), np.zeros(1, np.uint8))], block=1.0, points=64, balance=0.5, classes=2
    )
    given, index, centre = sampler.draw(np.random.default_rng(0))
    assert index.tolist() == [0] * 64
    assert block_input(given, index, centre).shape == (64, 4)
    assert len(sampler) == 1


def test_block_holds_about_as_many_points_as_asked() -> None:
    xyz = np.random.default_rng(0).uniform(0, 50, (20000, 3)).astype(np.float32)
    side = block_for(xyz, 500)
    assert density(xyz, 2.0) == pytest.approx(8, rel=0.01)
    assert side == pytest.approx((500 / 8) ** 0.5, rel=0.03)


def test_features_that_are_missing_are_named() -> None:
    given = cloud()
    with pytest.raises(
        DataError, match=r"color \(needs red, green, blue\); returns \(needs return_number, number_of_ret"
    ):
        compute(given, ("color", "returns", "intensity"), bounds=np.zeros((2, 3)), neighbours=8)
    with pytest.raises(DataError, match=r"does not have: returns \(needs"):
        compute(given, ("color", "returns"), bounds=np.zeros((2, 3)), neighbours=8, optional=("color",))
    found = compute(given, ("color", "intensity"), bounds=np.zeros((2, 3)), neighbours=8, optional=("color",))
    assert not found[:, :3].any()
    assert np.array_equal(found[:, 3:], compute(given, ("intensity",), bounds=np.zeros((2, 3)), neighbours=8))
    with pytest.raises(UsageError, match="Did you mean 'intensity'"):
        check_features(["intensty"])
    with pytest.raises(UsageError, match="named twice"):
        check_features(["height", "height"])
    assert channels(["height", "color", "shape"]) == 3 + 1 + 3 + 5


def test_features_by_hand() -> None:
    fields = {
        "red": np.array([0, 255], np.uint8), "green": np.array([51, 0], np.uint8), "blue": np.array([0, 0], np.uint8),
        "infrared": np.array([255, 85], np.uint8), "intensity": np.array([0, 65535], np.uint16),
        "return_number": np.array([1, 7], np.uint8), "number_of_returns": np.array([7, 7], np.uint8),
    }  # fmt: skip
    given = PointCloud(np.array([[0.0, 0, 0], [4, 2, 1]]), fields, None, 255.0)
    bounds = np.array([[0.0, 0, 0], [8, 2, 0]])
    names = ("color", "infrared", "ndvi", "intensity", "returns", "position")
    found = compute(given, names, bounds=bounds, neighbours=8)
    first = [0, 0.2, 0, 1, 1, 0, 1 / 7, 1, 0, 0, 0]
    second = [1, 0, 0, 1 / 3, -0.5, 1, 1, 1, 0.5, 1, 1e6]
    assert np.allclose(found, [first, second], atol=1e-6)


def test_precision_survives_projected_coordinates() -> None:
    random = np.random.default_rng(0)
    near = random.uniform(0, 10, (300, 3)).round(3)
    far = PointCloud(near + np.array([770_000.0, 6_277_600.0, 0.0]))
    found = prepare(far, CloudPreprocessing(features=(), block=4, points=32))
    assert np.abs(found.xyz.astype(np.float64) + found.origin - far.xyz).max() < 1e-5


def test_nothing_finite() -> None:
    with pytest.raises(DataError, match="no points"):
        is_finite(PointCloud(np.zeros((0, 3))))
    with pytest.raises(DataError, match="no point has finite"):
        is_finite(PointCloud(np.full((2, 3), np.nan)))


def test_augmentation_is_a_function_of_its_seed_and_keeps_distances() -> None:
    random = np.random.default_rng(0)
    block = random.normal(size=(60, 3 + 1 + 3 + 3)).astype(np.float32)
    names = ("height", "color", "normals")
    still = CloudAugment(rotate=180, mirror=0.5, scale=(1, 1), jitter=0, drop=0, color_drop=0, color_shift=0)
    transform = CloudTransform(still, names)
    first, kept = transform(block.copy(), np.random.default_rng(4))
    again, _ = transform(block.copy(), np.random.default_rng(4))
    assert np.array_equal(first, again)
    assert kept.tolist() == list(range(60))
    assert np.allclose(np.linalg.norm(first[:, :3], axis=1), np.linalg.norm(block[:, :3], axis=1), atol=1e-5)
    assert np.allclose((first[:, :3] * first[:, 7:]).sum(1), (block[:, :3] * block[:, 7:]).sum(1), atol=1e-4)
    assert np.array_equal(first[:, 3:7], block[:, 3:7])
    assert not np.allclose(first[:, :2], block[:, :2])


def test_dropped_points_are_replaced_by_others() -> None:
    settings = CloudAugment(rotate=0, mirror=0, scale=(2, 2), jitter=0, drop=0.9, color_drop=0, color_shift=0)
    block = np.random.default_rng(0).normal(size=(50, 3 + 1 + 3)).astype(np.float32)
    out, kept = CloudTransform(settings, ("height", "color"))(block.copy(), np.random.default_rng(1))
    assert out.shape == block.shape
    assert len(np.unique(kept)) < 50
    assert np.allclose(out[:, :4], 2 * block[kept][:, :4], atol=1e-5)  # the height grows with the cloud
    assert np.allclose(out[:, 4:], block[kept][:, 4:])


def test_colours_are_blanked_all_or_but_for_the_visible_ones() -> None:
    settings = CloudAugment(rotate=0, mirror=0, scale=(1, 1), jitter=0, drop=0, color_drop=0.25, color_shift=0)
    transform = CloudTransform(settings, ("infrared", "color", "height", "ndvi"))
    block = np.ones((8, 3 + 1 + 3 + 1 + 1), np.float32)
    out = np.array([transform(block.copy(), np.random.default_rng(seed))[0][0] for seed in range(400)])
    kinds, counts = np.unique(out[:, 3:], axis=0, return_counts=True)
    assert kinds.tolist() == [[0, 0, 0, 0, 1, 0], [0, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]
    assert counts / 400 == pytest.approx([0.25, 0.25, 0.5], abs=0.06)

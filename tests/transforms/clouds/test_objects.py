"""Whole objects: seen alike in any unit and place, every point answered, and only parts of what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import DataError, UsageError
from intarsia.media.clouds import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.transforms.clouds.categories import CATEGORIES, category_index, category_of, only_parts, part_names
from intarsia.transforms.clouds.features import channels, check_features, compute
from intarsia.transforms.clouds.objects import (
    ObjectSampler,
    ObjectScene,
    at_all_points,
    object_input,
    object_probabilities,
    prepare_object,
)

pytest.importorskip("scipy")
MUG = CATEGORIES.index("mug")


def settings_of(*features: str, voxel: float = 0.0, optional: tuple[str, ...] = ()) -> CloudPreprocessing:
    return CloudPreprocessing(
        features=features, block=2.0, points=16, voxel=voxel, neighbours=4, whole=True, optional=optional
    )


def cloud(count: int = 100, category: int | None = MUG, seed: int = 0) -> PointCloud:
    xyz = np.random.default_rng(seed).normal(size=(count, 3)) * (1, 2, 3)
    fields = {} if category is None else {"category": np.full(count, category, np.uint8)}
    return PointCloud(xyz, fields, source="made")


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(1e-3, 1e4), shift=st.tuples(*[st.floats(-1e6, 1e6)] * 3), seed=st.integers(0, 1000),
    count=st.integers(1, 60),
)  # fmt: skip
def test_unit_and_place_do_not_matter(scale: float, shift: tuple[float, ...], seed: int, count: int) -> None:
    given_ = cloud(count, seed=seed)
    one = prepare_object(given_, settings_of("category"))
    other = prepare_object(PointCloud(given_.xyz * scale + shift, given_.fields), settings_of("category"))
    # float64 resolves 1e-10 at 1e6, which is 1e-7 of the smallest objects
    assert np.allclose(one.xyz, other.xyz, atol=1e-5)
    assert np.linalg.norm(one.xyz, axis=1).max() == pytest.approx(1 if count > 1 else 0, abs=1e-5)
    assert np.allclose(one.xyz.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(one.xyz * one.radius + one.origin, given_.xyz, atol=1e-5)


def test_points_in_one_place() -> None:
    found = prepare_object(PointCloud(np.full((5, 3), 7.0)), settings_of())
    assert (found.xyz.tolist(), found.radius, found.category) == ([[0.0, 0.0, 0.0]] * 5, 1.0, None)


def test_inputs_are_coordinates_features_and_category() -> None:
    given_ = cloud()
    normals = np.random.default_rng(1).normal(size=(100, 3))
    given_.fields |= dict(zip(("nx", "ny", "nz"), normals.T, strict=True))
    scene = prepare_object(given_, settings_of("normals", "category"), target=np.zeros(100, np.uint8))
    index = np.array([3, 50, 3])
    found = object_input(scene, index)
    assert found.shape == (3, channels(["normals", "category"])) == (3, 22)
    assert np.array_equal(found[:, :3], scene.xyz[index])
    assert np.allclose(found[:, 3:6], normals[index])
    assert found[:, 6:].tolist() == [[float(place == MUG) for place in range(16)]] * 3
    assert np.array_equal(found[:, 6:], compute(given_, ["category"], bounds=np.zeros((2, 3)), neighbours=4)[:3])


def test_one_kind_of_objects_is_told_nothing() -> None:
    told = settings_of("category", optional=("category",))
    for category in (None, MUG):
        scene = prepare_object(cloud(category=category), told)
        assert not object_input(scene, np.arange(4))[:, 3:].any()
        assert scene.category == category
    with pytest.raises(DataError, match=r"category \(needs category\)"):
        prepare_object(cloud(category=None), settings_of("category"))


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 100), points=st.integers(1, 40), batch=st.integers(1, 5), voxel=st.sampled_from([0.0, 0.5]))
def test_every_point_is_answered_for_itself(count: int, points: int, batch: int, voxel: float) -> None:
    given_ = cloud(count, category=None)
    scene = prepare_object(given_, settings_of(voxel=voxel))
    sizes = []

    def network(blocks: np.ndarray) -> np.ndarray:
        sizes.append(blocks.shape)
        above = (blocks[..., 2] > 0).astype(np.float32)
        return np.stack([1 - above, above], axis=-1)

    found = object_probabilities(scene, network, points=points, names=("below", "above"), batch=batch)
    assert np.array_equal(found.argmax(axis=1), scene.xyz[:, 2] > 0)
    assert np.allclose(found.sum(axis=1), 1)
    assert {size[1] for size in sizes} == {points}
    assert sum(size[0] for size in sizes) == -(-len(scene) // points)
    assert max(size[0] for size in sizes) <= batch
    assert at_all_points(given_, scene, found).shape == (count, 2)


def test_thinned_points_take_the_answer_of_their_neighbours() -> None:
    line = np.column_stack([np.linspace(0, 10, 401), np.zeros((401, 2))])
    scene = prepare_object(PointCloud(line), settings_of(voxel=0.1))
    assert len(scene) < 30
    values = np.stack([scene.xyz[:, 0] < 0, scene.xyz[:, 0] >= 0], axis=1).astype(np.float32)
    every = at_all_points(PointCloud(line), scene, values).argmax(axis=1)
    assert (every == (line[:, 0] >= 5)).mean() > 0.97


def test_only_parts_of_the_category_are_possible() -> None:
    names = ("cap_0", "mug_0", "cap_1", "mug_1")
    given_ = np.array([[0.5, 0.1, 0.3, 0.1], [0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0]], np.float32)
    found = only_parts(given_, names, MUG)
    assert found[:, [0, 2]].tolist() == [[0, 0]] * 3
    assert np.allclose(found[:, [1, 3]], [[0.5, 0.5], [1 / 3, 2 / 3], [0.5, 0.5]])
    assert only_parts(given_, names, None) is given_
    assert only_parts(given_, names, CATEGORIES.index("chair")) is given_
    scene = prepare_object(cloud(10), settings_of("category"))
    network = lambda blocks: np.broadcast_to(given_[0], (*blocks.shape[:2], 4))  # noqa: E731
    every = object_probabilities(scene, network, points=4, names=names, batch=2)
    assert np.allclose(every, found[0], atol=1e-6)


def test_samples_show_objects_alike_or_by_class() -> None:
    labels = [np.zeros(400, np.uint8), np.array([0] * 9 + [1], np.uint8), np.full(10, 255, np.uint8)]
    scenes = [prepare_object(cloud(len(one)), settings_of(), target=one) for one in labels]
    random = np.random.default_rng(0)
    alike = ObjectSampler(scenes, points=16, balance=0, classes=2)
    assert len(alike) == 3
    drawn = [alike.sample(random) for _ in range(600)]
    assert {(block.shape, target.shape) for block, target in drawn} == {((16, 3), (16,))}
    shares = [
        np.mean([(target == 255).any() for _, target in drawn]),
        np.mean([(target == 1).any() for _, target in drawn]),
    ]
    assert shares == pytest.approx([1 / 3, 1 / 3], abs=0.06)
    by_class = ObjectSampler(scenes, points=16, balance=1, classes=2)
    drawn = [by_class.sample(random) for _ in range(600)]
    assert not any((target == 255).any() for _, target in drawn)
    assert np.mean([(target == 1).any() for _, target in drawn]) == pytest.approx(0.75, abs=0.06)


def test_a_sample_holds_every_point_of_a_small_object_and_its_label() -> None:
    target = np.arange(10, dtype=np.uint8)
    scene = prepare_object(cloud(10), settings_of(), target=target)
    block, labels = ObjectSampler([scene], points=16, balance=0, classes=10).sample(np.random.default_rng(0))
    assert set(labels.tolist()) == set(range(10))
    assert np.array_equal(block[:, :3], scene.xyz[labels])


def test_categories() -> None:
    assert category_index("mug") == MUG
    assert part_names("mug") == ("mug_0", "mug_1")
    assert category_of(cloud()) == MUG
    assert category_of(cloud(category=None)) is None
    assert category_of(cloud(0)) is None
    with pytest.raises(UsageError, match=r"no category of objects is named 'mugg'. Did you mean 'mug'"):
        category_index("mugg")
    with pytest.raises(UsageError, match=r"Known: airplane, bag, .*, table"):
        category_index("zzz")
    with pytest.raises(DataError, match="made: its category is 16; categories are 0 to 15"):
        category_of(cloud(category=16))
    mixed = cloud()
    mixed.fields["category"][3] = 2
    with pytest.raises(DataError, match="points are of several categories"):
        prepare_object(mixed, settings_of("category"))
    with pytest.raises(UsageError, match="name it last"):
        check_features(["category", "normals"])


def test_an_object_is_a_scene() -> None:
    scene = prepare_object(cloud(12), settings_of("position"), target=np.ones(12, np.uint8))
    assert isinstance(scene, ObjectScene)
    assert scene.features.shape == (12, 3)
    assert scene.features.min() == 0
    assert scene.features.max() == 1

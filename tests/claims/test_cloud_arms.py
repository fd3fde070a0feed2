"""What the claims about clouds change is what they say they change."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

from benchmarks.claims.clouds import annular, car_scans, objects, order  # noqa: E402
from intarsia.media.clouds import PointCloud  # noqa: E402
from intarsia.models import build  # noqa: E402
from intarsia.models.cloud.acnn import ACNNParts  # noqa: E402
from intarsia.models.cloud.layers import CloudModel  # noqa: E402
from intarsia.transforms.clouds.scene import Scene  # noqa: E402

pytestmark = pytest.mark.needs_torch


def ball(seed: int) -> PointCloud:
    """Points of a sphere, whose normals point outwards."""
    xyz = np.random.default_rng(seed).normal(size=(300, 3))
    xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
    label = (xyz[:, 2] > 0).astype(np.int64)
    return objects.with_normals(PointCloud(xyz, {"category": np.full(300, 2)}, label), xyz)


@pytest.fixture
def balls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "caps", lambda: tuple(ball(seed) for seed in range(4)))


def test_turned_normals_point_to_one_side_of_the_same_line() -> None:
    cap = ball(0)
    before, after = objects.normals_of(cap), objects.normals_of(objects.turned(cap))
    assert (before[:, 2] < 0).any() and (after[:, 2] >= 0).all()
    assert np.array_equal(np.abs(before), np.abs(after))
    assert np.allclose(np.abs((before * after).sum(1)), 1)


def test_headings_are_rotations_of_points_and_normals() -> None:
    cap, one, other = ball(0), objects.posed(ball(0), 0), objects.posed(ball(0), 1)
    assert np.allclose(one.xyz @ one.xyz.T, cap.xyz @ cap.xyz.T)
    assert np.allclose(one.xyz, objects.normals_of(one))
    assert not np.allclose(one.xyz, other.xyz)
    assert np.allclose(one.xyz[:, 1], cap.xyz[:, 1])
    turn = np.linalg.lstsq(cap.xyz, one.xyz, rcond=None)[0]
    assert np.linalg.det(turn) == pytest.approx(1)


def test_each_cap_is_measured_once_and_never_trained_on(balls: None) -> None:
    pairs = objects.halves(3)
    assert sorted(np.concatenate([test for _, test in pairs]).tolist()) == [0, 1, 2, 3]
    assert all(not set(train.tolist()) & set(test.tolist()) for train, test in pairs)


def test_arms_see_what_they_are_told() -> None:
    halved = annular.ARMS["acnn"].network()
    assert isinstance(halved, ACNNParts)
    assert [level.points for level in (halved.first, halved.second)] == [256, 64]
    assert [ring.neighbours for ring in halved.first.rings] == [8, 24]
    assert annular.ARMS["pointnet"].features == ("category",)
    filed = annular.ARMS["acnn_filed"].change(ball(0), 0)
    assert (objects.normals_of(filed)[:, 2] < 0).any()


def test_training_is_the_same_twice(balls: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "POINTS", 64)

    def network() -> CloudModel:
        model = build("pointnet", classes=2, in_channels=3, transforms=False)
        assert isinstance(model, CloudModel)
        return model

    def found() -> dict[str, float]:
        return objects.cross_validated(network, objects.unchanged, (), steps=1, seed=1)

    assert found() == found()


def test_order_matters_for_random_sampling_alone(balls: None) -> None:
    assert order.measure("pointnet", 0)["moved"] < order.ROUNDING
    assert order.measure("randlanet", 0)["moved"] > order.ROUNDING


def test_weights_of_classes_are_median_frequencies() -> None:
    target = np.array([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 255])
    xyz = np.zeros((len(target), 3), dtype=np.float32)
    scene = Scene(xyz, xyz, np.zeros(3), target)
    assert car_scans.weights([scene], 1).tolist() == [0.25, 0.5, 1, 1, 1, 1]
    assert car_scans.weights([scene], 0.5)[0] == 0.5

"""From a cloud to probabilities of all its points, with a network whose answers are known."""

import numpy as np
import pytest

from intarsia.media.clouds import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.transforms.clouds.labelling import point_probabilities, prepared
from intarsia.transforms.clouds.objects import ObjectScene

pytest.importorskip("scipy")
NAMES = ("low", "high")


def by_height(blocks):
    """Certain of "high" above the middle of the range that a block has."""
    z = blocks[..., 2]
    high = (z > (z.min(axis=1, keepdims=True) + z.max(axis=1, keepdims=True)) / 2).astype(np.float32)
    return np.stack([1 - high, high], axis=-1)


def cloud():
    random = np.random.default_rng(0)
    xyz = random.uniform(0, 10, (600, 3))
    high = np.arange(600) % 3 == 0
    xyz[:, 2] = np.where(high, 5.0, 0.0) + random.uniform(0, 0.1, 600)
    return PointCloud(xyz), high


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("voxel", [0.0, 0.02])
def test_every_point_gets_its_probabilities(whole, voxel):
    points, high = cloud()
    settings = CloudPreprocessing(features=(), block=10.0, points=256, voxel=voxel, whole=whole)
    scene = prepared(points, settings)
    assert isinstance(scene, ObjectScene) == whole
    found = point_probabilities(points, scene, by_height, settings, NAMES, batch_points=512)
    assert found.shape == (600, 2) and np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == high).all()


def test_some_points_of_a_scene():
    points, high = cloud()
    settings = CloudPreprocessing(features=(), block=10.0, points=256, voxel=0.0)
    scene = prepared(points, settings)
    core = np.array([[0.0, 0.0], [5.0, 10.0]])
    wanted = points.xyz[:, 0] < 5
    found = point_probabilities(
        points, scene, by_height, settings, NAMES, batch_points=256, core=core, wanted=wanted
    )  # fmt: skip
    assert len(found) == wanted.sum() and (found.argmax(axis=1) == high[wanted]).all()

"""From a cloud to the class probabilities of each of its points: one way, for validation and prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray
from intarsia.media.clouds.cloud import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.transforms.clouds.blocks import FILL, Network, scene_probabilities, spread
from intarsia.transforms.clouds.geometry import Floats
from intarsia.transforms.clouds.objects import ObjectScene, at_all_points, object_probabilities, prepare_object
from intarsia.transforms.clouds.scene import Scene, prepare


def prepared(
    cloud: PointCloud,
    preprocessing: CloudPreprocessing,
    *,
    target: LabelArray | None = None,
    bounds: NDArray[np.float64] | None = None,
) -> Scene:
    """Make a cloud ready for a model: as a scene that it sees in blocks, or as an object that it sees whole.

    Args:
        cloud: the points; all coordinates finite.
        preprocessing: of the model.
        target: (N,) labels.
        bounds: (2, 3) of the whole scene, of which the cloud may be a part; None: its own. Objects are never parts.

    Raises:
        DataError: fields are missing that the features need.
    """
    if preprocessing.whole:
        return prepare_object(cloud, preprocessing, target=target)
    return prepare(cloud, preprocessing, target=target, bounds=bounds)


def point_probabilities(
    cloud: PointCloud,
    scene: Scene,
    network: Network,
    preprocessing: CloudPreprocessing,
    names: Sequence[str],
    *,
    batch_points: int,
    core: NDArray[np.float64] | None = None,
    wanted: NDArray[np.bool_] | None = None,
) -> Floats:
    """The class probabilities of a cloud's points, also of those that thinning has left out.

    Args:
        cloud: the points.
        scene: what `prepared` made of them.
        network: blocks (B, P, 3 + F) to probabilities (B, P, C).
        preprocessing: of the model.
        names: the classes.
        batch_points: points that the network sees at once, over all blocks of a batch.
        core: (2, 2) lowest and highest x and y, in the cloud's coordinates, of the points that matter; None: all do.
            Of a scene only.
        wanted: (N,) whose probabilities are returned; None: all points'. Of a scene only.

    Returns:
        (N, C) float32, or as many rows as are wanted; each adds up to 1.
    """
    batch = max(1, batch_points // preprocessing.points)
    if isinstance(scene, ObjectScene):
        found = object_probabilities(scene, network, points=preprocessing.points, names=names, batch=batch)
        return at_all_points(cloud, scene, found)
    found = scene_probabilities(
        scene, network, block=preprocessing.block, points=preprocessing.points, classes=len(names), batch=batch,
        core=None if core is None else core - scene.origin[:2],
    )  # fmt: skip
    if wanted is None and len(found) == len(cloud):
        return found
    xyz = (cloud.xyz if wanted is None else cloud.xyz[wanted]) - scene.origin
    return spread(xyz, scene, found, FILL)

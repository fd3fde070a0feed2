"""Whole objects: each cloud is one thing, seen at once in the unit sphere, as networks of parts are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray
from intarsia.media.clouds.cloud import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.stopping import checkpoint
from intarsia.transforms.clouds.blocks import FILL, Network, fill, labels_of, spread
from intarsia.transforms.clouds.categories import FIELD, category_of, only_parts
from intarsia.transforms.clouds.features import compute
from intarsia.transforms.clouds.geometry import Floats
from intarsia.transforms.clouds.scene import Scene, prepare

DIAMETER = 2.0
"""Side of a block that holds the unit sphere."""


@dataclass(frozen=True)
class ObjectScene(Scene):
    """One object: `xyz` in the unit sphere, `origin` its centroid in the file's coordinates.

    Attributes:
        radius: of the object in the file's units.
        common: (K,) features that are the same for all points; they come last.
        category: index of what it is, if that is known.
    """

    radius: float = 1.0
    common: Floats = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    category: int | None = None


def prepare_object(
    cloud: PointCloud, preprocessing: CloudPreprocessing, *, target: LabelArray | None = None
) -> ObjectScene:
    """Move an object's centroid to the origin, scale its farthest point to 1, thin it and compute its features.

    Args:
        cloud: the points; all coordinates finite.
        preprocessing: of the model; its lengths are in radii of the object.
        target: (N,) labels.

    Raises:
        DataError: fields are missing that the features need, or its category is none.
    """
    centre = cloud.xyz.mean(axis=0)
    away = cloud.xyz - centre
    radius = float(np.sqrt(np.square(away).sum(axis=1).max())) or 1.0
    unit = replace(cloud, xyz=away / radius)
    told = FIELD in preprocessing.features
    own = tuple(name for name in preprocessing.features if name != FIELD)
    scene = prepare(unit, preprocessing.model_copy(update={"features": own}), target=target)
    # Trained on objects of one kind, a network has not learnt what the category means.
    known = unit.take(slice(1)) if FIELD not in preprocessing.optional else PointCloud(np.zeros((1, 3)))
    common = compute(
        known, (FIELD,) if told else (), bounds=np.zeros((2, 3)), neighbours=preprocessing.neighbours,
        optional=preprocessing.optional,
    )  # fmt: skip
    xyz = (scene.xyz + scene.origin).astype(np.float32)
    return ObjectScene(xyz, scene.features, centre, scene.target, radius, common[0], category_of(cloud))


def object_input(scene: ObjectScene, index: NDArray[np.int64]) -> Floats:
    """(P, 3 + F) of some points of an object."""
    common = np.broadcast_to(scene.common, (len(index), len(scene.common)))
    return np.concatenate([scene.xyz[index], scene.features[index], common], axis=1)


class ObjectSampler:
    """Random points of labelled objects, each object as often as any other.

    Args:
        scenes: with targets.
        points: of a sample.
        balance: share of the samples whose object is drawn among those that hold a class drawn evenly among all that
            occur.
        classes: number of classes; other labels are not drawn on purpose.
    """

    def __init__(self, scenes: Sequence[ObjectScene], *, points: int, balance: float, classes: int) -> None:
        self.scenes, self.points, self.balance, self.classes = scenes, points, balance, classes

    def __len__(self) -> int:
        return len(self.scenes)

    @cached_property
    def _holders(self) -> list[list[int]]:
        """The objects that hold each class that occurs."""
        found: list[list[int]] = [[] for _ in range(self.classes)]
        for number, scene in enumerate(self.scenes):
            for label in np.unique(labels_of(scene)):
                if label < self.classes:
                    found[label].append(number)
        return [holders for holders in found if holders]

    def sample(self, random: np.random.Generator) -> tuple[Floats, LabelArray]:
        """A network's input (P, 3 + F) and its labels (P,)."""
        among: Sequence[int] = range(len(self.scenes))
        if random.random() < self.balance and self._holders:
            among = self._holders[int(random.integers(len(self._holders)))]
        scene = self.scenes[among[int(random.integers(len(among)))]]
        index = fill(np.arange(len(scene)), self.points, random)
        return object_input(scene, index), labels_of(scene)[index]


def object_probabilities(
    scene: ObjectScene, network: Network, *, points: int, names: Sequence[str], batch: int
) -> Floats:
    """The class probabilities of every point, averaged over the samples that hold it.

    A sample is spread over the whole object; together they hold every point. Where the category is known, only its
    parts are possible.

    Args:
        scene: the object.
        network: samples (B, P, 3 + F) to probabilities (B, P, C).
        points: P.
        names: the classes.
        batch: B, at most.

    Returns:
        (N, C) float32; each row adds up to 1.
    """
    count = len(scene)
    order = np.random.default_rng(count).permutation(count)
    samples = -(-count // points)
    starts = np.arange(samples) * count // samples
    total = np.zeros((count, len(names)), dtype=np.float32)
    for first in range(0, samples, batch):
        checkpoint()
        index = order[(starts[first : first + batch, None] + np.arange(points)) % count]
        found = network(np.stack([object_input(scene, one) for one in index]))
        np.add.at(total, index, found)
    total /= total.sum(axis=1, keepdims=True)
    return only_parts(total, names, scene.category)


def at_all_points(cloud: PointCloud, scene: ObjectScene, values: Floats) -> Floats:
    """Values (n, C) of an object's points at every point (N, 3) of its cloud, which thinning may have left out."""
    if len(values) == len(cloud):
        return values
    return spread((cloud.xyz - scene.origin) / scene.radius, scene, values, FILL)

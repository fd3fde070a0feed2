"""Blocks: the fixed number of points that a network sees at once, drawn for training or in windows over a scene."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import require
from intarsia.labels import LabelArray
from intarsia.stopping import checkpoint
from intarsia.transforms.clouds.columns import Columns, Index, occupancy
from intarsia.transforms.clouds.geometry import Floats
from intarsia.transforms.clouds.scene import Scene

# Part of a column that windows move on by: every point is seen by four of them.
OVERLAP = 0.5
_LEAST_WEIGHT = 0.05
_LEAST_POINTS = 128
_SPARSE = 4  # a square with fewer points than half of this part of a block (or of the smallest block) is nearly empty
FILL = 3
"""Neighbours that a point which thinning has left out takes its class from."""
_SPREAD_ROWS = 1 << 18
Network = Callable[[Floats], Floats]


def fill(index: Index, points: int, random: np.random.Generator) -> Index:
    """Exactly `points` of some indices: without repeats if there are enough, else each at least once."""
    if len(index) >= points:
        return random.choice(index, points, replace=False)
    return np.concatenate([index, random.choice(index, points - len(index))])


def labels_of(scene: Scene) -> LabelArray:
    """The targets (N,) of a scene that is trained on."""
    if scene.target is None:
        raise ValueError("training scenes have targets")
    return scene.target


def block_input(scene: Scene, index: Index, centre: Floats) -> Floats:
    """(P, 3 + F) of some points: x and y from the centre, z from the lowest of them (but for 1 %), features."""
    xyz = scene.xyz[index]
    floor = np.partition(xyz[:, 2], len(xyz) // 100)[len(xyz) // 100]
    origin = np.array([centre[0], centre[1], floor], dtype=np.float32)
    return np.concatenate([xyz - origin, scene.features[index]], axis=1)


class BlockSampler:
    """Random blocks of labelled scenes.

    Args:
        scenes: with targets.
        block: side of a column in metres.
        points: of a block.
        balance: share of the blocks whose centre is a point of a class drawn evenly among all that occur; the other
            centres are drawn evenly among all points.
        classes: number of classes; other labels are not drawn on purpose.
    """

    def __init__(self, scenes: Sequence[Scene], *, block: float, points: int, balance: float, classes: int) -> None:
        self.scenes, self.block, self.points, self.balance, self.classes = scenes, block, points, balance, classes
        self._ends = np.cumsum([len(scene) for scene in scenes])
        self._columns: dict[int, Columns] = {}

    def __len__(self) -> int:
        """Count the blocks that it takes to show as many points as there are."""
        return max(1, int(self._ends[-1]) // self.points)

    @cached_property
    def _members(self) -> list[Index]:
        """The points of each class that occurs, numbered through all scenes."""
        labels = np.concatenate([scene.target for scene in self.scenes if scene.target is not None])
        found = [np.flatnonzero(labels == label) for label in range(self.classes)]
        return [members for members in found if len(members)]

    def draw(self, random: np.random.Generator) -> tuple[Scene, Index, Floats]:
        """A scene, the indices of a block's points in it, and the block's centre (x, y)."""
        if random.random() < self.balance and self._members:
            point = int(random.choice(self._members[random.integers(len(self._members))]))
        else:
            point = int(random.integers(self._ends[-1]))
        number = int(np.searchsorted(self._ends, point, "right"))
        scene = self.scenes[number]
        place = point - (int(self._ends[number - 1]) if number else 0)
        centre = scene.xyz[place, :2] + random.uniform(-0.25, 0.25, 2).astype(np.float32) * self.block
        if number not in self._columns:
            self._columns[number] = Columns(scene.xyz, self.block)
        return scene, fill(self._columns[number].around(centre), self.points, random), centre

    def sample(self, random: np.random.Generator) -> tuple[Floats, LabelArray]:
        """A network's input (P, 3 + F) and its labels (P,)."""
        scene, index, centre = self.draw(random)
        return block_input(scene, index, centre), labels_of(scene)[index]


class Window(NamedTuple):
    """What a network sees at once.

    Attributes:
        centre: (x, y).
        places: (P,) of its points in the scene; where there are too few, some come several times.
        wanted: (P,) whose classes are asked for; the others are their surroundings.
    """

    centre: Floats
    places: Index
    wanted: NDArray[np.bool_]


def block_sizes(points: int) -> list[int]:
    """The numbers of points of blocks, the largest first: half as many as often as it fits."""
    sizes = [points]
    while sizes[-1] // 2 >= _LEAST_POINTS:
        sizes.append(sizes[-1] // 2)
    return sizes


def windows(xyz: Floats, side: float, points: int, core: NDArray[np.floating] | None = None) -> Iterator[Window]:
    """Blocks that together hold every point several times.

    A column with more points than a block holds is dealt out to several blocks, each spread over all of it. The deal
    depends on the centre alone. Columns with few points get smaller blocks, half the size as often as it fits: filled
    up, a block would be copies, whose nearest neighbours are each other. Where the ground is nearly empty, columns do
    not overlap: each would cost as much as a full one of that size.

    Args:
        xyz: (N, 3) the points.
        side: of a column in metres.
        points: of a block, at most.
        core: (2, 2) lowest and highest x and y; columns that do not touch it are left out.
    """
    lonely = occupancy(xyz, side) < min(_LEAST_POINTS, points // _SPARSE) // 2
    if not lonely.all():
        columns = Columns(xyz, side)
        for centre in columns.centres(side * OVERLAP):
            if _touches(centre, side, core):
                yield from _blocks(centre, columns.around(centre), ~lonely, points)
    if lonely.any():
        places = np.flatnonzero(lonely)
        cells = np.floor(xyz[places, :2] / side).astype(np.int64)
        order = np.lexsort((cells[:, 1], cells[:, 0]))
        places, cells = places[order], cells[order]
        starts = np.flatnonzero((np.diff(cells, axis=0) != 0).any(axis=1)) + 1
        for cell, index in zip(cells[[0, *starts]], np.split(places, starts), strict=True):
            centre = ((cell + 0.5) * side).astype(np.float32)
            if _touches(centre, side, core):
                yield from _blocks(centre, np.sort(index), lonely, points)


def _touches(centre: Floats, side: float, core: NDArray[np.floating] | None) -> bool:
    return core is None or bool((np.abs(centre - centre.clip(*core)) <= side / 2).all())


def _blocks(centre: Floats, index: Index, wanted: NDArray[np.bool_], points: int) -> Iterator[Window]:
    """Deal the points of a column out, if any of them is wanted."""
    if not wanted[index].any():
        return
    random = np.random.default_rng(np.abs(np.round(centre * 1000)).astype(np.int64).tolist())
    random.shuffle(index)
    for part in np.array_split(index, -(-len(index) // points)):
        filled = fill(part, min(size for size in block_sizes(points) if size >= len(part)), random)
        yield Window(centre, filled, wanted[filled])


def scene_probabilities(
    scene: Scene,
    network: Network,
    *,
    block: float,
    points: int,
    classes: int,
    batch: int,
    core: NDArray[np.floating] | None = None,
) -> Floats:
    """The class probabilities of every point, averaged over the windows that see it.

    A window's weight falls from its centre to its border, where a network knows least of the surroundings.

    Args:
        scene: the points.
        network: blocks (B, P, 3 + F) to probabilities (B, P, C).
        block: side of a window in metres.
        points: P.
        classes: C.
        batch: B, at most; of smaller blocks, as many as hold the same number of points.
        core: (2, 2) lowest and highest x and y of the points that matter; None: all do.

    Returns:
        (N, C) float32; each row adds up to 1 (outside the core, rows may be 0).
    """
    total = np.zeros((len(scene), classes), dtype=np.float32)
    groups: dict[int, list[Window]] = defaultdict(list)

    def run(waiting: list[Window]) -> None:
        found = network(np.stack([block_input(scene, one.places, one.centre) for one in waiting]))
        for (centre, index, wanted), probabilities in zip(waiting, found, strict=True):
            away = np.abs(scene.xyz[index, :2] - centre) / (block / 2)
            weight = np.prod(np.clip(1 - away, _LEAST_WEIGHT, 1), axis=1) * wanted
            np.add.at(total, index, probabilities * weight[:, None])
        waiting.clear()

    for window in windows(scene.xyz, block, points, core):
        checkpoint()
        size = len(window.places)
        groups[size].append(window)
        if len(groups[size]) * size >= batch * points:
            run(groups[size])
    for waiting in groups.values():
        if waiting:
            checkpoint()
            run(waiting)
    total /= np.maximum(total.sum(axis=1, keepdims=True), 1e-12)
    return total


def spread(xyz: NDArray[np.floating], scene: Scene, values: Floats, neighbours: int) -> Floats:
    """Values (n, C) of a scene's points at any points (N, 3) from the same origin, by the nearest of them.

    Weights fall with the squared distance; a point of the scene keeps its own values.
    """
    tree = require("scipy.spatial", "clouds").cKDTree(scene.xyz)
    found = np.empty((len(xyz), values.shape[1]), dtype=np.float32)
    count = min(neighbours, len(scene))
    for start in range(0, len(xyz), _SPREAD_ROWS):
        checkpoint()
        rows = slice(start, start + _SPREAD_ROWS)
        distance, index = tree.query(xyz[rows], k=[*range(1, count + 1)])
        weight = 1 / np.maximum(distance, 1e-4) ** 2
        weight /= weight.sum(axis=1, keepdims=True)
        found[rows] = np.einsum("nk,nkc->nc", weight, values[index])
    return found

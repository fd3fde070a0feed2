"""Cores of lines: from a map of text to one label a line; what is in one piece but two lines is split, and rejoined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.stopping import checkpoint

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_LOW, _SURE = 0.3, 0.5
_LEVELS = (0.45, 0.6, 0.75, 0.88)
_OVERLAP = 0.3  # of the shorter of two pieces, beyond which they are no parts of one line
HEIGHT = 2.5  # of a line, in thicknesses of its core
_MARK = 0.4  # of most lines' height; what is lower, and no longer than that height, is no line
_STEEPEST = 0.5  # rise a column, that a line goes on with
_GAP, _ALIGNED = 1.0, 0.75  # of lines' heights, and of their thicknesses


@dataclass(frozen=True)
class Core:
    """The middle of one line.

    Attributes:
        label: in the map of labels.
        left: first column.
        centre: (n,) y of the middle, a column each from `left` on.
        thickness: in pixels.
    """

    label: int
    left: int
    centre: Floats
    thickness: float

    @property
    def right(self) -> int:
        """The column after the last."""
        return self.left + self.length

    @property
    def length(self) -> int:
        """Columns."""
        return len(self.centre)

    @property
    def height(self) -> float:
        """Of the line, tails of letters left out."""
        return HEIGHT * self.thickness

    def at(self, x: NDArray[Any] | float) -> NDArray[np.float64]:
        """The middle's y at any x; beyond its ends it goes on straight."""
        x = np.asarray(x, np.float64)
        inner = np.interp(x, np.arange(self.left, self.right), self.centre)
        before, after = np.minimum(x - self.left, 0), np.maximum(x - self.right + 1, 0)
        rise, rise_after = self._slopes
        return np.asarray(inner + before * rise + after * rise_after, np.float64)

    @cached_property
    def _slopes(self) -> tuple[float, float]:
        """Rise per column at both ends; kept, as each core is compared with many others."""
        return self._slope(0), self._slope(-1)

    def _slope(self, end: int) -> float:
        some = max(2, round(4 * self.height))
        part = self.centre[:some] if end == 0 else self.centre[-some:]
        if len(part) < 2 * self.thickness:
            return 0.0
        return float(np.clip(np.polyfit(np.arange(len(part)), part, 1)[0], -_STEEPEST, _STEEPEST))


def find_cores(text: Floats, rules: NDArray[np.bool_] | None = None) -> tuple[Ints, list[Core]]:
    """Find the middles of lines.

    Args:
        text: (h, w) probability that a pixel lies in the middle of a line of text.
        rules: (h, w), where vertical rules are, as of tables: no line goes across them.

    Returns:
        (h, w) labels, 0 where there is no line, and the core of each.
    """
    rules = np.zeros(text.shape, np.bool_) if rules is None else rules
    labels, count = _pieces(np.where(rules, 0, text).astype(np.float32))
    cores = _without_marks(_measure(labels, count, text))
    parents = _joined(cores, rules)
    return _relabelled(labels, parents, text)


def _pieces(text: Floats) -> tuple[Ints, int]:
    """Connected pieces of text; those that hold several lines, one above the other, are split where text is unsure."""
    count, labels = cv2.connectedComponents((text > _LOW).astype(np.uint8), connectivity=4)
    sure = np.zeros(count, np.bool_)
    sure[labels[text > _SURE]] = True
    found = np.where(sure[labels], labels, 0).astype(np.int32)
    for level in _LEVELS:
        checkpoint()
        found, count = _split(found, count, text > level)
    return found, count


def _split(labels: Ints, count: int, higher: NDArray[np.bool_]) -> tuple[Ints, int]:
    """Split the pieces that fall, at a higher level, into parts above one another; each pixel goes to the nearest."""
    seeds_count, seeds, boxes, _ = cv2.connectedComponentsWithStats(
        (higher & (labels > 0)).astype(np.uint8), connectivity=4
    )
    ys, xs = np.nonzero(seeds)
    parent = np.zeros(seeds_count, np.int32)
    parent[seeds[ys, xs]] = labels[ys, xs]
    left, width = boxes[:, cv2.CC_STAT_LEFT], boxes[:, cv2.CC_STAT_WIDTH]
    large = width >= 2 * boxes[:, cv2.CC_STAT_HEIGHT]
    chosen: list[int] = []
    order = np.argsort(parent, kind="stable")
    for parts in np.split(order, np.flatnonzero(np.diff(parent[order])) + 1):
        if parent[parts[0]] and _overlap(left[parts][large[parts]], width[parts][large[parts]]):
            chosen += parts.tolist()
    if not chosen:
        return labels, count
    divided = np.isin(labels, np.unique(parent[chosen]))
    keep = np.zeros(seeds_count, np.bool_)
    keep[chosen] = True
    nearest = nearest_label(np.where(keep[seeds], seeds, 0).astype(np.int32))[0]
    # One piece of the plane a seed: what is nearest to a seed of another piece stays with its own.
    found = np.where(divided & (parent[nearest] == labels), nearest + count, labels).astype(np.int32)
    names, inverse = np.unique(found, return_inverse=True)
    return inverse.reshape(labels.shape).astype(np.int32), len(names)


def _overlap(left: NDArray[Any], width: NDArray[Any]) -> bool:
    """Whether any two spans overlap by a good part of the shorter one."""
    right = left + width
    shared = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    shorter = np.minimum(width[:, None], width)
    np.fill_diagonal(shared, 0)
    return bool((shared > _OVERLAP * shorter).any())


def nearest_label(labels: Ints) -> tuple[Ints, Floats]:
    """The label that is nearest to each pixel, and how far it is."""
    free = (labels == 0).astype(np.uint8)
    if free.all():
        return labels.copy(), np.full(labels.shape, np.inf, np.float32)
    distance, nearest = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    names = np.zeros(int(nearest.max()) + 1, np.int32)
    names[nearest[free == 0]] = labels[free == 0]
    return names[nearest], np.asarray(distance, np.float32)


def _measure(labels: Ints, count: int, text: Floats) -> list[Core]:
    """The core of every label that has pixels, by its middle in each column."""
    width = labels.shape[1]
    ys, xs = np.nonzero(labels)
    key = labels[ys, xs].astype(np.int64) * width + xs
    weight = text[ys, xs].astype(np.float64)
    sums = np.bincount(key, weight, count * width).reshape(count, width)
    means = np.bincount(key, weight * ys, count * width).reshape(count, width)
    sizes = np.bincount(key, minlength=count * width).reshape(count, width)
    cores = []
    for label in range(1, count):
        columns = np.flatnonzero(sizes[label])
        if not len(columns):
            continue
        thickness = float(np.median(sizes[label][columns]))
        span = np.arange(columns[0], columns[-1] + 1)
        centre = np.interp(span, columns, means[label][columns] / sums[label][columns])
        window = 2 * round(HEIGHT * thickness) + 1
        centre = _smoothed(centre, window)
        cores.append(Core(label, int(columns[0]), centre.astype(np.float32), thickness))
    return cores


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Running mean of a curve that goes on straight beyond its ends."""
    window = min(window, 2 * ((len(values) - 1) // 2) + 1)
    if window < 3:
        return values
    half = window // 2
    slope = np.polyfit(np.arange(len(values)), values, 1)[0] if len(values) > 2 else 0.0
    steps = slope * np.arange(1, half + 1)
    around = np.concatenate([values[0] - steps[::-1], values, values[-1] + steps])
    return np.convolve(around, np.full(window, 1 / window), mode="valid")


def _without_marks(cores: list[Core]) -> list[Core]:
    """The cores that are no mere accents, dots and strokes between lines."""
    length = np.array([len(core.centre) for core in cores], np.float64)
    height = np.array([core.height for core in cores])
    if not len(cores):
        return cores
    order = np.argsort(height)
    tall = height[order][np.searchsorted(np.cumsum(length[order]), length.sum() / 2)]
    return [core for core, long, high in zip(cores, length, height, strict=True) if high > _MARK * tall or long > tall]


def _joined(cores: list[Core], rules: NDArray[np.bool_]) -> dict[int, int]:
    """From each label to that of the line it is a part of: neighbours that go on in each other's direction are one."""
    parents = {core.label: core.label for core in cores}

    def root(label: int) -> int:
        while parents[label] != label:
            label = parents[label]
        return label

    pairs = []
    for a, b in _neighbours(cores):
        cost = _cost(a, b)
        if cost is not None and not _crosses(a, b, rules):
            pairs.append((cost, a.label, b.label))
    followed: set[int] = set()
    preceded: set[int] = set()
    for _, one, next_one in sorted(pairs):
        if one not in followed and next_one not in preceded and root(one) != root(next_one):
            followed.add(one)
            preceded.add(next_one)
            parents[root(next_one)] = root(one)
    return {label: root(label) for label in parents}


def _neighbours(cores: list[Core]) -> Iterator[tuple[Core, Core]]:
    """Pairs of which the second may go on where the first ends, by their boxes: thousands of cores have millions."""
    left, length = np.array([core.left for core in cores]), np.array([core.length for core in cores])
    thick = np.array([core.thickness for core in cores])
    top, bottom = (np.array([pick(core.centre) for core in cores]) for pick in (np.min, np.max))
    for index, core in enumerate(cores):
        checkpoint()
        gap, thickness = left - core.right, np.maximum(thick, core.thickness)
        apart = np.maximum(top - bottom[index], top[index] - bottom)
        risen = _STEEPEST * np.maximum(gap, 0)  # at most, of both together until they meet halfway
        near = (
            (left > core.left) & (gap <= _GAP * HEIGHT * thickness) & (gap >= -0.5 * np.minimum(length, core.length))
            & (apart <= _ALIGNED * thickness + risen + 1)
        )  # fmt: skip
        yield from ((core, cores[other]) for other in np.flatnonzero(near))


def _cost(a: Core, b: Core) -> float | None:
    """How unlikely it is that b goes on where a ends; None if it does not."""
    gap, height, thickness = b.left - a.right, max(a.height, b.height), max(a.thickness, b.thickness)
    middle = (a.right + b.left) / 2
    step = abs(float(a.at(middle) - b.at(middle)))
    return None if step > _ALIGNED * thickness else max(gap, 0) / height + step / thickness


def _crosses(a: Core, b: Core, rules: NDArray[np.bool_]) -> bool:
    """Whether a rule stands between the end of a and the start of b."""
    y = int(np.clip((a.centre[-1] + b.centre[0]) / 2, 0, len(rules) - 1))
    return bool(rules[y, max(a.right - 1, 0) : b.left + 1].any())


def typical_height(text: Floats) -> float:
    """The height of most lines, weighted by their length; 0 if there is none."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats((text > _LOW).astype(np.uint8), connectivity=4)
    width, area = boxes[1:, cv2.CC_STAT_WIDTH], boxes[1:, cv2.CC_STAT_AREA]
    if not len(width):
        return 0.0
    order = np.argsort(area / width)
    middle = np.searchsorted(np.cumsum(width[order]), width.sum() / 2)
    return float(HEIGHT * (area / width)[order][middle])


def _relabelled(labels: Ints, parents: dict[int, int], text: Floats) -> tuple[Ints, list[Core]]:
    """Labels from 1 on of the joined lines, and their cores."""
    roots = sorted(set(parents.values()))
    table = np.zeros(int(labels.max()) + 1, np.int32)
    for label, parent in parents.items():
        table[label] = roots.index(parent) + 1
    found = table[labels]
    return found, _measure(found, len(roots) + 1, text)

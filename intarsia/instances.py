"""Instances: the separate things of a label map, numbered, split where they touch, and measured. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import DataError, UsageError, require, suggest

Numbers = NDArray[np.int32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

NEIGHBOURS = {2: (4, 8), 3: (6, 26)}
"""Of an element, by the number of axes: those beside it, and those that touch it by a corner too."""


@dataclass(frozen=True)
class Instance:
    """One thing.

    Attributes:
        number: in the map of numbers, from 1.
        label: its class index.
        size: elements.
        centre: mean index of its elements along each axis.
        box: first index, and the one after the last, along each axis.
    """

    number: int
    label: int
    size: int
    centre: tuple[float, ...]
    box: tuple[tuple[int, int], ...]


NECK = 0.2
"""Usual share for `number_instances`: chosen on halves of Penn-Fudan and ISBI 2012."""

_STUFF = frozenset(
    {
        "background", "sky", "road", "pavement", "sidewalk", "building", "wall", "fence", "pole", "tree", "vegetation",
        "grass", "terrain", "ground", "earth", "field", "floor", "ceiling", "water", "sea", "river", "lake", "sand",
        "snow", "mountain", "hill", "forest", "soil", "membrane",
    }
)  # fmt: skip


def thing_classes(names: Sequence[str]) -> list[int]:
    """The classes that have instances: all but the background, which is the class of that name, or the first."""
    background = next((index for index, name in enumerate(names) if name.lower() == "background"), 0)
    return [index for index in range(len(names)) if index != background]


def countable_classes(names: Sequence[str], of: Sequence[str] = ()) -> list[int]:
    """The classes that are told apart thing by thing: those of `of`; or all but what is known to be no thing.

    Where no class is known to be none, see `thing_classes`.

    Raises:
        UsageError: there is no such class, or none is left.
    """
    for name in of:
        if name not in names:
            raise UsageError(f"there is no class {name!r}.{suggest(name, names)}")
    if of:
        return [names.index(name) for name in dict.fromkeys(of)]
    found = [index for index, name in enumerate(names) if name.lower() not in _STUFF]
    if len(found) == len(names):
        found = thing_classes(names)
    if not found:
        raise UsageError(f"none of the classes ({', '.join(names[:12])}) is known to have things: name those that do")
    return found


def number_instances(
    labels: ArrayLike,
    classes: Iterable[int],
    *,
    neighbours: int | None = None,
    least: int = 1,
    distance: float | None = None,
    neck: float | None = None,
) -> Numbers:
    """Number the connected components of each class; two classes never share an instance.

    Args:
        labels: (H, W) or (D, H, W) class indices.
        classes: those whose things are numbered.
        neighbours: of an element: 4 (sides) or 8 (corners too) in pictures, 6 or 26 in volumes; None takes the larger.
        least: smallest number of elements; what is smaller is no instance. Parts of what was split count alone.
        distance: split things that touch: every part has a middle (of its distance to the outside), and middles of one
            component are at least so many elements apart; None splits nothing. The border between two parts runs along
            the watershed of the distance (Vincent & Soille 1991).
        neck: split things that touch, of any size: where the way from one middle to the other is nowhere deeper than
            this share (0..1) of the lesser middle's depth; None splits nothing. Instead of `distance`.

    Returns:
        Numbers from 1 in the order of the classes, 0 elsewhere; of the shape of `labels`.

    Raises:
        UsageError: an option is out of range, or a package that volumes or splitting need is not installed.
        DataError: not two or three axes, or the labels are no integers.
    """
    array = np.asarray(labels)
    if array.ndim not in NEIGHBOURS or array.dtype.kind not in "biu":
        raise DataError(f"instances are of labels (H, W) or (D, H, W), integers, not {array.shape} {array.dtype}")
    sides, corners = NEIGHBOURS[array.ndim]
    if neighbours not in (None, sides, corners):
        raise UsageError(f"an element of {array.ndim} axes has {sides} or {corners} neighbours, not {neighbours}")
    if least < 1:
        raise UsageError(f"the smallest instance has at least 1 element, not {least}")
    if distance is not None and not distance > 0:
        raise UsageError(f"the distance between the middles of parts is above 0, not {distance}")
    if neck is not None and (distance is not None or not 0 < neck < 1):
        raise UsageError(f"a neck is a share between 0 and 1, instead of a distance, not {neck}")
    numbers = np.zeros(array.shape, np.int32)
    total = 0
    for index in classes:
        region = array == index
        if neck is not None:
            parts = _cut(region, _depth(region), neck, neighbours != sides)
        else:
            parts = _components(region, touching=neighbours != sides)
        if distance is not None:
            parts = _split(parts, distance, touching=neighbours != sides)
        parts, count = _large(parts, least)
        np.copyto(numbers, parts + np.int32(total), where=parts > 0)
        total += count
    return numbers


def measure_instances(numbers: Numbers, labels: ArrayLike) -> tuple[Instance, ...]:
    """Size, place and class of every instance, in the order of their numbers.

    Args:
        numbers: as `number_instances` gives them.
        labels: class indices, of the same shape.
    """
    places = np.nonzero(numbers)
    names, first, which, sizes = np.unique(numbers[places], return_index=True, return_inverse=True, return_counts=True)
    classes = np.asarray(labels)[places][first]
    centres, boxes = [], []
    for axis, length in zip(places, numbers.shape, strict=True):
        centres.append(np.bincount(which, axis, minlength=len(names)) / sizes)
        low, high = np.full(len(names), length), np.zeros(len(names), np.intp)
        np.minimum.at(low, which, axis)
        np.maximum.at(high, which, axis + 1)
        boxes.append(list(zip(low.tolist(), high.tolist(), strict=True)))
    return tuple(
        Instance(
            int(number), int(classes[i]), int(sizes[i]), tuple(float(c[i]) for c in centres), tuple(b[i] for b in boxes)
        )
        for i, number in enumerate(names)
    )


def _components(region: Mask, *, touching: bool) -> Numbers:
    """Connected components; `touching` through corners too."""
    if region.ndim == 2:
        parts = cv2.connectedComponents(region.view(np.uint8), connectivity=8 if touching else 4)[1]
    else:
        parts = require("scipy.ndimage", "volumes").label(region, np.ones((3, 3, 3)) if touching else None)[0]
    return np.asarray(parts, np.int32)


def _split(parts: Numbers, distance: float, *, touching: bool) -> Numbers:
    """Cut components where they are narrow between two middles."""
    segmentation, morphology = require("skimage.segmentation", "classical"), require("skimage.morphology", "classical")
    far = _depth(parts > 0)
    # A ridge that rises and falls by less than a pixel is one middle.
    peaks = _components(np.asarray(morphology.h_maxima(far, 1)) > 0, touching=True)
    markers, count = np.zeros(parts.shape, np.int32), 0
    for part, middles in _middles(parts, peaks, far).items():
        for place in _apart(middles, distance) or [_deepest(parts == part, far)]:
            count += 1
            markers[place] = count
    flooded = segmentation.watershed(-far, markers, mask=parts > 0, connectivity=parts.ndim if touching else 1)
    return np.asarray(flooded, np.int32)


def _depth(region: Mask) -> Floats:
    """Distance of every element to the outside; beyond the array is no outside."""
    if region.ndim == 2:
        return np.asarray(cv2.distanceTransform(region.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
    return np.asarray(require("scipy.ndimage", "volumes").distance_transform_edt(region), np.float32)


Place = tuple[int, ...]


def _middles(parts: Numbers, peaks: Numbers, far: NDArray[np.float32]) -> dict[int, list[Place]]:
    """The middles of every component, the deepest first; of a peak of several elements, the one next to their mean."""
    found: dict[int, list[Place]] = {int(part): [] for part in np.unique(parts[parts > 0])}
    spots = measure_instances(peaks, parts)
    for spot in sorted(spots, key=lambda one: -_at(far, one, peaks)[0]):
        found[spot.label].append(_at(far, spot, peaks)[1])
    return found


def _at(far: NDArray[np.float32], spot: Instance, peaks: Numbers) -> tuple[float, Place]:
    """Depth and place of a peak's element next to its centre."""
    box = tuple(slice(low, high) for low, high in spot.box)
    inside = np.argwhere(peaks[box] == spot.number) + [low for low, _ in spot.box]
    nearest = inside[((inside - np.array(spot.centre)) ** 2).sum(1).argmin()]
    place = tuple(int(index) for index in nearest)
    return float(far[place]), place


def _apart(places: list[Place], distance: float) -> list[Place]:
    """Those that are at least `distance` from all that come before them."""
    kept: list[Place] = []
    for place in places:
        if all(sum((a - b) ** 2 for a, b in zip(place, other, strict=True)) >= distance**2 for other in kept):
            kept.append(place)
    return kept


def _deepest(part: Mask, far: NDArray[np.float32]) -> Place:
    return tuple(int(index) for index in np.unravel_index(int(np.where(part, far, 0).argmax()), part.shape))


def _cut(region: Mask, depth: Floats, neck: float, touching: bool) -> Numbers:
    """Basins of the depth, joined again where the way between two is no neck."""
    basins, count = _basins(region, depth, touching)
    peaks = np.zeros(count + 1, np.float32)
    np.maximum.at(peaks, basins.ravel(), depth.ravel())
    root = np.arange(count + 1)

    def top(one: int) -> int:
        while root[one] != one:
            root[one] = one = root[root[one]]
        return one

    for first, second, way in _ways(basins, depth, touching):
        a, b = top(first), top(second)
        if a != b and way >= neck * min(peaks[a], peaks[b]):
            root[max(a, b)] = min(a, b)
            peaks[min(a, b)] = max(peaks[a], peaks[b])
    return np.array([top(one) for one in range(count + 1)], np.int32)[basins]


def _basins(region: Mask, depth: Floats, touching: bool) -> tuple[Numbers, int]:
    """The elements from which one climbs to the same peak, each step to the deepest neighbour; and their number."""
    own = np.arange(region.size, dtype=np.int32 if region.size < 2**31 else np.int64).reshape(region.shape)
    up, best = own.copy(), np.where(region, depth, 0)
    for one, other in _sides(region.ndim, touching):
        for here, there in ((one, other), (other, one)):
            higher = (depth[there] > best[here]) & region[there] & region[here]
            np.copyto(best[here], depth[there], where=higher)
            np.copyto(up[here], own[there], where=higher)
    goal = up.ravel()
    while not np.array_equal(goal, further := goal[goal]):
        goal = further
    peaks = (goal == own.ravel()) & region.ravel()
    numbers = np.cumsum(peaks, dtype=np.int32)
    return np.where(region, numbers[goal].reshape(region.shape), 0), int(peaks.sum())


def _ways(basins: Numbers, depth: Floats, touching: bool) -> Iterator[tuple[int, int, float]]:
    """Basins that touch, and the greatest depth at which one gets from one into the other; the deepest way first."""
    found = []
    for here, there in _sides(basins.ndim, touching):
        meet = (basins[here] != basins[there]) & (basins[here] > 0) & (basins[there] > 0)
        pair = np.sort(np.stack([basins[here][meet], basins[there][meet]]), axis=0)
        found.append(np.concatenate([pair, np.minimum(depth[here][meet], depth[there][meet])[None]]))
    first, second, way = np.concatenate(found, axis=1)
    order = np.lexsort((-way, second, first))
    first, second, way = first[order].astype(np.intp), second[order].astype(np.intp), way[order]
    new = np.append(True, (np.diff(first) != 0) | (np.diff(second) != 0))[: len(way)]
    order = np.flatnonzero(new)[np.argsort(-way[new], kind="stable")]
    yield from zip(first[order].tolist(), second[order].tolist(), way[order].tolist(), strict=True)


def _sides(axes: int, touching: bool) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Views of an array and of itself moved by one element: each pair of neighbours once."""
    for step in product((0, 1, -1), repeat=axes):
        if next((one for one in step if one), -1) > 0 and (touching or sum(map(abs, step)) == 1):
            yield (
                tuple(slice(max(0, -one), -one if one > 0 else None) for one in step),
                tuple(slice(max(0, one), one if one < 0 else None) for one in step),
            )


def _large(parts: Numbers, least: int) -> tuple[Numbers, int]:
    """Components of at least so many elements, numbered from 1 without gaps, and their number."""
    kept = np.bincount(parts.ravel()) >= least
    kept[0] = False
    lookup = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return lookup[parts], int(kept.sum())

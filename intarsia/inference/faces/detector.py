"""Detector: the boxes of faces, from close by to far away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import ModelError
from intarsia.inference.region import Region
from intarsia.preprocessing import Preprocessing, expect
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.network import Network
from intarsia.transforms.preprocess import normalise
from intarsia.zoo import bundled_models

_SIZE = 128
_LEAST = 0.5  # of a face's probability
_SAME = 0.3  # of the union of two boxes: they are of one face
_ENLARGED = 1.5  # of the region, beyond the box
_FINEST = 192  # pixels of a tile's side
_LEVELS = 3
_BATCH = 16


@dataclass(frozen=True)
class Detection:
    """One face.

    Attributes:
        box: left, top, right and bottom in pixels of the photo.
        points: (6, 2): the eyes (the picture's left one first), nose, mouth and ears.
        score: probability that it is one.
    """

    box: NDArray[np.float64]
    points: NDArray[np.float64]
    score: float

    def region(self) -> Region:
        """What the network of landmarks sees: a square about the box, in which the eyes lie level."""
        left, top, right, bottom = self.box
        across, down = self.points[1] - self.points[0]
        centre = (float(left + right) / 2, float(top + bottom) / 2)
        return Region(centre, _ENLARGED * float(max(right - left, bottom - top)), float(np.arctan2(down, across)))


class Detector:
    """Finds faces: BlazeFace, Bazarevsky et al. 2019, arXiv:1907.05047.

    The network knows faces that fill a good part of what it sees. Small ones in a large photo are looked for in tiles
    of half and of a quarter of its longer side.

    Args:
        threads: that compute it; None: as many as this process may use.
        brief: few photos will be looked at, see `Network`.
    """

    def __init__(self, *, threads: int | None = None, brief: bool = False) -> None:
        self._network = Network(bundled_models()["face-detector"], threads=threads, brief=brief)
        refusal = ModelError(f"{self._network.file}: no network of pictures")
        self._preprocessing = expect(self._network.description.preprocessing, Preprocessing, refusal)
        self._anchors = np.concatenate([_centres(16, 2), _centres(8, 6)])

    def levels(self, image: NDArray[np.uint8]) -> Iterator[list[Detection]]:
        """Find the faces of a photo (H, W, 3) RGB: in all of it, then in tiles of a half and of a quarter."""
        for views in _levels(*image.shape[:2]):
            found: list[Detection] = []
            for first in range(0, len(views), _BATCH):
                found += self._seen(image, views[first : first + _BATCH])
            yield _suppressed(found)

    def _seen(self, image: NDArray[np.uint8], views: list[Region]) -> list[Detection]:
        """All boxes of some views, many of a face."""
        pixels = np.stack([view.crop(image, _SIZE, black=True) for view in views])
        made = self._network.run(normalise(pixels, self._preprocessing))
        scores = 1 / (1 + np.exp(-made["logits"][..., 0].clip(-80, 80)))
        return [
            self._detection(boxes[index], int(index), float(score[index]), view)
            for view, boxes, score in zip(views, made["boxes"], scores, strict=True)
            for index in np.flatnonzero(score >= _LEAST)
        ]

    def _detection(self, box: Floats, index: int, score: float, view: Region) -> Detection:
        places = box.reshape(-1, 2).astype(np.float64)
        half = places[1] / 2 * (view.side / _SIZE)
        moved = view.to_photo(places + self._anchors[index] * _SIZE, _SIZE).astype(np.float64)
        return Detection(np.concatenate([moved[0] - half, moved[0] + half]), moved[2:], score)


def _centres(cells: int, each: int) -> NDArray[np.float64]:
    """The middles of a grid's cells, `each` times, in 0..1: x and y."""
    rows, columns = (np.mgrid[:cells, :cells] + 0.5) / cells
    return np.stack([columns, rows], axis=-1).reshape(-1, 2).repeat(each, axis=0)


def _levels(height: int, width: int) -> Iterator[list[Region]]:
    """Square views of a photo: the whole first, then tiles that overlap by half."""
    side = max(height, width)
    yield [Region((width / 2, height / 2), side)]
    for level in range(1, _LEVELS):
        tile = side / 2**level
        if tile < _FINEST:
            return
        yield [Region((x, y), tile) for y in _middles(height, tile) for x in _middles(width, tile)]


def _middles(length: int, tile: float) -> list[float]:
    """The middles of tiles along a side, evenly spread; of a side that is shorter than a tile, its own middle."""
    if length <= tile:
        return [length / 2]
    count = 1 + math.ceil((length - tile) / (tile / 2))
    return [float(middle) for middle in np.linspace(tile / 2, length - tile / 2, count)]


def _suppressed(found: list[Detection]) -> list[Detection]:
    """One for each face: the mean of those that overlap the likeliest, weighted by their scores."""
    rest, kept = sorted(found, key=lambda one: -one.score), []
    while rest:
        same = [one for one in rest if _is_same(rest[0], one)]
        weights = [one.score for one in same]
        box, points = (np.average([vars(one)[name] for one in same], axis=0, weights=weights) for name in _AVERAGED)
        kept.append(Detection(box, points, rest[0].score))
        chosen = set(map(id, same))
        rest = [one for one in rest if id(one) not in chosen]
    return kept


_AVERAGED = ("box", "points")


def _is_same(one: Detection, other: Detection) -> bool:
    return overlap(one.box, other.box) > _SAME


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The intersection of two boxes (left, top, right, bottom) over their union."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(sides.clip(0).prod())
    areas = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod())
    return common / (areas - common) if areas > common else 1.0

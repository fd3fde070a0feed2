"""Bodies: points and masks of the people of a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.region import Points, Region
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.network import Network
from intarsia.transforms.preprocess import prepare
from intarsia.zoo import bundled_models

_SIZE = 256
_SEEN = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), size=(_SIZE, _SIZE))
_NOTHING = -9.2  # a logit of what is surely no person; greater ones would shift edges that are interpolated
_LEAST = 0.5  # of a probability
_SMALLEST = 0.002  # of the photo: the share of a piece of mask that is looked at
_MOST = 8  # bodies of a photo
_TIGHT, _LOOSE = 1.0, 1.25  # of the box: two views of the same body
# A body is whole if it is so much taller than wide, its ankles are seen, and both networks roughly agree on it.
_TALL, _ANKLES, _VISIBLE, _AGREED = 1.6, (27, 28), 0.4, 0.5
_CENTRE, _RIM = 33, 34  # points of the network's own: of the hips, and of a circle about the body
_COUNT = 33
# The network of `person` knows people who leave some of the picture free. Who fills more of it than this is also looked
# at with a rim about the photo, a share of its sides that goes on as its border does.
_FULL, _RIM_SHARE = 0.45, 0.12


@dataclass(frozen=True)
class Body:
    """One body.

    Attributes:
        points: (33, 4): x and y in pixels of the photo (they may lie beyond its border), depth in the same measure
            (smaller is nearer), and visibility, 0 to 1; in the order of MediaPipe's pose.
        mask: (H, W) float32, 0 to 1: how much of a pixel is this body.
        score: probability that it is one, 0.5 to 1.
        whole: whether it is seen from head to ankles, and both networks roughly agree on it.
    """

    points: Points
    mask: Floats
    score: float
    whole: bool


@dataclass(frozen=True)
class _View:
    """What the network of bodies makes of a region: points (39, 4) and logits (H, W) of its mask in the photo."""

    points: Points
    logits: Floats
    score: float


class BodyFinder:
    """Finds bodies: BlazePose, Bazarevsky et al. 2020, arXiv:2006.10204, in the pieces of the mask of `person`.

    Each piece of that mask counts as one body: people who overlap are taken for one, and one of them gets the points.

    Args:
        threads: that compute the networks; None: as many as this process may use.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        self._threads = threads
        self._person = Network(bundled_models()["person"], threads=threads)

    @cached_property
    def _body(self) -> Network:
        """Opened where there is somebody to look at."""
        return Network(bundled_models()["body"], threads=self._threads)

    def find(self, image: NDArray[np.uint8]) -> list[Body]:
        """Find the bodies of a photo, the largest first; none is no error.

        Args:
            image: (H, W, 3) uint8 RGB.
        """
        coarse = self._coarse(image)
        return [body for body in self._bodies(image, coarse, _pieces(coarse)) if body.score >= _LEAST]

    def person(self, image: NDArray[np.uint8]) -> Floats:
        """Look once at who is in a photo (H, W, 3): (256, 256) float32, 0 to 1, by the network of `person`."""
        return _sigmoid(self._coarse(image))

    def mask(self, image: NDArray[np.uint8]) -> Floats:
        """Find all that is people in a photo.

        Whole bodies are taken from the network of bodies, heads and half bodies from that of `person`.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            (H, W) float32, 0 to 1.
        """
        coarse = self._coarse(image)
        if np.count_nonzero(coarse > 0) > _FULL * coarse.size:
            coarse = np.asarray((coarse + self._from_further(image)) / 2, np.float32)
        pieces = _pieces(coarse)
        found = self._bodies(image, coarse, pieces)
        for piece, body in zip(pieces, found, strict=True):
            if body.whole:
                coarse = np.where(piece.near, _NOTHING, coarse)
        mask = _sigmoid(_resized(coarse, *image.shape[:2]))
        for body in found:
            if body.whole:
                mask = np.maximum(mask, body.mask)
        return mask

    def _coarse(self, image: NDArray[np.uint8]) -> Floats:
        """Logits (256, 256) of the mask of `person`, of a photo and of its mirror image."""
        both = np.concatenate([prepare(one, _SEEN) for one in (image, np.ascontiguousarray(image[:, ::-1]))])
        made = self._person.run(both)["logits"]
        logits = made[:, 1] - made[:, 0]
        return np.asarray((logits[0] + logits[1, :, ::-1]) / 2, np.float32)

    def _from_further(self, image: NDArray[np.uint8]) -> Floats:
        """What `_coarse` says of a photo with a rim about it, of the photo alone: (256, 256)."""
        height, width = image.shape[:2]
        down, across = round(height * _RIM_SHARE), round(width * _RIM_SHARE)
        rimmed = cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_REPLICATE)
        around = self._coarse(np.asarray(rimmed, np.uint8))
        scale = np.array([width / (width + 2 * across), height / (height + 2 * down)])
        offset = (_SIZE - scale * _SIZE) / 2 + scale / 2 - 0.5
        place = np.array([[scale[0], 0, offset[0]], [0, scale[1], offset[1]]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(around, place, (_SIZE, _SIZE), flags=how, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def _bodies(self, image: NDArray[np.uint8], coarse: Floats, pieces: Sequence[_Piece]) -> list[Body]:
        """The body of each piece."""
        height, width = image.shape[:2]
        found = []
        for piece in pieces:
            box = piece.box * np.array([width, height, width, height]) / _SIZE
            centre = (float(box[0] + box[2] / 2), float(box[1] + box[3] / 2))
            side = float(max(box[2:]))
            tight, loose = (self._seen(image, Region(centre, side * scale)) for scale in (_TIGHT, _LOOSE))
            upright = self._seen(image, _upright(loose.points))
            own = _sigmoid(_resized(np.where(piece.near, coarse, _NOTHING).astype(np.float32), height, width))
            views = [_sigmoid(view.logits) for view in (tight, loose, upright)]
            mean = np.asarray(np.mean([own, *views], axis=0), np.float32)
            whole = (
                box[3] > _TALL * box[2]
                and loose.points[list(_ANKLES), 3].min() > _VISIBLE
                and _agreement(np.mean(views, axis=0) > _LEAST, own > _LEAST) > _AGREED
            )
            found.append(Body(upright.points[:_COUNT], mean if whole else own, upright.score, bool(whole)))
        return found

    def _seen(self, image: NDArray[np.uint8], region: Region) -> _View:
        crop = region.crop(image, _SIZE).astype(np.float32) / np.float32(255)
        made = self._body.run(crop.transpose(2, 0, 1)[None])
        raw = made["points"][0]
        points = np.concatenate([region.to_photo(raw[:, :3], _SIZE), _sigmoid(raw[:, 3:4])], axis=1)
        mask = np.clip(made["mask"][0, 0], _NOTHING, -_NOTHING)
        logits = region.spread(mask, image.shape[0], image.shape[1], beyond=_NOTHING)
        return _View(points, logits, float(made["score"][0, 0]))


@lru_cache(maxsize=1)
def _finder() -> BodyFinder:
    return BodyFinder()


def find_bodies(image: NDArray[np.uint8]) -> list[Body]:
    """Find the bodies of a photo (H, W, 3) uint8 RGB, the largest first; see `BodyFinder.find`."""
    return _finder().find(image)


@dataclass(frozen=True)
class _Piece:
    """One piece of the coarse mask: its box (left, top, width, height), and itself with a rim about it."""

    box: NDArray[np.int_]
    near: NDArray[np.bool_]


def _pieces(coarse: Floats) -> list[_Piece]:
    """The pieces of a coarse mask that are large enough, the largest first."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats((coarse > 0).astype(np.uint8))
    kept = [number for number in range(1, count) if facts[number, cv2.CC_STAT_AREA] >= _SMALLEST * coarse.size]
    kept = sorted(kept, key=lambda number: -int(facts[number, cv2.CC_STAT_AREA]))[:_MOST]
    rim = np.ones((9, 9), np.uint8)
    return [
        _Piece(
            facts[number, :4].astype(np.int_),
            (cv2.dilate((labels == number).astype(np.uint8), rim) > 0) & ((labels == number) | (labels == 0)),
        )
        for number in kept
    ]


def _upright(points: Points) -> Region:
    """The square about the circle of a body, in which it stands upright."""
    centre, rim = points[_CENTRE, :2], points[_RIM, :2]
    across, down = rim - centre
    angle = float(np.arctan2(down, across) + np.pi / 2)
    return Region((float(centre[0]), float(centre[1])), 2 * _LOOSE * float(max(1.0, np.hypot(across, down))), angle)


def _agreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """The intersection of two masks over their union."""
    return np.count_nonzero(one & other) / max(1, int(np.count_nonzero(one | other)))


def _resized(logits: Floats, height: int, width: int) -> Floats:
    return np.asarray(cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, _NOTHING, -_NOTHING))), np.float32)

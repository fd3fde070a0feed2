"""FaceFinder: 478 points of every face of a photo, and from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.inference.faces.detector import Detector, overlap
from intarsia.inference.region import Points, Region
from intarsia.runtimes.network import Network
from intarsia.zoo import bundled_models

_SIZE = 192
_LEAST = 0.5  # of the probability that there is a face at all
_KNOWN = 0.3  # of the union of a detection's box and a face's: it is that face
_SAME = 0.5  # of the union of two faces' boxes: they are one
_ENLARGED = 1.5
_EYES = (33, 263)  # their outer corners
_BATCH = 8


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        points: (478, 3): x and y in pixels of the photo (they may lie beyond its border), and depth in the same
            measure, smaller is nearer; in the order of MediaPipe's face mesh, the irises last.
        score: probability that it is a face, 0.5 to 1.
    """

    points: Points
    score: float

    @property
    def box(self) -> NDArray[np.float64]:
        """Left, top, right and bottom in pixels of the photo."""
        return np.concatenate([self.points[:, :2].min(axis=0), self.points[:, :2].max(axis=0)])

    def region(self) -> Region:
        """Where to look for it in the next frame: a square about it, in which the eyes lie level."""
        box = self.box
        across, down = self.points[_EYES[1], :2] - self.points[_EYES[0], :2]
        centre = (box[:2] + box[2:]) / 2
        side = _ENLARGED * float((box[2:] - box[:2]).max())
        return Region((float(centre[0]), float(centre[1])), side, float(np.arctan2(down, across)))


class FaceFinder:
    """Finds faces and their points: Attention Mesh, Grishchenko et al. 2020, arXiv:2006.10962.

    Args:
        threads: that compute the networks; None: as many as this process may use.
        brief: few photos will be looked at, see `Network`.
    """

    def __init__(self, *, threads: int | None = None, brief: bool = False) -> None:
        self._detector = Detector(threads=threads, brief=brief)
        self._network = Network(bundled_models()["face"], threads=threads, brief=brief)

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        """Find the faces of a photo.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            The faces, the largest first; none is no error.
        """
        found: list[Face] = []
        for level in self._detector.levels(
            image
        ):  # what a coarse look takes for a face and is none, a finer one may find
            new = [one for one in level if not any(overlap(one.box, face.box) > _KNOWN for face in found)]
            found += self._looked_at(image, [one.region() for one in new], found)
        return sorted(found, key=_area, reverse=True)

    def track(self, image: NDArray[np.uint8], before: Sequence[Face]) -> list[Face]:
        """Find the faces of the next frame of a video, those of the frame before first and in their order.

        Where one is lost, all of the frame is searched. Who comes into view while nobody is lost is found by `find`.

        Args:
            image: (H, W, 3) uint8 RGB.
            before: the faces of the frame before.
        """
        kept = self._looked_at(image, [face.region() for face in before])
        if before and len(kept) == len(before):
            return kept
        return kept + [face for face in self.find(image) if not any(_is_same(face, one) for one in kept)]

    def _looked_at(self, image: NDArray[np.uint8], regions: Sequence[Region], known: Sequence[Face] = ()) -> list[Face]:
        """The faces in some regions, each once, and none of the known ones."""
        found: list[Face] = []
        for first in range(0, len(regions), _BATCH):
            some = regions[first : first + _BATCH]
            crops = np.stack([region.crop(image, _SIZE) for region in some]).astype(np.float32) / np.float32(255)
            made = self._network.run(crops.transpose(0, 3, 1, 2))
            scores = 1 / (1 + np.exp(-made["flag"][:, 0].clip(-80, 80)))
            for region, points, score in zip(some, made["points"], scores, strict=True):
                face = Face(region.to_photo(points, _SIZE), float(score))
                if score >= _LEAST and not any(_is_same(face, other) for other in (*known, *found)):
                    found.append(face)
        return found


def _is_same(one: Face, other: Face) -> bool:
    return overlap(one.box, other.box) > _SAME


def _area(face: Face) -> float:
    return float((face.box[2:] - face.box[:2]).prod())

"""Where cloth lies on a body: from pixels of a photo to places on the cloth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_LEAST_VISIBLE = 0.5
_ELONGATED = 1.6  # ratio of the axes from which on a garment's direction is that of its longer one
_STIFFNESS = 0.1
# Joints (numbered as in BlazePose, Bazarevsky et al. 2020, arXiv:2006.10204), and where they lie on flat clothes whose
# trunk is 1 long: across from the middle, down from the shoulders. Even numbers are the body's right.
_JOINTS = {
    11: (0.32, 0.0), 12: (-0.32, 0.0), 13: (0.62, 0.5), 14: (-0.62, 0.5), 15: (0.8, 0.95), 16: (-0.8, 0.95),
    23: (0.2, 1.0), 24: (-0.2, 1.0), 25: (0.22, 1.85), 26: (-0.22, 1.85), 27: (0.22, 2.7), 28: (-0.22, 2.7),
}  # fmt: skip
_TRUNK = {11, 12, 23, 24}
_AT_ONCE = 100_000  # places


@dataclass(frozen=True)
class Fit:
    """How cloth lies on a garment, by points of the photo and their places on the cloth, laid flat.

    Attributes:
        pixels: (K, 2), x and y.
        flat: (K, 2), across and down.
        kind: "axes" by the garment's own direction and size, in which lengths are then counted; "body" by the joints
            of the body that wears it, in lengths of its trunk.
    """

    pixels: Points
    flat: Points
    kind: Literal["axes", "body"]

    def to_cloth(self, places: Points) -> Points:
        """Carry pixels (N, 2) to the cloth."""
        return spline(self.pixels, self.flat, places)

    def from_cloth(self, places: Points) -> Points:
        """Carry places on the cloth (N, 2) to pixels."""
        return spline(self.flat, self.pixels, places)


def by_axes(mask: NDArray[np.bool_]) -> Fit:
    """Lay cloth straight on a garment, which lies in `mask` (H, W): by its middle, its direction, the root of its area.

    The direction is that of the garment's longer axis, or upright where no axis is much longer than the other.
    """
    rows, columns = np.nonzero(mask)
    inside = np.stack([columns, rows], axis=1).astype(np.float64)
    middle, size = inside.mean(axis=0), np.sqrt(len(inside))
    spread, axes = np.linalg.eigh(np.cov((inside - middle).T) + 1e-9 * np.eye(2))
    down = axes[:, 1] * (1 if axes[1, 1] >= 0 else -1)
    if np.sqrt(spread[1] / spread[0]) < _ELONGATED or abs(down[0]) > abs(down[1]):
        down = np.array([0.0, 1.0])
    across = np.array([down[1], -down[0]])
    pixels = np.stack([middle, middle + size * across, middle + size * down])
    return Fit(pixels, np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), "axes")


def by_body(points: NDArray[np.float32]) -> Fit | None:
    """Lay cloth along a body: a thin-plate spline through its joints (Bookstein 1989).

    Args:
        points: (33, 4), x and y in pixels, depth, visibility 0..1.

    Returns:
        None where the trunk is not seen.
    """
    seen = [joint for joint in _JOINTS if points[joint, 3] >= _LEAST_VISIBLE]
    if not _TRUNK.issubset(seen):
        return None
    behind = points[11, 0] < points[12, 0]  # the body's left is on the left of the photo
    flat = np.array([_JOINTS[joint] for joint in seen]) * (-1 if behind else 1, 1)
    return Fit(points[seen, :2].astype(np.float64), flat, "body")


def spline(given: Points, wanted: Points, places: Points) -> Points:
    """Carry places by the thin-plate spline that carries points to others.

    Args:
        given: (K, 2), at least three of them not on a line.
        wanted: (K, 2), where they go, nearly exactly: the plate is a little stiff, so that one odd point does not fold
            it.
        places: (N, 2).

    Returns:
        (N, 2).
    """
    origin, size = given.mean(axis=0), max(float(given.std()), 1e-9)
    knots = (given - origin) / size
    count = len(knots)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(knots, knots) + _STIFFNESS * np.eye(count)
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :], system[count + 1 :, :count] = knots, knots.T
    weights = np.linalg.lstsq(system, np.concatenate([wanted, np.zeros((3, 2))]), rcond=None)[0]
    found = np.empty_like(places)
    for start in range(0, len(places), _AT_ONCE):
        part = (places[start : start + _AT_ONCE] - origin) / size
        bent = _bending(part, knots) @ weights[:count]
        found[start : start + _AT_ONCE] = bent + weights[count] + part @ weights[count + 1 :]
    return found


def _bending(a: Points, b: Points) -> Points:
    """The kernel r² log r between all pairs, (N, K)."""
    squared = np.square(a[:, None] - b[None]).sum(axis=2)
    found: Points = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return found

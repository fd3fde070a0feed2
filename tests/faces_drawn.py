"""A face drawn from shapes, with the points of its parts: nobody's, and known to the pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
LOWER_LIP, UPPER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291), (61, 185, 40, 39, 37, 0, 267, 269, 270, 409)
LOWER_MOUTH, UPPER_MOUTH = (
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415),
)
LIDS = {
    -1: ((33, 7, 163, 144, 145, 153, 154, 155, 133), (33, 246, 161, 160, 159, 158, 157, 173, 133)),
    1: ((362, 382, 381, 380, 374, 373, 390, 249, 263), (362, 398, 384, 385, 386, 387, 388, 466, 263)),
}
BROWS = {
    -1: ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    1: ((336, 296, 334, 293, 300), (285, 295, 282, 283, 276)),
}
IRISES = {-1: (468, 469, 470, 471, 472), 1: (473, 474, 475, 476, 477)}


@dataclass(frozen=True)
class DrawnFace:
    """As a found face: its points (478, 3), and how sure that is."""

    points: NDArray[np.float32]
    score: float = 1.0


def drawn_points(middle: tuple[float, float] = (160, 150), eyes: float = 80, open_: float = 0.25) -> DrawnFace:
    """The points of an upright face; lengths are in distances between its eyes, around their middle.

    Args:
        middle: between the eyes, x and y.
        eyes: their distance in pixels.
        open_: height of the mouth's opening.
    """
    at = np.zeros((478, 2))
    at[:] = (0, 0.6)  # the tip of the nose; most points of the mesh are part of no contour
    turns = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    at[list(OVAL)] = np.stack([1.05 * np.sin(turns), 0.35 - 1.35 * np.cos(turns)], axis=1)
    at[168] = (0, 0.1)
    _arc(at, LOWER_LIP, (-0.5, 1.1), (0.5, 1.1), 0.3)
    _arc(at, (*UPPER_LIP, 291), (-0.5, 1.1), (0.5, 1.1), -0.22)
    _arc(at, LOWER_MOUTH, (-0.42, 1.1), (0.42, 1.1), 0.6 * open_)
    _arc(at, (*UPPER_MOUTH, 308), (-0.42, 1.1), (0.42, 1.1), -0.4 * open_)
    for side in (-1, 1):
        for lid, bend in zip(LIDS[side], (0.13, -0.13), strict=True):
            _arc(at, lid, (side * 0.5 - 0.25, 0), (side * 0.5 + 0.25, 0), bend)
        for edge, down in zip(BROWS[side], (-0.4, -0.28), strict=True):
            _arc(at, edge, (side * 0.5 - 0.32, down), (side * 0.5 + 0.32, down), -0.06)
        iris = np.array([(0, 0), (0.12, 0), (0, -0.12), (-0.12, 0), (0, 0.12)])
        at[list(IRISES[side])] = iris + np.array([side * 0.5, 0])
    points = np.concatenate([at * eyes + middle, np.zeros((478, 1))], axis=1)
    return DrawnFace(points.astype(np.float32))


def _arc(
    at: NDArray[np.float64], chain: tuple[int, ...], start: tuple[float, float], end: tuple[float, float], bend: float
) -> None:
    t = np.linspace(0, 1, len(chain))[:, None]
    at[list(chain)] = (1 - t) * start + t * np.array(end) + 4 * t * (1 - t) * (0, bend)


def drawn_face(size: tuple[int, int] = (400, 320), faces: tuple[DrawnFace, ...] = ()) -> NDArray[np.uint8]:
    """Draw faces with hair, teeth and a grained skin on a plain ground, (H, W, 3) uint8; by default one."""
    picture = np.full((*size, 3), (120, 150, 170), dtype=np.uint8)
    for face in faces or (drawn_points(),):
        _Drawing(picture, face).draw()
    grain = np.random.default_rng(0).normal(0, 5, (*size, 1))
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


class _Drawing:
    """One face on a picture."""

    def __init__(self, picture: NDArray[np.uint8], face: DrawnFace) -> None:
        self._picture, self._points = picture, face.points[:, :2]
        left, right = self._points[[468, 473]]
        self._eyes, self._middle = float(np.linalg.norm(right - left)), (left + right) / 2

    def draw(self) -> None:
        self._disc(0, -0.1, 1.35, 1.6, (70, 45, 30))
        self._disc(0, 2.6, 1.9, 1.1, (60, 70, 110))
        self._disc(0, 1.6, 0.5, 0.6, (205, 150, 120))
        self._shape((222, 170, 140), OVAL)
        self._disc(0, 0.55, 0.12, 0.2, (205, 150, 120))
        self._shape((190, 95, 95), LOWER_LIP, UPPER_LIP[::-1])
        if self._points[14, 1] - self._points[13, 1] >= 1:
            self._shape((240, 238, 230), LOWER_MOUTH, UPPER_MOUTH[::-1])
        for side in (-1, 1):
            self._shape((245, 245, 245), LIDS[side][0], LIDS[side][1][::-1])
            self._shape((85, 55, 40), BROWS[side][0], BROWS[side][1][::-1])
            self._disc(side * 0.5, 0, 0.12, 0.12, (110, 80, 50))
            self._disc(side * 0.5, 0, 0.05, 0.05, (15, 12, 12))

    def _disc(self, x: float, y: float, wide: float, high: float, colour: tuple[int, int, int]) -> None:
        place = tuple(int(v) for v in self._middle + np.array([x, y]) * self._eyes)
        axes = (max(1, round(wide * self._eyes)), max(1, round(high * self._eyes)))
        cv2.ellipse(self._picture, place, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    def _shape(self, colour: tuple[int, int, int], *chains: tuple[int, ...]) -> None:
        around = [index for chain in chains for index in chain]
        cv2.fillPoly(self._picture, [np.rint(self._points[around]).astype(np.int32)], colour, cv2.LINE_AA)

"""The parts of a face as masks, drawn from its points.

The points are those of MediaPipe's face mesh with attention (Grishchenko et al. 2020, Attention Mesh,
arXiv:2006.10962): 468 of the mesh, five of each iris. Its contours become smooth curves, and a curve becomes the share
of each pixel that lies inside.
"""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]
Mask = NDArray[np.float32]
Chain = tuple[int, ...]

PARTS = ("skin", "lips", "mouth", "left_eye", "right_eye", "left_brow", "right_brow", "left_iris", "right_iris")
"""What `face_parts` draws; left is the left of the picture."""

# Each contour is drawn as chains that meet in its corners; a single chain is a ring without any.
_CONTOURS: dict[str, tuple[Chain, ...]] = {
    "oval": (
        (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
         150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ),
    "lips": (
        (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291), (291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 61),
    ),
    "mouth": (
        (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308), (308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78),
    ),
    "left_eye": ((33, 7, 163, 144, 145, 153, 154, 155, 133), (133, 173, 157, 158, 159, 160, 161, 246, 33)),
    "right_eye": ((263, 249, 390, 373, 374, 380, 381, 382, 362), (362, 398, 384, 385, 386, 387, 388, 466, 263)),
    "left_brow": ((70, 63, 105, 66, 107), (55, 65, 52, 53, 46)),
    "right_brow": ((300, 293, 334, 296, 336), (285, 295, 282, 283, 276)),
}  # fmt: skip
_IRISES = {"left_iris": (468, 469, 470, 471, 472), "right_iris": (473, 474, 475, 476, 477)}
_EYE_CORNERS = ((33, 133), (362, 263))
_GAP = ((13, 14), (82, 87), (312, 317))  # of the inner lips, upper and lower

_STEPS = 8  # of a curve between two points
_FINE, _BITS = 4, 4  # sub-pixels a side; bits of a sub-pixel's coordinates
_BAND = 64
_CLOSED = 0.02  # of the mouth's width: points of lips that touch are no farther apart


class HasPoints(Protocol):
    """What is known of a face: its points (478, 3), pixels of the picture; the third is depth and not looked at."""

    @property
    def points(self) -> Points: ...


def face_parts(face: HasPoints, size: tuple[int, int]) -> dict[str, Mask]:
    """Draw the parts of a face.

    Args:
        face: with its points.
        size: (height, width) of the picture. Cut the picture to the face before, where it is large: every mask is of
            the whole size.

    Returns:
        For each name in `PARTS`, (height, width) float32: how much of each pixel belongs to it, 0 to 1. The skin is
        the oval of the face without eyes, brows and mouth; lips are without the mouth between them, which is empty
        when they touch; irises end at the lids.
    """
    points = face.points
    drawn = {name: filled(_outline(points, chains), size) for name, chains in _CONTOURS.items()}
    if _gap(points) < _CLOSED:
        drawn["mouth"][:] = 0
    skin = drawn.pop("oval")
    for name, mask in drawn.items():
        if name != "mouth":  # which lies between the lips
            skin *= 1 - mask
    for name, indices in _IRISES.items():
        drawn[name] = filled(_ellipse(points[list(indices), :2]), size) * drawn[name.replace("iris", "eye")]
    drawn["lips"] *= 1 - drawn["mouth"]
    return {name: skin if name == "skin" else drawn[name] for name in PARTS}


def outline(face: HasPoints, name: str) -> Points:
    """Trace the contour of a part as a polygon (N, 2), pixels; or that of the face, which is called "oval"."""
    return _ellipse(face.points[list(_IRISES[name]), :2]) if name in _IRISES else _outline(face.points, _CONTOURS[name])


def eye_distance(face: HasPoints) -> float:
    """Measure a face: pixels from the middle of one eye to that of the other."""
    left, right = (face.points[list(corners), :2].mean(axis=0) for corners in _EYE_CORNERS)
    return float(np.linalg.norm(right - left))


def filled(polygon: Points, size: tuple[int, int]) -> Mask:
    """Compute how much of each pixel lies inside a polygon.

    Args:
        polygon: (N, 2) x and y; (0, 0) is the middle of the first pixel.
        size: (height, width) of the mask.

    Returns:
        (height, width) float32, 0 to 1, in steps of a sixteenth of a pixel.
    """
    mask = np.zeros(size, dtype=np.float32)
    # A pixel more on each side: where OpenCV cuts a line off, it may lie a sub-pixel beside itself.
    low = np.maximum(np.floor(polygon.min(axis=0)), -1).astype(int)
    high = np.minimum(np.ceil(polygon.max(axis=0)) + 1, (size[1] + 1, size[0] + 1)).astype(int)
    if (np.maximum(low, 0) >= np.minimum(high, (size[1], size[0]))).any():
        return mask
    left, right = max(low[0], 0), min(high[0], size[1])
    fine = (polygon - low + 0.5) * _FINE - 0.5
    width = int(high[0] - low[0])
    for top in range(low[1], high[1], _BAND):
        bottom = min(top + _BAND, int(high[1]))
        canvas = np.zeros(((bottom - top) * _FINE, width * _FINE), dtype=np.uint8)
        placed = [np.rint((fine - (0, (top - low[1]) * _FINE)) * (1 << _BITS)).astype(np.int32)]
        cv2.fillPoly(canvas, placed, 255, shift=_BITS)
        cv2.polylines(canvas, placed, True, 128, shift=_BITS)  # sub-pixels on the edge lie half inside
        shares = cv2.resize(canvas, (width, bottom - top), interpolation=cv2.INTER_AREA)
        first, last = max(top, 0), min(bottom, size[0])
        mask[first:last, left:right] = shares[first - top : last - top, left - low[0] : right - low[0]] / np.float32(
            255
        )
    return mask


def _gap(points: Points) -> float:
    """How far the inner lips are apart, of the mouth's width."""
    upper, lower = (points[[pair[side] for pair in _GAP], :2] for side in (0, 1))
    return float(np.linalg.norm(lower - upper, axis=1).mean() / max(np.linalg.norm(points[291] - points[61]), 1e-6))


def _outline(points: Points, chains: tuple[Chain, ...]) -> Points:
    ring = len(chains) == 1
    return np.concatenate([_curve(points[list(chain), :2], ring=ring) for chain in chains])


def _curve(points: Points, *, ring: bool) -> Points:
    """The Catmull-Rom spline through points (N, 2), closed or with its ends."""
    known = np.concatenate([points[-1:], points, points[:2]] if ring else [points[:1], points, points[-1:]])
    before, start, end, after = (known[first : len(known) - 3 + first, None] for first in range(4))
    t = np.linspace(0, 1, _STEPS, endpoint=False, dtype=np.float32)[:, None]
    curve = start + t / 2 * (
        end - before + t * (2 * before - 5 * start + 4 * end - after + t * (3 * (start - end) + after - before))
    )
    flat = curve.reshape(-1, 2)
    return flat if ring else np.concatenate([flat, points[-1:]])


def _ellipse(points: Points) -> Points:
    """Of an iris's middle and the four points of its edge (5, 2)."""
    middle, right, top, left, bottom = points
    t = np.linspace(0, 2 * np.pi, 4 * _STEPS, endpoint=False, dtype=np.float32)[:, None]
    ellipse: Points = middle + np.cos(t) * (right - left) / 2 + np.sin(t) * (bottom - top) / 2
    return ellipse

"""The vanishing point of a road, where its edges and markings meet, from the directions of a picture's edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive.camera import Ground

Mask = NDArray[np.bool_]

_EDGES = 400  # strongest ones that vote
_GRID = 9  # candidates along each side
_SHARP = 0.08  # sine of the angle by which an edge's direction may miss
_CLOSE = 4  # rows: edges nearer to a candidate do not vote for it
_ACROSS, _UP = 0.15, 0.05  # how far from what is expected, as shares of width and height
_GAIN = 0.15  # of a new frame
_STEEP = 0.25  # least rise of an edge along the road, in columns a row


def expected(road: Mask) -> Ground:
    """Guess the vanishing point from the road alone: a little above its top, in the middle of the picture."""
    rows = np.flatnonzero(road.sum(1) > 0.01 * road.shape[1])
    top = float(rows[0]) if len(rows) else road.shape[0] / 2
    return Ground(road.shape[1] / 2, top - 0.01 * road.shape[0], road.shape[1] / 2)


def find_vanishing_point(gray: NDArray[np.uint8], near: Mask, guess: Ground) -> Ground:
    """Find the point that most edges of a road run towards (Kong, Audibert & Ponce 2009, by gradients).

    Args:
        gray: (H, W).
        near: (H, W) the road and its rims, without what stands on it.
        guess: what is expected; far from it, a point needs more votes.

    Returns:
        The guess with the point; the guess where no edge votes.
    """
    x, y, direction, weight = _edges(gray, near, guess.y)
    if len(x) < 20:
        return guess
    height, width = gray.shape
    centre, reach = (guess.x, guess.y), (2 * _ACROSS * width, 2 * _UP * height)
    for _ in range(3):  # ever finer
        across = np.linspace(centre[0] - reach[0], centre[0] + reach[0], _GRID, dtype=np.float32)
        up = np.linspace(centre[1] - reach[1], centre[1] + reach[1], _GRID, dtype=np.float32)
        dx, dy = across[:, None] - x, y - up[:, None]  # (grid, N): from each edge to the candidates
        beside = (dx * np.cos(direction))[:, None] - (dy * np.sin(direction))[None]  # by which its line misses them
        sine = beside / np.sqrt((dx**2)[:, None] + (np.maximum(dy, _CLOSE) ** 2)[None])
        vote = np.maximum(0, 1 - (sine / _SHARP) ** 2)
        score = (vote * (dy > _CLOSE)[None]) @ weight
        score *= np.exp(-0.5 * ((across - guess.x) / (_ACROSS * width)) ** 2)[:, None]
        score *= np.exp(-0.5 * ((up - guess.y) / (_UP * height)) ** 2)[None]
        best = np.unravel_index(int(score.argmax()), score.shape)
        centre, reach = (float(across[best[0]]), float(up[best[1]])), (reach[0] / 4, reach[1] / 4)
    return guess.at(*centre)


def steadied(before: Ground, found: Ground) -> Ground:
    """Move a little from the vanishing point before to the one of a new frame."""
    return before.at(before.x + _GAIN * (found.x - before.x), before.y + _GAIN * (found.y - before.y))


def _edges(
    gray: NDArray[np.uint8], near: Mask, horizon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Place, direction away from upright (radians, rightwards above 0) and weight of the strongest edges."""
    top = max(0, int(horizon))
    below = cv2.GaussianBlur(gray[top:], (5, 5), 0)
    gx, gy = (cv2.Scharr(below, cv2.CV_32F, axis, 1 - axis)[::2] for axis in (1, 0))  # every second row will do
    # What lies across the road, or upright beside it, does not run along it.
    strength = np.where(near[top::2] & (np.abs(gx) > _STEEP * np.abs(gy)), np.hypot(gx, gy), 0)
    flat = strength.ravel()
    few = min(_EDGES, flat.size)
    chosen = np.argpartition(flat, -few)[-few:] if few else np.zeros(0, np.intp)
    chosen = np.sort(chosen[flat[chosen] > 0])
    rows, columns = np.unravel_index(chosen, strength.shape)
    # An edge runs at a right angle to its gradient; upwards it moves by gy / gx columns a row.
    direction = np.arctan2(gy.ravel()[chosen], gx.ravel()[chosen])
    direction = (direction + np.pi / 2) % np.pi - np.pi / 2
    weight = np.sqrt(flat[chosen])
    return tuple(np.asarray(one, np.float32) for one in (columns, 2 * rows + top, direction, weight))  # type: ignore[return-value]

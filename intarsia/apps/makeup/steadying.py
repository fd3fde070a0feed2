"""Faces of a video that do not tremble: points that hardly move are averaged over time, others are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intarsia.inference.faces.parts import HasPoints, Points, eye_distance

_STILL = 0.25  # share of a still point's way that is gone in a frame
_MOVING = 0.06  # eye distances in a frame from which on all of it is gone
_SAME = 1.0  # eye distances that a face may move between two frames


@dataclass(frozen=True)
class Steadied:
    """A face whose points are those of several frames."""

    points: Points


class Steadying:
    """Go through the faces of one video; the points of a face follow the faster, the farther they have moved.

    As the one-euro filter (Casiez, Roussel and Vogel, CHI 2012), whose delay, too, vanishes with the speed.
    """

    def __init__(self) -> None:
        self._before: list[Steadied] = []

    def step(self, faces: Sequence[HasPoints]) -> list[Steadied]:
        """Steady the faces of the next frame; those that were nowhere near in the last one are taken as they are."""
        self._before = [self._steadied(face) for face in faces]
        return self._before

    def _steadied(self, face: HasPoints) -> Steadied:
        eyes = eye_distance(face)
        near = [one for one in self._before if _apart(one, face) < _SAME * eyes]
        if not near:
            return Steadied(face.points)
        before = min(near, key=lambda one: _apart(one, face)).points
        step = face.points - before
        share = np.clip(np.linalg.norm(step[:, :2], axis=1, keepdims=True) / (_MOVING * eyes), _STILL, 1)
        return Steadied(before + share * step)


def _apart(one: HasPoints, other: HasPoints) -> float:
    return float(np.linalg.norm((one.points - other.points)[:, :2].mean(axis=0)))

"""Lanes by the rule of the TuSimple benchmark (2017): columns at given rows, right within a threshold.

Conventions, those of its official script:
    * A lane is one column a row of `rows`; below 0 where it has none. Both having none counts as right.
    * A column is right when it misses the true one by less than 20 pixels by the cosine of the true lane's angle.
    * A true lane's accuracy is that of its best prediction; at 0.85 or more they match.
    * The accuracy of a picture is the sum of its lanes' over min(4, lanes); of more than four lanes the worst is left
      out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import DataError

PIXELS, MATCHED, MOST = 20.0, 0.85, 4.0
_NOWHERE = -100.0


@dataclass(frozen=True)
class LaneScores:
    """How right the lanes of one picture are.

    Attributes:
        accuracy: 0..1.
        false_positives: share of the predicted lanes that match none.
        false_negatives: share of the true lanes that are missed.
    """

    accuracy: float
    false_positives: float
    false_negatives: float


def lane_scores(prediction: ArrayLike, target: ArrayLike, rows: ArrayLike, *, pixels: float = PIXELS) -> LaneScores:
    """Compare the lanes of one picture.

    Args:
        prediction: (P, R) columns in pixels; below 0 where a lane has none.
        target: (L, R) the true ones.
        rows: (R,) the rows.
        pixels: threshold of an upright lane; 20 belongs to pictures of 1280x720.

    Raises:
        DataError: the shapes do not fit together.
    """
    height = np.asarray(rows, np.float64)
    for one in (prediction, target):
        if np.size(one) and np.shape(one)[1:] != height.shape:
            raise DataError(f"lanes have a column for each of the {height.size} rows, these are {np.shape(one)}")
    found, truth = (np.asarray(one, np.float64).reshape(-1, height.size) for one in (prediction, target))
    if len(found) > len(truth) + 2:  # too many to be taken seriously
        return LaneScores(0.0, 0.0, 1.0)
    limits = np.array([pixels / np.cos(_angle(lane, height)) for lane in truth])
    found, truth = np.where(found < 0, _NOWHERE, found), np.where(truth < 0, _NOWHERE, truth)
    right = np.abs(found[None] - truth[:, None]) < limits[:, None, None]  # (L, P, R)
    best = right.mean(2).max(1, initial=0.0)
    missed = int((best < MATCHED).sum())
    matched = len(truth) - missed
    if len(truth) > MOST and missed:
        missed -= 1
    total = float(best.sum() - (best.min() if len(truth) > MOST else 0))
    most = max(min(MOST, len(truth)), 1.0)
    return LaneScores(total / most, (len(found) - matched) / len(found) if len(found) else 0.0, missed / most)


def _angle(lane: NDArray[np.float64], rows: NDArray[np.float64]) -> float:
    """Of a true lane, away from upright, by least squares."""
    known = lane >= 0
    if known.sum() < 2:
        return 0.0
    return float(np.arctan(np.polyfit(rows[known], lane[known], 1)[0]))

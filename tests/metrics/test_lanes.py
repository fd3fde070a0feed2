"""The lane rule against a literal account of it, on random lanes."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.errors import DataError
from intarsia.metrics.lanes import lane_scores

ROWS = np.arange(160, 720, 10)


def literal(found: list[list[float]], truth: list[list[float]]) -> tuple[float, float, float]:
    """Lane by lane and row by row, as the benchmark's page describes it."""
    if len(found) > len(truth) + 2:
        return 0.0, 0.0, 1.0
    best = []
    for lane in truth:
        known = [(y, x) for y, x in zip(ROWS, lane, strict=True) if x >= 0]
        slope = 0.0
        if len(known) > 1:
            ys, xs = (np.array(side, float) for side in zip(*known, strict=True))
            slope = float(((ys - ys.mean()) * (xs - xs.mean())).sum() / ((ys - ys.mean()) ** 2).sum())
        limit = 20 / np.cos(np.arctan(slope))
        shares = [0.0]
        for other in found:
            right = 0
            for a, b in zip(other, lane, strict=True):
                a, b = (-100.0 if one < 0 else one for one in (a, b))
                right += abs(a - b) < limit
            shares.append(right / len(ROWS))
        best.append(max(shares))
    missed = sum(share < 0.85 for share in best)
    matched = len(truth) - missed
    if len(truth) > 4 and missed:
        missed -= 1
    total = sum(best) - (min(best) if len(truth) > 4 else 0)
    most = max(min(4.0, len(truth)), 1.0)
    return total / most, (len(found) - matched) / len(found) if found else 0.0, missed / most


@pytest.mark.parametrize("seed", range(30))
def test_as_the_literal_account(seed: int) -> None:
    random = np.random.default_rng(seed)

    def lanes(count: int) -> list[list[float]]:
        made = []
        for _ in range(count):
            lane = random.uniform(100, 1100) + random.uniform(-1.5, 1.5) * (ROWS - 400.0)
            made.append(np.where((lane < 0) | (random.integers(160, 400) > ROWS), -2, lane).tolist())
        return made

    truth = lanes(int(random.integers(0, 7)))
    found = [[x + random.normal(0, 14) if x >= 0 else x for x in lane] for lane in truth if random.random() < 0.8]
    found += lanes(int(random.integers(0, 3)))
    scores = lane_scores(found, truth, ROWS)
    assert (scores.accuracy, scores.false_positives, scores.false_negatives) == pytest.approx(literal(found, truth))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="column for each of the 56 rows"):
        lane_scores([[1.0, 2.0]], [ROWS.tolist()], ROWS)

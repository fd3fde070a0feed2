"""Lane markings as polynomials of the distance, from points of paint: RANSAC, then least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive.markings import REACH, Points

Floats = NDArray[np.float32]

MOST = 6  # lanes
APART = 1.3  # camera heights between two lanes, at least
_DRAWS = 500
_BEST = 10  # curves of which the best road is chosen
_TURN, _BEND = 0.15, 0.35  # how far from the vanishing point a curve may end, as shares of the picture's width
_LEAST_ROWS = 8
_CHANCE = 2.5  # times what clutter gives
_GRID = 0.03  # camera heights between places where a lane is looked for
_HELD = 0.02  # how firmly the horizon stays where it is
_BIN = 0.12  # camera heights
_PULL = 6.0  # points' worth of what the other lanes say of the curve


@dataclass(frozen=True)
class Curve:
    """A line on the road: its column is `x + across * d + bend / d` in the row `d` below the horizon.

    That is a polynomial of second degree in the bird's-eye view: place across by distance.

    Attributes:
        across: camera heights from the line ahead, at the vehicle.
        turn: columns that its far end lies right of the vanishing point, were it straight.
        bend: curvature, in columns times rows.
        near: first and last row below the horizon where paint supports it.
        rows: how many rows do.
    """

    across: float
    turn: float
    bend: float
    near: tuple[float, float] = (0.0, 0.0)
    rows: int = 0

    def offset(self, down: NDArray[np.floating] | float) -> NDArray[np.floating]:
        """Columns right of the vanishing point, in rows below the horizon."""
        return self.across * np.asarray(down) + self.turn + self.bend / np.asarray(down)


def fit_lanes(points: Points, width: int, *, seed: int = 0, before: tuple[float, float] | None = None) -> list[Curve]:
    """Fit the lane markings of a road, from left to right; none is a valid answer.

    Curves through three random points each are compared by the paint along them; of the best, the one is taken along
    whose parallels lies most. Each parallel is then fitted by itself, held to the common shape where its paint says
    little. A lane is more than what clutter gives by chance.

    Args:
        points: of paint.
        width: of the picture.
        seed: of the random choice: equal points give equal lanes.
        before: turn and bend of the frame before, which compete with what is drawn.
    """
    if len(points) < _LEAST_ROWS:
        return []
    shape = _shape(points, width, np.random.default_rng(seed), before)
    if shape is None:
        return []
    free = np.ones(len(points), bool)
    found: list[Curve] = []
    turned = points.across - _curve(points.down, *shape)
    grid = np.arange(-REACH, REACH, _GRID, dtype=np.float32)
    near = np.abs(grid[:, None] - turned) * points.down < _tolerance(points.down)
    open_ = np.ones(len(grid), bool)
    for _ in range(3 * MOST):
        support = np.where(open_, near @ (points.weight * free), 0)
        best = int(support.argmax())
        if support[best] < 0.4 * _LEAST_ROWS or len(found) == MOST:
            break
        lane = _refined(points, free, float(grid[best]), shape)
        open_ &= np.abs(grid - grid[best]) > 0.1
        if lane is None or any(abs(lane.across - other.across) < APART for other in found):
            continue
        found.append(lane)
        open_ &= np.abs(grid - lane.across) > 0.8 * APART
        free &= np.abs(points.across * points.down - lane.offset(points.down)) > 2 * _tolerance(points.down)
    return sorted(found, key=lambda lane: lane.across)


def horizon_error(points: Points, lanes: Sequence[Curve]) -> float:
    """Estimate by how many rows the horizon lies too low, from how lanes that are parallel run apart.

    With such an error each lane's far end moves by its place across, which least squares over all paint tell from the
    turn that lanes share. Two lanes at least are needed; 0.0 otherwise.
    """
    if len(lanes) < 2:
        return 0.0
    place, tolerance = points.across * points.down, _tolerance(points.down)
    missed = np.abs(np.stack([place - lane.offset(points.down) for lane in lanes])) / tolerance
    which, weight = missed.argmin(0), np.maximum(0, 1 - (missed.min(0) / 1.5) ** 2) * points.weight
    own = np.arange(len(lanes))[:, None] == which  # (L, N)
    moved = np.array([lane.across for lane in lanes])[which]
    basis = np.concatenate([own * points.down, [np.ones(len(points)), 1 / points.down, moved]]).T
    pull = np.zeros(len(lanes) + 3)
    pull[-1] = _HELD
    weighted = (weight / tolerance**2)[:, None] * basis
    found = np.linalg.solve(basis.T @ weighted + np.diag(pull) + 1e-9 * np.eye(len(pull)), weighted.T @ place)
    return float(found[-1])


def _tolerance(down: Floats) -> Floats:
    """Columns by which paint may miss its curve, in rows below the horizon."""
    return 1.5 + 0.02 * down


def _curve(down: Floats, turn: float, bend: float) -> Floats:
    return np.asarray(turn / down + bend / down**2, np.float32)


def _shape(
    points: Points, width: int, random: np.random.Generator, before: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Turn and bend that the lanes of a road share."""
    chosen = random.integers(0, len(points), (_DRAWS, 3))
    down, across = points.down[chosen].astype(np.float64), points.across[chosen].astype(np.float64)
    matrix = np.stack([np.ones_like(down), 1 / down, 1 / down**2], axis=-1)
    # Three points of nearly the same rows say nothing of a curve; two that lie far apart and a line do.
    spread = np.ptp(down, axis=1) > 0.1 * np.ptp(points.down)
    distinct = (down[:, 0] != down[:, 1]) & (down[:, 1] != down[:, 2]) & (down[:, 0] != down[:, 2]) & spread
    curves = np.linalg.solve(matrix[distinct], across[distinct][..., None])[..., 0]
    straight = _lines(down[distinct], across[distinct])
    curves = np.concatenate([curves, straight])
    if before is not None:
        curves = np.concatenate([curves, [[0.0, *before]]])
    far = float(points.down.min())
    fits = (np.abs(curves[:, 1]) < _TURN * width) & (np.abs(curves[:, 2]) < _BEND * width * far)
    curves = curves[fits].astype(np.float32)
    if not len(curves):
        return None
    missed = np.abs(
        points.across * points.down
        - (curves[:, :1] * points.down + curves[:, 1:2] + curves[:, 2:] / points.down)
    )  # fmt: skip
    single = (missed < _tolerance(points.down)) @ points.weight
    order = np.argsort(-single, kind="stable")[:_BEST]
    if before is not None and fits[-1]:
        order = np.append(order, len(curves) - 1)
    joint = [_together(points, curve) for curve in curves[order]]
    best = curves[order[int(np.argmax(joint))]]
    return float(best[1]), float(best[2])


def _lines(down: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    """Straight curves through the first two points of each draw."""
    turn = (across[:, 0] - across[:, 1]) / (1 / down[:, 0] - 1 / down[:, 1])
    return np.stack([across[:, 0] - turn / down[:, 0], turn, np.zeros_like(turn)], axis=1)


def _together(points: Points, curve: Floats) -> float:
    """How much paint lies along the parallels of a curve, few of them counting more than many."""
    turned = points.across - _curve(points.down, float(curve[1]), float(curve[2]))
    wide = _tolerance(points.down) / points.down
    count = round(2 * REACH / _BIN)
    bins = np.clip(((turned + REACH) / _BIN).astype(np.intp), 0, count - 1)
    held = np.bincount(bins, points.weight / np.maximum(1, wide / _BIN), minlength=count)
    pairs = held[:-1] + held[1:]
    return float(np.sort(pairs)[-2 * MOST :] @ np.sort(pairs)[-2 * MOST :])


def _refined(points: Points, free: NDArray[np.bool_], across: float, shape: tuple[float, float]) -> Curve | None:
    """The curve of one lane by least squares over its paint; None if that is no more than chance."""
    values = np.array([across, *shape])
    down, place = points.down.astype(np.float64), (points.across * points.down).astype(np.float64)
    basis = np.stack([down, np.ones_like(down), 1 / down], axis=1)
    scale = np.array([1.0, 4.0, 4.0 * float(down.min())])  # columns by which the shape of one lane may differ
    for share in (1.5, 1.0, 1.0):
        missed = np.abs(place - basis @ values) / _tolerance(points.down)
        weight = points.weight * free * np.maximum(0, 1 - (missed / share) ** 2) ** 2
        if (weight > 0).sum() < 3:
            return None
        error = (weight / _tolerance(points.down) ** 2)[:, None] * basis
        pull = np.diag([0.0, *(_PULL / scale[1:] ** 2)])
        values = np.linalg.solve(
            basis.T @ error + pull + 1e-9 * np.eye(3), error.T @ place + pull @ np.array([0.0, *shape])
        )
    held = free & (np.abs(place - basis @ values) < _tolerance(points.down))
    rows = np.unique(points.down[held])
    by_chance = points.clutter * float((2 * _tolerance(points.rows) / points.rows).sum()) if len(points.rows) else 0.0
    if len(rows) < max(_LEAST_ROWS, _CHANCE * by_chance):
        return None
    lateral, turn, bend = values.tolist()
    return Curve(lateral, turn, bend, (float(rows[0]), float(rows[-1])), len(rows))

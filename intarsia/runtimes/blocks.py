"""Labels without interpolating everything: where the four cells around a pixel agree, so does all that is between them.

Interpolation between four cells is a weighted mean of them. So a class that is ahead in all four is ahead anywhere
between them, and one that is nowhere as high as another is everywhere cannot win there: most pixels of a picture need
no comparison, and the others one of a few classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray
from intarsia.runtimes.axis import Axis, Blocks, Indices

Plane = NDArray[np.float32]

# How far rounding may move the difference of two classes: as a share of the largest logit, and, because OpenCV rounds
# the place between two cells to single precision, as a share of what lies between them for each cell of a row.
_SLACK, _SLACK_OF_PLACES = 2.0**-19, 2.0**-23
# Pixels that are compared at a time, so that they stay in the processor's cache, and logits around them.
_PIXELS, _LOGITS = 1 << 16, 1 << 20
# Where more of a picture is undecided, interpolating everything costs no more.
_MOST_UNDECIDED = 0.5


def decide_blocks(logits: Plane, rows: Axis, columns: Axis, dtype: np.dtype[Any]) -> tuple[LabelArray, Indices] | None:
    """Choose the best class of each pixel.

    Args:
        logits: (C, n, w) float32.
        rows: of the pixels, on the n cells.
        columns: of the pixels, on the w cells.
        dtype: of the labels.

    Returns:
        Labels (rows.size, columns.size), and the rows in which two classes are so close somewhere that rounding says
        which wins, so that everything has to be interpolated there. None where this would save nothing.
    """
    largest = float(np.abs(logits).max())
    unknown = np.iinfo(dtype).max
    if not np.isfinite(largest) or len(logits) > unknown:
        return None
    slack = largest * _SLACK
    down, across = rows.blocks, columns.blocks
    ahead = _leaders(logits, slack, dtype)
    agreed = _agreed(ahead[down.before], ahead[down.after], unknown)
    agreed = _agreed(agreed[:, across.before], agreed[:, across.after], unknown)
    undecided = agreed == unknown
    if undecided.mean() > _MOST_UNDECIDED:
        return None
    labels: LabelArray = agreed.take(across.of, axis=1).take(down.of, axis=0)
    ties = np.zeros(rows.size, bool)
    vertical, horizontal = np.nonzero(undecided)
    most = max(1, min(_PIXELS // int(down.size.max() * across.size.max()), _LOGITS // len(logits)))
    for start in range(0, len(vertical), most):
        part = slice(start, start + most)
        _compare(labels, ties, logits, (rows, vertical[part]), (columns, horizontal[part]), slack)
    return labels, np.flatnonzero(ties)


def _leaders(logits: Plane, slack: float, dtype: np.dtype[Any]) -> LabelArray:
    """The best class of each cell (n, w), where it is clearly ahead."""
    best, second = logits[0].copy(), np.full(logits.shape[1:], -np.inf, np.float32)
    leader: LabelArray = np.zeros(best.shape, dtype)
    for index, plane in enumerate(logits[1:], start=1):
        np.maximum(leader, (plane > best) * dtype.type(index), out=leader)
        np.maximum(second, np.minimum(best, plane), out=second)
        np.maximum(best, plane, out=best)
    leader[best - second <= slack] = np.iinfo(dtype).max
    return leader


def _agreed(one: LabelArray, other: LabelArray, unknown: int) -> LabelArray:
    return np.where(one == other, one, one.dtype.type(unknown))


def _compare(
    labels: LabelArray,
    ties: NDArray[np.bool_],
    logits: Plane,
    vertical: tuple[Axis, Indices],
    horizontal: tuple[Axis, Indices],
    slack: float,
) -> None:
    """Label the pixels of some blocks, given by their numbers down and across, by the classes that can win there."""
    (rows, i), (columns, j) = vertical, horizontal
    down, across = rows.blocks, columns.blocks
    sides = [(u[i], v[j]) for u in (down.before, down.after) for v in (across.before, across.after)]
    corners = np.stack([logits[:, u, v] for u, v in sides])  # (4, C, blocks)
    high, low = corners.max(axis=0), corners.min(axis=0)
    possible = high >= low.max(axis=0) - slack
    close = slack + ((high - low) * possible).max(axis=0) * (_SLACK_OF_PLACES * logits.shape[2])
    # Blocks with many classes first, so that those with one more are always the first ones.
    count = possible.sum(axis=0)
    order = np.argsort(-count, kind="stable")
    block, chosen = np.nonzero(possible[:, order].T)
    values = corners[:, chosen, order[block]]
    y, x = _pixels(down, i[order]), _pixels(across, j[order])
    dtype: np.dtype[Any] = labels.dtype
    classes: LabelArray = chosen.astype(dtype)
    found, lead = _winners(values, classes, count[order], rows.share[y][:, None], columns.share[x])
    labels.reshape(-1)[(y * columns.size)[:, None] + x] = found
    ties[y[(lead <= close[order]).any(axis=1)]] = True


def _winners(
    values: Plane, classes: LabelArray, count: Indices, down: Plane, across: Plane
) -> tuple[LabelArray, Plane]:
    """The best class of each pixel (h, w, B) of B blocks, and how far it is ahead; classes of a block stand together.

    Args:
        values: (4, all classes of all blocks) at the upper left, upper right, lower left and lower right cell.
        classes: rising in each block.
        count: (B,) classes of each block, most first.
        down: (h, 1, B), how much the lower cells count.
        across: (w, B), how much the right cells count.
    """
    first = np.cumsum(count) - count
    shape = (len(down), *across.shape)
    best, found = np.empty(shape, np.float32), np.empty(shape, classes.dtype)
    second = np.full(shape, -np.inf, np.float32)
    score, higher, label = np.empty(shape, np.float32), np.empty(shape, bool), np.empty(shape, classes.dtype)
    for turn in range(int(count[0])):
        some = np.s_[..., : int(np.searchsorted(-count, -turn))]
        which = first[some] + turn
        one, two, three, four = values[:, which]
        above = one + (two - one) * across[some]
        below = three + (four - three) * across[some]
        np.multiply(below - above, down[some], out=score[some])
        score[some] += above
        if turn == 0:
            best[:], found[:] = score, classes[which]
            continue
        np.greater(score[some], best[some], out=higher[some])
        np.multiply(higher[some], classes[which], out=label[some])
        np.maximum(found[some], label[some], out=found[some])
        np.maximum(second[some], np.minimum(best[some], score[some]), out=second[some])
        np.maximum(best[some], score[some], out=best[some])
    return found, best - second


def _pixels(blocks: Blocks, numbers: Indices) -> Indices:
    """The pixels (most, B) of B blocks; the last one again where a block has fewer."""
    size = blocks.size[numbers]
    pixels: Indices = blocks.start[numbers] + np.minimum(np.arange(size.max())[:, None], size - 1)
    return pixels

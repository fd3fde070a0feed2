"""Labels without interpolating everything: where the four cells around a pixel agree, so does all that is between them.

Interpolation between four cells is a weighted mean of them. So a class that is ahead in all four is ahead anywhere
between them, and one that is nowhere as high as another is everywhere cannot win there: most pixels of a picture need
no comparison, and the others one of a few classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray
from intarsia.runtimes.axis import Axis, Blocks, Indices

Plane = NDArray[np.float32]

# How far rounding may move the difference of two classes: as a share of the largest logit, and, because OpenCV rounds
# the place between two cells to single precision, as a share of what lies between them for each cell of a row.
_SLACK, _SLACK_OF_PLACES = 2.0**-18, 2.0**-23
# Pixels that are compared at a time, and logits around them: many enough that calls cost little beside the work, few
# enough for the cache.
_PIXELS, _LOGITS = 1 << 18, 1 << 20
# Where more of a picture is undecided, interpolating everything costs no more.
_MOST_UNDECIDED = 0.5


class Ties(NamedTuple):
    """Pixels where two classes are so close that rounding says which wins, so that they have to be interpolated.

    Attributes:
        pixels: (n,) their numbers, row by row.
        classes: rising, those that can win at one of them.
    """

    pixels: Indices
    classes: Indices


def decide_blocks(logits: Plane, rows: Axis, columns: Axis, dtype: np.dtype[Any]) -> tuple[LabelArray, Ties] | None:
    """Choose the best class of each pixel.

    Args:
        logits: (C, n, w) float32.
        rows: of the pixels, on the n cells.
        columns: of the pixels, on the w cells.
        dtype: of the labels.

    Returns:
        Labels (rows.size, columns.size), and where they are not sure. None where this would save nothing.
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
    vertical, horizontal = np.nonzero(undecided)
    most = max(1, min(_PIXELS // int(down.size.max() * across.size.max()), _LOGITS // len(logits)))
    parts = [slice(start, start + most) for start in range(0, len(vertical), most)]
    ties = [_compare(labels, logits, (rows, vertical[part]), (columns, horizontal[part]), slack) for part in parts]
    classes = np.zeros(len(logits), bool)
    for one in ties:
        classes[one.classes] = True
    return labels, Ties(np.concatenate([np.empty(0, np.intp), *(one.pixels for one in ties)]), np.flatnonzero(classes))


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
    labels: LabelArray, logits: Plane, vertical: tuple[Axis, Indices], horizontal: tuple[Axis, Indices], slack: float
) -> Ties:
    """Label the pixels of some blocks, given by their numbers down and across, by the classes that can win there."""
    (rows, i), (columns, j) = vertical, horizontal
    down, across = rows.blocks, columns.blocks
    sides = [(u[i], v[j]) for u in (down.before, down.after) for v in (across.before, across.after)]
    corners = np.stack([logits[:, u, v] for u, v in sides])  # (4, C, blocks)
    high, low = corners.max(axis=0), corners.min(axis=0)
    possible = high >= low.max(axis=0) - slack
    close = slack + ((high - low) * possible).max(axis=0) * (_SLACK_OF_PLACES * logits.shape[2])
    count = possible.sum(axis=0)
    tied, unsure = [np.empty(0, np.intp)], np.zeros(len(logits), bool)
    for some, find in ((np.flatnonzero(count == 2), _pairs), (np.flatnonzero(count != 2), _winners)):
        if not len(some):
            continue
        # Blocks with many classes first, so that those with one more are always the first ones.
        some = some[np.argsort(-count[some], kind="stable")]
        y, x = _pixels(down, i[some]), _pixels(across, j[some])
        found, lead = find(
            corners[:, :, some], possible[:, some], rows.share[y][:, None], columns.share[x], labels.dtype
        )
        pixels = (y * columns.size)[:, None] + x
        labels.reshape(-1)[pixels] = found
        near = lead <= close[some]
        tied.append(pixels[near])
        unsure |= possible[:, some[near.any(axis=(0, 1))]].any(axis=1)
    return Ties(np.concatenate(tied), np.flatnonzero(unsure))


def _pairs(
    corners: Plane, possible: NDArray[np.bool_], down: Plane, across: Plane, dtype: np.dtype[Any]
) -> tuple[LabelArray, Plane]:
    """As `_winners`, of blocks where two classes can win: their difference is interpolated, instead of both."""
    block = np.arange(corners.shape[2])
    first, second = possible.argmax(axis=0), len(possible) - 1 - possible[::-1].argmax(axis=0)
    one, two, three, four = corners[:, second, block] - corners[:, first, block]
    above = one + (two - one) * across
    below = three + (four - three) * across
    lead = (below - above) * down
    lead += above
    found: LabelArray = (lead > 0) * (second - first).astype(dtype)
    found += first.astype(dtype)
    return found, np.abs(lead, out=lead)


def _winners(
    corners: Plane, possible: NDArray[np.bool_], down: Plane, across: Plane, dtype: np.dtype[Any]
) -> tuple[LabelArray, Plane]:
    """The best class of each pixel (h, w, B) of B blocks, and how far it is ahead.

    Args:
        corners: (4, C, B) at the upper left, upper right, lower left and lower right cell.
        possible: (C, B) classes that can win; blocks with most of them first.
        down: (h, 1, B), how much the lower cells count.
        across: (w, B), how much the right cells count.
        dtype: of the labels.
    """
    block, chosen = np.nonzero(possible.T)
    values, classes = corners[:, chosen, block], chosen.astype(dtype)
    count = possible.sum(axis=0)
    first = np.cumsum(count) - count
    shape = (len(down), *across.shape)
    best, found = np.empty(shape, np.float32), np.empty(shape, dtype)
    second = np.full(shape, -np.inf, np.float32)
    score, higher, label = np.empty(shape, np.float32), np.empty(shape, bool), np.empty(shape, dtype)
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

"""Reading order: columns by the white between them, then lines from top to bottom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_COLUMN, _BLOCK = 0.8, 1.6  # white between columns and between blocks, in heights of a line


def reading_order(boxes: Floats, height: float) -> list[list[int]]:
    """Order lines by cutting the page along its white, again and again (Nagy & Seth, 1984).

    Args:
        boxes: (n, 4) left, top, right, bottom of each line's middle, the page's skew taken out.
        height: of most lines.

    Returns:
        Regions in reading order, each of them its lines' indices from top to bottom.
    """
    return _cut(np.arange(len(boxes)), boxes, height) if len(boxes) else []


def _cut(lines: Ints, boxes: Floats, height: float) -> list[list[int]]:
    for axis, white in ((0, _COLUMN), (1, _BLOCK)):
        parts = _parts(boxes[lines, axis], boxes[lines, axis + 2], white * height)
        if len(parts) > 1:
            return [region for part in parts for region in _cut(lines[part], boxes, height)]
    return [_rows(lines, boxes)]


def _parts(low: Floats, high: Floats, white: float) -> list[Ints]:
    """Indices of spans in groups that white divides, from the lowest on."""
    order = np.argsort(low, kind="stable")
    reached = np.maximum.accumulate(high[order])
    cuts = np.flatnonzero(low[order][1:] - reached[:-1] >= white) + 1
    return np.split(order, cuts)


def _rows(lines: Ints, boxes: Floats) -> list[int]:
    """Lines from top to bottom; those side by side from left to right."""
    middle = (boxes[lines, 1] + boxes[lines, 3]) / 2
    order = np.argsort(middle, kind="stable")
    half = np.median(boxes[lines, 3] - boxes[lines, 1]) / 2
    row = np.concatenate([[0], np.cumsum(np.diff(middle[order]) > half)])
    across = np.lexsort((boxes[lines[order], 0], row))
    return [int(index) for index in lines[order][across]]

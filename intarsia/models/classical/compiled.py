"""A forest's evaluation in compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_BLOCK = 256  # pixels that take each step together: their features stay in the processor's first cache


@njit(cache=True, nogil=True)
def add_shares(
    planes: NDArray[np.float32],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    left: NDArray[np.uint32],
    leaf: NDArray[np.uint32],
    depth: NDArray[np.int32],
    shares: NDArray[np.float32],
    total: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Add the class shares of the leaves that pixels `start` to `stop` fall into.

    All pixels of a block take a step before any takes the next: the steps of different pixels do not wait for each
    other, and no branch depends on them. Unsigned numbers spare the check for negative indices.

    Args:
        planes: (F, P) features.
        feature: (trees, nodes).
        threshold: (trees, nodes).
        left: (trees, nodes).
        leaf: (trees, nodes), number of a leaf.
        depth: (trees,), steps to take.
        shares: (trees, leaves, C).
        total: (C, P), added to.
        start: first pixel.
        stop: the one after the last.
    """
    at: Any = np.zeros(_BLOCK, np.uint32)
    for first in range(start, stop, _BLOCK):
        count = min(_BLOCK, stop - first)
        for tree in range(len(depth)):
            asked, limit, child = feature[tree], threshold[tree], left[tree]
            at[:] = 0
            for _ in range(depth[tree]):
                for i in range(count):
                    node = at[i]
                    at[i] = child[node] + np.uint32(planes[asked[node], np.uint64(first + i)] > limit[node])
            for i in range(count):
                found = leaf[tree, at[i]]
                for c in range(len(total)):
                    total[c, first + i] += shares[tree, found, c]

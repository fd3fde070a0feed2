"""What this machine can do at most: the floor under every timing."""

from __future__ import annotations

import time

import numpy as np

_SIDE, _ROUNDS = 1024, 5


def peak_gflops() -> float:
    """Measure the float32 arithmetic that matrices are multiplied with here, in thousand millions a second.

    The best of a few products of 1024x1024, by NumPy's BLAS and its threads; two operations a multiply-accumulate.
    """
    left = np.linspace(-1, 1, _SIDE * _SIDE, dtype=np.float32).reshape(_SIDE, _SIDE)
    right = np.ascontiguousarray(left.T)
    out = np.empty_like(left)
    best = float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        np.matmul(left, right, out=out)
        best = min(best, time.perf_counter() - start)
    return 2 * _SIDE**3 / best / 1e9

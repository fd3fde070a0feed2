"""The numbers of the permutohedral lattice that do not depend on the data.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", Eurographics 2010.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def scale(dims: int) -> NDArray[np.float32]:
    """(d,) factors from standard deviations to lattice units, so that the blur's standard deviation is 1 (3.1)."""
    axis = np.arange(dims)
    factors: NDArray[np.float64] = np.sqrt(2 / 3) * (dims + 1) / np.sqrt((axis + 1) * (axis + 2))
    return factors.astype(np.float32)


def gain(dims: int) -> float:
    """Compute the factor of the filter's result, so that the kernel's peak is about 1 (the authors' own code)."""
    return 1 / (1 + 2.0**-dims)


def keys(dims: int) -> NDArray[np.int64]:
    """(d + 1,) odd numbers, the last 0: a lattice point is known by the sum of its coordinates times these.

    The sum is taken modulo 2^64. The last coordinate follows from the others. The numbers are random, so two of a
    million points share a sum with a probability of about 1e-8.
    """
    random = np.random.default_rng(2010)
    return np.append(random.integers(-(2**62), 2**62, dims) * 2 + 1, 0).astype(np.int64)

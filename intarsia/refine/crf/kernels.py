"""What a pairwise term compares: Gaussian kernels over elements' features, in the terms that every backend shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError

Floats = NDArray[np.float32]
Normalisation = Literal["symmetric", "before", "after", "none"]

# Up to this standard deviation, in pixels, two convolutions are faster than the lattice.
WIDEST_CONVOLUTION = 2.0
# Beyond this many standard deviations, float32 cannot place elements in the lattice exactly enough.
_WIDEST_EXTENT = 1e6
# Subnormal numbers (below 1e-38) take many processors a hundred times as long as others. None arises where smaller
# factors count as 0: a value of 1e-9 moves no logit by more than that, and a weight is not known to more than 6e-8.
LEAST_VALUE = 2.0**-30
LEAST_WEIGHT = 2.0**-24
# A Gaussian on a grid is cut off at this many standard deviations, where it has fallen to 0.03 % of its peak.
_REACH = 4.0


@dataclass(frozen=True, eq=False)
class Features:
    """Elements are similar that lie close in a feature space: exp(-|f_i - f_j|^2 / 2).

    Attributes:
        values: (d, N) float32, in units of the kernel's standard deviation.
        normalisation: of the filter; "symmetric" divides by the root of each element's sum of kernel values on both
            sides, "before" and "after" by the sum on one side.

    Raises:
        DataError: not of this shape, not finite, or too far apart.
    """

    values: Floats
    normalisation: Normalisation = "symmetric"

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not self.values.size:
            raise DataError(f"features are an array (d, N) with at least one element, not {self.values.shape}")
        extent = np.ptp(self.values, axis=1).max()
        if not np.isfinite(extent):
            raise DataError("features hold values that are not finite; remove or repair those elements first")
        if extent > _WIDEST_EXTENT:
            raise DataError(f"features are up to {extent:.3g} standard deviations apart; check the units")

    @property
    def count(self) -> int:
        """N."""
        return int(self.values.shape[1])


@dataclass(frozen=True, eq=False)
class Grid:
    """Pixels are similar that lie close in the picture: a Gaussian of the distance alone.

    Attributes:
        size: (height, width).
        sigma: standard deviation in pixels, down and across.
        normalisation: as for `Features`.
    """

    size: tuple[int, int]
    sigma: tuple[float, float]
    normalisation: Normalisation = "symmetric"

    @property
    def count(self) -> int:
        """Number of pixels."""
        return self.size[0] * self.size[1]

    def features(self) -> Features:
        """The same kernel without the knowledge of a grid; x comes first, as in the authors' code."""
        return Features(stack((positions(*self.size)[::-1], self.sigma[::-1])), self.normalisation)

    def taps(self, axis: int) -> Floats:
        """The Gaussian at the whole distances from 0 on, until it is negligible or the picture ends."""
        sigma = self.sigma[axis]
        distance = np.arange(min(int(np.ceil(_REACH * sigma)), self.size[axis] - 1) + 1)
        taps = np.exp(-0.5 * (distance / sigma) ** 2)
        return taps[taps >= LEAST_WEIGHT].astype(np.float32)

    def sums(self, axis: int) -> NDArray[np.float64]:
        """The kernel's sum over the rows (axis 0) or columns (axis 1) around each; a pixel's is their product."""
        taps = self.taps(axis)
        whole = np.convolve(np.ones(self.size[axis]), np.concatenate([taps[:0:-1], taps]))
        return whole[len(taps) - 1 : len(whole) - len(taps) + 1]


Kernel = Features | Grid


def sides(sums: NDArray[Any], normalisation: Normalisation) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute what a filter's input and output are multiplied by, from the sum of kernel values at each element."""
    one = np.ones_like(sums)
    if normalisation == "none":
        return one, one
    if normalisation == "symmetric":
        return sums**-0.5, sums**-0.5
    return (1 / sums, one) if normalisation == "before" else (one, 1 / sums)


def positions(*size: int) -> Floats:
    """Coordinates of every element of a grid: (len(size), *size), those of the first axis first."""
    return np.stack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size), indexing="ij"))


def stack(*parts: tuple[Any, Any]) -> Floats:
    """Features in units of their standard deviations, side by side.

    Args:
        parts: pairs of values (k, *S) and their standard deviation: one number, or one for each of the k.

    Returns:
        (d, N) float32 for `dense_crf_nd`. Every feature starts at 0, so that large offsets, such as those of geographic
        coordinates, cost no precision.

    Raises:
        DataError: parts of different size, or a standard deviation that is not positive.
    """
    rows: list[Floats] = []
    for values, sigma in parts:
        array = np.asarray(values)
        flat = array.reshape(len(array), -1)
        deviations = np.ravel(sigma)
        if not (deviations > 0).all() or len(deviations) not in (1, len(flat)):
            raise DataError(
                f"a part's standard deviation is one positive number, or one for each of its {len(flat)} features, not "
                f"{deviations.tolist()}"
            )
        for row, deviation in zip(flat, np.broadcast_to(deviations, len(flat)), strict=True):
            wide = row.astype(np.float64)
            rows.append(((wide - wide.min()) / deviation).astype(np.float32))
    if len({len(row) for row in rows}) > 1:
        raise DataError(f"features differ in their number of elements: {', '.join(str(len(row)) for row in rows)}")
    return np.stack(rows)

"""The points of a cloud as the studio shows them: near ones side by side, and every beginning an even sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.media.clouds import CloudReader, PointCloud
from intarsia.media.clouds.cloud import lifted
from intarsia.media.clouds.names import COLORS

BLOCK = 1024
"""Points whose common box is known."""
_GOLDEN = 0.6180339887498949
_CELLS = 1023  # of the curve along the longest side
_SHARES = (0.01, 0.99)  # between which most points lie
_LEAST_SHARE = 1 / 16  # of a side that they fill, for 16 bits to be fine enough
# Of positions, by bytes. The highest number means: nowhere; 32-bit floats must tell it from all others.
_STEPS = {2: (1 << 16) - 2, 4: (1 << 32) - 1024}


@dataclass(frozen=True, eq=False)
class Points:
    """A cloud's points along a curve that stays in one place for long (Morton's).

    Places on the curve are what the arrays go by. What is sent goes by ranks: rank k is the place k * stride modulo the
    number of points, which strides over the curve by the golden ratio, so that the first points of any number are
    spread over all of the cloud, and as dense as it is.

    Attributes:
        xyz: (3, N) float64, from `origin`; NaN where the scanner saw nothing.
        origin: (3,) float64, the lowest coordinates.
        extent: (3,) float64, sides of the box.
        order: (N,) uint32, index in the file by place.
        stride: of the ranks, without a common factor with N.
        wide: bytes of a position that is sent: 2, or 4 where few points lie far off.
        intensity: (N,) uint8 by place, or None.
        colors: (N, 3) uint8 by place, or None.
    """

    xyz: NDArray[np.float64]
    origin: NDArray[np.float64]
    extent: NDArray[np.float64]
    order: NDArray[np.uint32]
    stride: int
    wide: int
    intensity: NDArray[np.uint8] | None
    colors: NDArray[np.uint8] | None

    def __len__(self) -> int:
        return len(self.order)

    @property
    def scale(self) -> NDArray[np.float64]:
        """(3,) what one step of a position that is sent means."""
        return np.where(self.extent > 0, self.extent, 1.0) / _STEPS[self.wide]

    @cached_property
    def ranks(self) -> NDArray[np.uint32]:
        """(N,) the rank of each point of the file."""
        found = np.empty(len(self), np.uint32)
        back = pow(self.stride, -1, len(self)) if len(self) > 1 else 0
        found[self.order] = (np.arange(len(self), dtype=np.int64) * back) % max(1, len(self))
        return found

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """(N,) by place, whether a point has coordinates."""
        known: NDArray[np.bool_] = ~np.isnan(self.xyz[0])
        return known

    def places(self, first: int, count: int) -> NDArray[np.int64]:
        """The places of consecutive ranks."""
        ranks = np.arange(first, min(first + count, len(self)), dtype=np.int64)
        return ranks * self.stride % max(1, len(self))

    def quantised(self, places: NDArray[np.int64]) -> NDArray[np.uint16] | NDArray[np.uint32]:
        """Positions (n, 3) in steps of `scale` from the origin; the highest number where there is none."""
        kind = np.dtype(f"u{self.wide}")
        steps = np.rint(self.xyz[:, places].T / self.scale)
        return np.where(np.isfinite(steps).all(axis=1, keepdims=True), steps, np.iinfo(kind).max).astype(kind)

    @cached_property
    def boxes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest coordinates (3, B) of each block of consecutive places."""
        starts = np.arange(0, len(self), BLOCK)
        return np.fmin.reduceat(self.xyz, starts, axis=1), np.fmax.reduceat(self.xyz, starts, axis=1)


def read_points(reader: CloudReader) -> tuple[Points, NDArray[np.int64] | None]:
    """Read a cloud for the studio.

    Args:
        reader: an opened cloud.

    Returns:
        The points, and the class codes (N,) that the file has, in its order; None where it has none.

    Raises:
        DataError: it is damaged.
    """
    cloud, _ = reader.some(reader.count, (*COLORS[:3], "intensity"))
    known: NDArray[np.bool_] = np.asarray(np.isfinite(cloud.xyz).all(axis=1))
    seen = cloud.xyz[known] if not known.all() else cloud.xyz
    origin = seen.min(axis=0) if len(seen) else np.zeros(3)
    extent = np.ptp(seen, axis=0) if len(seen) else np.zeros(3)
    wide = _width(seen, extent)
    order = _along_curve(cloud.xyz - origin, known, extent)
    xyz = np.empty((3, len(cloud)))
    for axis in range(3):
        xyz[axis] = cloud.xyz[order, axis]
        xyz[axis] -= origin[axis]
    if not known.all():
        xyz[:, ~known[order]] = np.nan
    colors = cloud.colors()[order] if cloud.colored else None
    intensity = _intensity(cloud)
    points = Points(
        xyz, origin, extent, order, _stride(len(cloud)), wide, None if intensity is None else intensity[order], colors
    )
    return points, cloud.label


def _width(xyz: NDArray[np.float64], extent: NDArray[np.float64]) -> int:
    """Bytes of a position: 4 where most points fill little of the box, because a few lie far off."""
    if not len(xyz):
        return 2
    some = xyz[:: max(1, len(xyz) // 100_000)]
    low, high = np.quantile(some, _SHARES, axis=0)
    return 4 if bool((high - low < _LEAST_SHARE * extent)[extent > 0].any()) else 2


def _along_curve(
    relative: NDArray[np.float64], known: NDArray[np.bool_], extent: NDArray[np.float64]
) -> NDArray[np.uint32]:
    """Sort points along Morton's curve; those of one cell by their index, those without a place last."""
    factor = _CELLS / (float(extent.max()) or 1.0)
    code = np.zeros(len(relative), np.uint64)
    for axis in range(3):
        cells = np.nan_to_num(relative[:, axis] * factor, nan=0.0, posinf=0.0, neginf=0.0).astype(np.uint64)
        code |= _apart(cells) << np.uint64(axis)
    code[~known] = 1 << 30
    keys = code << np.uint64(32) | np.arange(len(code), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def _apart(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Ten bits with two zeros between each."""
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        bits = (bits | bits << np.uint64(shift)) & np.uint64(mask)
    return bits


def _stride(count: int) -> int:
    """The number next to the golden share of a count that has no factor in common with it."""
    near = max(1, round(count * _GOLDEN))
    return next(stride for stride in _outwards(near) if np.gcd(stride, max(1, count)) == 1)


def _outwards(near: int) -> Iterator[int]:
    yield near
    for step in range(1, near + 2):
        yield near + step
        if near > step:
            yield near - step


def _intensity(cloud: PointCloud) -> NDArray[np.uint8] | None:
    """Intensity as grey, most of its values between black and white."""
    values: NDArray[Any] | None = cloud.fields.get("intensity")
    if values is None or not len(values) or not values.any():
        return None
    shown, _ = lifted(values)
    low, high = np.quantile(shown[:: max(1, len(shown) // 100_000)], _SHARES)
    gray: NDArray[np.uint8] = (((shown - low) / max(high - low, 1e-12)).clip(0, 1) * 255).astype(np.uint8)
    return gray

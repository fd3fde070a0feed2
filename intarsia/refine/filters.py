"""Cheaper than a CRF: filters that pull the edges of probabilities to those of the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError
from intarsia.refine.checks import check_image, check_probabilities
from intarsia.refine.crf.backends import BackendName, find_backend
from intarsia.refine.crf.inference import Array, bilateral, like, likely, to_numpy
from intarsia.refine.crf.kernels import Features

Floats = NDArray[np.float32]
# Where colours are proportional, the guided filter's windows are all but singular, and float32 has too few digits.
Reals = NDArray[np.floating[Any]]


def guided_filter(probs: Array, image: Any, *, radius: int = 3, epsilon: float = 1e-4, prune: float = 0.01) -> Array:
    """The guided filter with a colour guide (He, Sun and Tang, TPAMI 2013, section 3.5).

    In every window, each class's probabilities become a linear function of the picture's colours.

    Args:
        probs: softmax probabilities (C, H, W).
        image: the picture (H, W, 3), uint8 RGB.
        radius: of the window, which has 2 radius + 1 pixels a side.
        epsilon: variance of colours (of 0..1) below which a window counts as flat and is averaged.
        prune: classes that are nowhere this likely are left out and get 0.

    Returns:
        Probabilities (C, H, W), float32, in the form of `probs`.

    Raises:
        DataError: the probabilities do not sum to 1 or hold NaN, the picture is not uint8 RGB, or of another size.
        UsageError: an argument out of range.
    """
    if radius < 1 or not epsilon > 0:
        raise UsageError(f"radius is at least 1 and epsilon positive, not {radius} and {epsilon}")
    maps, picture, kept = _checked(probs, image, prune)
    guide = Guide(picture, radius, epsilon)
    out = np.zeros(maps.shape, np.float32)
    for index in kept:
        slopes, offset = guide.lines(maps[index].astype(np.float64))
        out[index] = offset + _dot(slopes, guide.channels)
    return like(probs, _normalised(out))


class Guide:
    """A picture whose colours lead the guided filter.

    Args:
        picture: (H, W, 3) uint8 RGB.
        radius: of the windows.
        epsilon: see `guided_filter`.
        kind: float64, or float32 where thousandths of the result do not count, which is twice as fast.

    Attributes:
        channels: its colours, 0 to 1, (H, W) each.
    """

    def __init__(
        self, picture: NDArray[np.uint8], radius: int, epsilon: float, kind: type[np.floating[Any]] = np.float64
    ) -> None:
        self.channels: list[Reals] = [channel.astype(kind) / kind(255) for channel in np.moveaxis(picture, 2, 0)]
        self._radius, self._count = radius, _box(np.ones(picture.shape[:2], kind), radius)
        self._mean: list[Reals] = [self._average(channel) for channel in self.channels]
        self._inverse = _inverse_covariance(self.channels, self._mean, self._count, radius, epsilon)

    def lines(self, values: Reals) -> tuple[list[Reals], Reals]:
        """What makes values (H, W) of colours: a slope for each channel and an offset, averaged over all windows."""
        average = self._average(values)
        shared: list[Reals] = [
            self._average(channel * values) - mean * average
            for channel, mean in zip(self.channels, self._mean, strict=True)
        ]
        slopes = [_dot(row, shared) for row in self._inverse]
        offset = average - _dot(slopes, self._mean)
        return [self._average(slope) for slope in slopes], self._average(offset)

    def _average(self, values: Reals) -> Reals:
        return _box(values, self._radius) / self._count


def joint_bilateral(
    probs: Array,
    image: Any,
    *,
    xy: float = 3.0,
    rgb: float = 6.0,
    prune: float = 0.01,
    backend: BackendName = "auto",
) -> Array:
    """Average each pixel's probabilities over pixels that are near and of similar colour.

    The cross bilateral filter (Eisemann and Durand, Petschnigg et al., SIGGRAPH 2004) on the permutohedral lattice.

    Args:
        probs: softmax probabilities (C, H, W).
        image: the picture (H, W, 3), uint8 RGB.
        xy: standard deviation in pixels.
        rgb: standard deviation in grey levels of 0..255.
        prune: classes that are nowhere this likely are left out and get 0.
        backend: as for `dense_crf`.

    Returns:
        Probabilities (C, H, W), float32, in the form of `probs`.

    Raises:
        DataError: the probabilities do not sum to 1 or hold NaN, the picture is not uint8 RGB, or of another size.
        UsageError: an argument out of range.
    """
    if not (xy > 0 and rgb > 0):
        raise UsageError(f"xy and rgb are standard deviations, positive numbers, not {xy} and {rgb}")
    maps, picture, kept = _checked(probs, image, prune)
    machine = find_backend(backend)
    chosen = np.ascontiguousarray(maps[kept].reshape(len(kept), -1), np.float32)
    kernel = machine.build(Features(bilateral(picture, xy, rgb).values, "after"))
    field = machine.mean_field(chosen, [(kernel, 1.0)])
    field.start(chosen)
    out = np.zeros(maps.shape, np.float32)
    out[kept] = field.messages().reshape(-1, *maps.shape[1:])
    return like(probs, _normalised(out))


def _checked(probs: Any, image: Any, prune: float) -> tuple[NDArray[Any], NDArray[np.uint8], list[int]]:
    maps, picture = to_numpy(probs), to_numpy(image)
    check_probabilities(maps)
    check_image(picture, maps.shape[1:])
    return maps, picture, likely(maps.reshape(len(maps), -1), prune)


def _box(values: Reals, radius: int) -> Reals:
    """Sums over windows, which end at the picture's border."""
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.boxFilter(values, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT))


def _dot(left: list[Reals], right: list[Reals]) -> Reals:
    """The scalar product of two vectors of maps."""
    product: Reals = left[0] * right[0] + left[1] * right[1] + left[2] * right[2]
    return product


def _inverse_covariance(
    guide: list[Reals], mean: list[Reals], count: Reals, radius: int, epsilon: float
) -> list[list[Reals]]:
    """Of the colours in each window, plus epsilon on the diagonal: rows of a symmetric 3x3 matrix of maps."""

    def covariance(i: int, j: int) -> Reals:
        return _box(guide[i] * guide[j], radius) / count - mean[i] * mean[j] + (epsilon if i == j else 0)

    rr, rg, rb = covariance(0, 0), covariance(0, 1), covariance(0, 2)
    gg, gb, bb = covariance(1, 1), covariance(1, 2), covariance(2, 2)
    a, b, c = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    d, e, f = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    scale = 1 / (rr * a + rg * b + rb * c)
    a, b, c, d, e, f = (entry * scale for entry in (a, b, c, d, e, f))
    return [[a, b, c], [b, d, e], [c, e, f]]


def _normalised(values: Floats) -> Floats:
    """Filters may overshoot: nothing below 0, and a sum of 1 again."""
    np.maximum(values, 0, out=values)
    values /= values.sum(0)
    return values

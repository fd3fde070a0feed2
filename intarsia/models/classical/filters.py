"""Gaussian derivatives of a plane, and the eigenvalues of 2x2 matrices at each pixel.

OpenCV filters: on a CPU they are many times as fast as separable convolutions in torch, take pictures smaller than the
filter, and give each pixel the same value, bit for bit, wherever a tile was cut (at multiples of 32 pixels).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_REACH = 3  # standard deviations at which a Gaussian is cut off: 0.3 % of its weight lies beyond


def radius(sigma: float) -> int:
    """Pixels on each side of a pixel that a Gaussian of this standard deviation weighs."""
    return math.ceil(_REACH * sigma)


class GaussianDerivatives:
    """Scale-normalised Gaussian derivatives: a derivative of order n is multiplied by sigma^n (Lindeberg 1998).

    So a ramp or a parabola of the same shape gives the same value at every scale.

    Args:
        sigma: standard deviation in pixels.
    """

    def __init__(self, sigma: float) -> None:
        x = np.arange(-radius(sigma), radius(sigma) + 1, dtype=np.float64)
        smooth = np.exp(-0.5 * (x / sigma) ** 2)
        smooth /= smooth.sum()
        # Sampled and cut off, the derivatives would answer x and x^2 a little wrong; filters are correlations here.
        first = x * smooth
        first *= sigma / (first @ x)
        second = (x**2 - sigma**2) * smooth
        second -= second.sum() * smooth
        second *= 2 * sigma**2 / (second @ x**2)
        self._kernels = [kernel.astype(np.float32) for kernel in (smooth, first, second)]

    def __call__(self, plane: Plane, across: int = 0, down: int = 0) -> Plane:
        """The plane's derivative of order `across` along x and `down` along y, 0 to 2; of orders 0, the plane blurred.

        Beyond its border a plane is mirrored.
        """
        kernels = self._kernels[across], self._kernels[down]
        filtered = cv2.sepFilter2D(plane, cv2.CV_32F, *kernels, borderType=cv2.BORDER_REFLECT)
        return np.asarray(filtered, dtype=np.float32).reshape(plane.shape)


def eigenvalues(xx: Plane, xy: Plane, yy: Plane) -> tuple[Plane, Plane]:
    """Larger and smaller eigenvalue of the symmetric matrices ((xx, xy), (xy, yy))."""
    half = np.float32(0.5)
    mean = half * (xx + yy)
    spread = np.sqrt((half * (xx - yy)) ** 2 + xy**2)
    return mean + spread, mean - spread

"""Small pictures, what a network might say about them, and brute-force kernels, for tests of refinement."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def scene(
    height: int = 48, width: int = 64, classes: int = 4, *, seed: int = 0, noise: float = 6.0
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.intp]]:
    """Probabilities (C, H, W), picture (H, W, 3) and truth (H, W): patches of one noisy colour, seen blurred."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(classes, max(2, height // 12), max(2, width // 12))).astype(np.float32)
    truth = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in coarse]).argmax(0)
    colors = random.integers(40, 216, (classes, 3))
    image = (colors[truth] + random.normal(size=(height, width, 3)) * noise).clip(0, 255).astype(np.uint8)
    logits = np.stack([cv2.GaussianBlur((truth == one).astype(np.float32), (0, 0), 3) for one in range(classes)]) * 6
    errors = random.normal(size=(classes, -(-height // 6), -(-width // 6))).astype(np.float32)
    logits += np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in errors])
    return softmax(logits), image, truth


def softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Over axis 0, in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(0))
    return (powers / powers.sum(0)).astype(np.float32)


def gaussian(features: NDArray[Any]) -> NDArray[np.float64]:
    """(N, N) kernel values of features (d, N), every pair."""
    wide = features.astype(np.float64)
    return np.exp(-0.5 * ((wide[:, :, None] - wide[:, None, :]) ** 2).sum(0))


def symmetric(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """A kernel divided by the roots of its sums on both sides."""
    root = kernel.sum(1) ** -0.5
    return root[:, None] * kernel * root[None]


def picture_features(image: NDArray[np.uint8], xy: float, rgb: float | None = None) -> NDArray[np.float64]:
    """(2 or 5, N): positions, and colours if `rgb` is given."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].reshape(2, -1)
    parts = [columns / xy, rows / xy]
    return np.stack(parts if rgb is None else [*parts, *(image.reshape(-1, 3).T / rgb)])


def mean_field(
    probs: NDArray[Any], kernels: list[tuple[NDArray[np.float64], float]], iterations: int
) -> NDArray[np.float64]:
    """Algorithm 1 of Krähenbühl and Koltun on matrices, in float64: (C, N) to (C, N)."""
    unary = np.log(np.maximum(probs.astype(np.float64), 1e-5))
    q = np.exp(unary) / np.exp(unary).sum(0)
    for _ in range(iterations):
        logits = unary + sum(weight * q @ kernel.T for kernel, weight in kernels)
        q = np.exp(logits - logits.max(0))
        q /= q.sum(0)
    return q


def lattice_filter(features: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float64]:
    """Splat, blur and slice of values (C, N), with a dictionary of lattice points (Adams et al. 2010, section 3)."""
    dims, count = features.shape
    sides = dims + 1
    axis = np.arange(dims)
    wide = features.astype(np.float64) * (np.sqrt(2 / 3) * sides / np.sqrt((axis + 1) * (axis + 2)))[:, None]
    points: dict[tuple[int, ...], NDArray[np.float64]] = {}
    homes = []
    for element in range(count):
        # Coordinates that sum to 0: the first is the sum of all features, each further one lacks the ones before it.
        tail = np.append(np.cumsum(wide[::-1, element])[::-1], 0)
        height = tail - np.arange(sides) * np.append(0, wide[:, element])
        base = np.floor(height / sides + 0.5).astype(int) * sides
        excess = base.sum() // sides
        order = np.argsort(-(height - base), kind="stable")
        if excess > 0:
            base[order[sides - excess :]] -= sides
        elif excess < 0:
            base[order[:-excess]] += sides
        order = np.argsort(-(height - base), kind="stable")
        gap = (height - base)[order] / sides
        weights = [1 - gap[0] + gap[-1], *(gap[dims - k] - gap[sides - k] for k in range(1, sides))]
        corners = []
        for k in range(sides):
            corner = base + k
            corner[order[sides - k :]] -= sides
            corners.append(tuple(corner.tolist()))
            points[corners[-1]] = points.get(corners[-1], 0) + weights[k] * values[:, element]
        homes.append(list(zip(corners, weights, strict=True)))
    for direction in range(sides):
        step = np.ones(sides, int)
        step[direction] -= sides
        blurred = {}
        for place, value in points.items():
            ahead, behind = (points.get(tuple((np.array(place) + s).tolist()), 0) for s in (step, -step))
            blurred[place] = value + 0.5 * (ahead + behind)
        points = blurred
    return np.stack([sum(weight * points[corner] for corner, weight in home) for home in homes], axis=1)

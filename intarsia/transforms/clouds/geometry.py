"""What the neighbourhood of a point looks like: normals, eigen-features, thinning, and the ground below."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import require

Floats = NDArray[np.float32]

_CHUNK = 1 << 17  # points whose neighbours are in memory at a time
_GROUND_CELL = 1.0  # metres
_GROUND_WINDOW = 25  # cells; wider than most roofs
_MOST_CELLS = 4_000_000
GROUND_REACH = _GROUND_CELL * (_GROUND_WINDOW + 2)
"""Metres around a point that decide its height above ground."""


def eigen(xyz: Floats, neighbours: int) -> tuple[Floats, Floats]:
    """Principal directions of each point's nearest neighbours (itself included).

    Args:
        xyz: (N, 3).
        neighbours: k.

    Returns:
        Eigenvalues (N, 3) of the covariance, falling, and unit normals (N, 3): the direction of the smallest. The sign
        of a normal is free; here it points upwards, and a level one to positive x, then y.
    """
    spatial = require("scipy.spatial", "clouds")
    values = np.zeros((len(xyz), 3), dtype=np.float32)
    normals = np.zeros((len(xyz), 3), dtype=np.float32)
    if not len(xyz):
        return values, normals
    tree = spatial.cKDTree(xyz)
    count = min(neighbours, len(xyz))
    for start in range(0, len(xyz), _CHUNK):
        rows = slice(start, start + _CHUNK)
        _, index = tree.query(xyz[rows], k=[*range(1, count + 1)])
        around = xyz[index].astype(np.float64)
        around -= around.mean(axis=1, keepdims=True)
        found, directions = np.linalg.eigh(around.transpose(0, 2, 1) @ around / count)
        values[rows] = found[:, ::-1].clip(min=0)
        normals[rows] = upwards(directions[:, :, 0])
    return values, normals


def upwards(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normals (N, 3) on the same lines that point upwards, and level ones to positive x, then y."""
    keys = np.where(np.abs(normals) > 1e-6, normals, 0)
    decisive = np.where(keys[:, 2] != 0, keys[:, 2], np.where(keys[:, 0] != 0, keys[:, 0], keys[:, 1]))
    return normals * np.where(decisive < 0, -1, 1)[:, None]


def shape_features(values: Floats, normals: Floats) -> Floats:
    """Linearity, planarity, sphericity (Demantke et al. 2011, ISPRS Archives), change of curvature and verticality.

    Returns:
        (N, 5), each 0..1; all 0 where all neighbours lie in one place.
    """
    first, second, third = np.sqrt(values).T
    top = np.maximum(first, 1e-9)
    total = np.maximum(values.sum(axis=1), 1e-12)
    columns = ((first - second) / top, (second - third) / top, third / top, values[:, 2] / total)
    spread = first > 1e-6
    vertical = np.where(spread, 1 - np.abs(normals[:, 2]), 0)
    return np.stack([*columns, vertical], axis=1).astype(np.float32)


def thin(xyz: NDArray[Any], voxel: float) -> NDArray[np.int64]:
    """One point of each cube of side `voxel`: the first in order. 0 keeps all.

    Returns:
        Rising indices.
    """
    if voxel <= 0 or not len(xyz):
        return np.arange(len(xyz))
    cells = np.floor(xyz / voxel).astype(np.int64)
    cells -= cells.min(axis=0)
    _, height, depth = (int(size) + 1 for size in cells.max(axis=0))
    _, first = np.unique((cells[:, 0] * height + cells[:, 1]) * depth + cells[:, 2], return_index=True)
    kept: NDArray[np.int64] = np.sort(first).astype(np.int64)
    return kept


def height_above_ground(xyz: NDArray[np.float64]) -> Floats:
    """Height in metres above the local ground.

    The ground is a morphological opening of the lowest points on a grid of 1 m (after Zhang et al. 2003, IEEE TGRS):
    what rises from it and is narrower than 25 m stands on it. A lone cell that is lower than all around it is noise.

    Args:
        xyz: (N, 3), z upwards, in metres. The grid lies at whole metres of these coordinates.
    """
    ndimage = require("scipy.ndimage", "clouds")
    if not len(xyz):
        return np.empty(0, dtype=np.float32)
    extent = float(np.prod((np.ptp(xyz[:, :2], axis=0) / _GROUND_CELL) + 1))
    cell = _GROUND_CELL * max(1.0, np.sqrt(extent / _MOST_CELLS))
    place = xyz[:, :2] / cell
    cells = np.floor(place).astype(np.int64)
    corner = cells.min(axis=0)
    rows, columns = (cells.max(axis=0) - corner + 1).tolist()
    flat = (cells[:, 0] - corner[0]) * columns + cells[:, 1] - corner[1]
    order = np.argsort(flat, kind="stable")
    starts = np.flatnonzero(np.diff(flat[order], prepend=-1))
    lowest = np.full(rows * columns, np.nan)
    lowest[flat[order][starts]] = np.minimum.reduceat(xyz[order, 2], starts)
    lowest = lowest.reshape(rows, columns)
    empty = np.isnan(lowest)
    if empty.any():
        nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
        lowest = lowest[tuple(nearest)]
    lowest = np.maximum(lowest, ndimage.minimum_filter(lowest, footprint=_RING) - 0.5)
    window = min(_GROUND_WINDOW, 2 * max(rows, columns) + 1)
    ground = ndimage.grey_opening(lowest, size=(window, window))
    below = ndimage.map_coordinates(ground, (place - corner - 0.5).T, order=1, mode="nearest")
    height: Floats = np.maximum(xyz[:, 2] - below, 0).astype(np.float32)
    return height


_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)


def spacing(xyz: Floats, sample: int = 20_000) -> float:
    """Median distance between nearest neighbours, over at most `sample` points.

    It is 0 when points lie in one place, or there is one point only.
    """
    spatial = require("scipy.spatial", "clouds")
    if len(xyz) < 2:
        return 0.0
    asked = xyz[:: max(1, len(xyz) // sample)]
    distance, _ = spatial.cKDTree(xyz).query(asked, k=[2])
    return float(np.median(distance))

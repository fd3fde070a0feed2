"""Neighbourhood operators on batches of points: exact, and where they run fastest.

On the CPU the searches are SciPy's k-d trees and fpsample's, on other devices dense distances, and in a network that is
being exported steps of their own (see `operators`). Points are rows (B, N, 3); indices are int64. Distances are
Euclidean and computed in float64 on the CPU.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intarsia.errors import UsageError, require
from intarsia.models.cloud import operators  # noqa: F401  (it defines torch.ops.intarsia)

_BUCKET_HEIGHT = 5
_PLAIN_CELLS = 1 << 22  # up to so many distances all are computed: the tree, which is quicker, starts where it likes
_DENSE_CELLS = 1 << 24  # distances held at a time on a device without trees
_LEAST_POWER = 1e-10
_MANY_QUERIES = 8192
_Found = tuple[NDArray[np.int64], NDArray[np.float64]]


def farthest_points(xyz: Tensor, count: int) -> Tensor:
    """Farthest point sampling (Eldar et al. 1997).

    The first point is chosen by its coordinates, not by its place, so that the order of the points does not matter. In
    blocks as networks see them it is the lowest one, which an exported network finds as well.

    Args:
        xyz: (B, N, 3).
        count: M, at most N.

    Returns:
        (B, M) indices; each is a point whose distance to those before it is largest.
    """
    if torch.compiler.is_exporting():
        return cast(Tensor, torch.ops.intarsia.farthest_points(xyz, count))
    if not 1 <= count <= xyz.shape[1]:
        raise UsageError(f"cannot sample {count} of {xyz.shape[1]} points")
    if xyz.device.type == "cpu" and importlib.util.find_spec("fpsample") is not None:
        clouds = _arrays(xyz, np.float32)
        return torch.from_numpy(np.stack([_farthest(points, count) for points in clouds]))
    picked = torch.empty(xyz.shape[0], count, dtype=torch.long, device=xyz.device)
    picked[:, 0] = xyz[:, :, 2].argmin(1)
    nearest = torch.full(xyz.shape[:2], torch.inf, device=xyz.device)
    rows = torch.arange(len(xyz), device=xyz.device)
    for step in range(1, count):
        last = xyz[rows, picked[:, step - 1]]
        torch.minimum(nearest, (xyz - last[:, None]).square().sum(-1), out=nearest)
        picked[:, step] = nearest.argmax(1)
    return picked


def _farthest(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    if len(points) == 1:
        return np.zeros(1, dtype=np.int64)
    fpsample = require("fpsample", "clouds")
    order = np.lexsort(points.T)
    if len(points) * count <= _PLAIN_CELLS:
        return order[np.asarray(fpsample.fps_sampling(points[order], count, start_idx=0), dtype=np.int64)]
    height = min(_BUCKET_HEIGHT, max(1, int(np.log2(len(points)))))
    picked = fpsample.bucket_fps_kdline_sampling(points[order], count, h=height, start_idx=0)
    return order[np.asarray(picked, dtype=np.int64)]


def nearest(query: Tensor, xyz: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` nearest points of each query.

    Args:
        query: (B, M, 3).
        xyz: (B, N, 3).
        count: k; clouds with fewer points repeat their nearest one.

    Returns:
        (B, M, k) indices, nearest first, and (B, M, k) distances.
    """
    return _search(query, xyz, 0.0, float("inf"), count)


def ball(query: Tensor, xyz: Tensor, radius: float, count: int) -> tuple[Tensor, Tensor]:
    """The `count` nearest points within a radius of each query.

    The rest is filled up with the nearest one, so that a maximum over them does not change. A query without any
    neighbour takes the nearest point of all, whatever its distance.

    Returns:
        (B, M, k) indices, and (B, M) the number of true neighbours among them, at most k.
    """
    index, distance = _search(query, xyz, 0.0, radius, count)
    found = torch.isfinite(distance).sum(-1)
    if not torch.compiler.is_exporting() and bool((found == 0).any()):  # the operator takes the nearest by itself
        lonely = found == 0
        index[lonely] = nearest(query, xyz, 1)[0][lonely].expand(-1, index.shape[-1])
    return index, found


def ring(query: Tensor, xyz: Tensor, inner: float, outer: float, count: int) -> tuple[Tensor, Tensor]:
    """Constraint-based k-NN of A-CNN (Komarichev et al. 2019, section 3.1): k nearest with inner <= distance < outer.

    Fewer are filled up by repeating the nearest found. Rings that share a radius never share a point.

    Returns:
        (B, M, k) indices, -1 throughout where a ring is empty; and (B, M) the number of points found, at most k.

    Raises:
        UsageError: the radii are not 0 <= inner < outer.
    """
    if not 0 <= inner < outer:
        raise UsageError(f"a ring needs 0 <= inner < outer, not {inner} and {outer}")
    index, distance = _search(query, xyz, inner, outer, count)
    found = torch.isfinite(distance).sum(-1)
    return index.masked_fill_((found == 0)[..., None], -1), found


def interpolation(query: Tensor, xyz: Tensor, count: int = 3, *, power: int = 2) -> tuple[Tensor, Tensor]:
    """Inverse distance weights of the nearest points (PointNet++, Qi et al. 2017, equation 2).

    Args:
        query: (B, M, 3).
        xyz: (B, N, 3).
        count: k; at most N are taken.
        power: of the distance. The paper squares it, the code of PointNeXt does not.

    Returns:
        (B, M, k) indices and (B, M, k) weights that add up to 1.
    """
    index, distance = nearest(query, xyz, min(count, xyz.shape[1]))
    weight = 1 / distance.pow(power).clamp_(min=_LEAST_POWER)
    return index, (weight / weight.sum(-1, keepdim=True)).to(xyz.dtype)


def _search(query: Tensor, xyz: Tensor, inner: float, outer: float, count: int) -> tuple[Tensor, Tensor]:
    """Indices and distances of the nearest points in inner <= d < outer, nearest first.

    Missing ones have an infinite distance and the index of the nearest found (of point 0 if there is none).
    """
    if torch.compiler.is_exporting():
        return cast(tuple[Tensor, Tensor], torch.ops.intarsia.search(query, xyz, inner, outer, count))
    find: Callable[..., tuple[Tensor, Tensor]] = _by_tree if xyz.device.type == "cpu" else _by_distances
    index, distance = find(query, xyz, inner, outer, min(count, xyz.shape[1]))
    if index.shape[-1] < count:
        more = count - index.shape[-1]
        index = torch.cat([index, index[..., :1].expand(*index.shape[:-1], more)], dim=-1)
        distance = torch.nn.functional.pad(distance, (0, more), value=torch.inf)
    missing = torch.isinf(distance)
    first = index[..., :1].masked_fill(missing[..., :1], 0)
    return torch.where(missing, first, index), distance


def _by_distances(query: Tensor, xyz: Tensor, inner: float, outer: float, count: int) -> tuple[Tensor, Tensor]:
    step = max(1, _DENSE_CELLS // max(1, xyz.shape[0] * xyz.shape[1]))
    parts = []
    for start in range(0, query.shape[1], step):
        chunk = query[:, start : start + step]
        distance = torch.cdist(chunk, xyz, compute_mode="donot_use_mm_for_euclid_dist")
        outside = (distance < inner) | (distance >= outer)
        parts.append(distance.masked_fill_(outside, torch.inf).topk(count, dim=-1, largest=False))
    return torch.cat([part.indices for part in parts], dim=1), torch.cat([part.values for part in parts], dim=1)


def _by_tree(query: Tensor, xyz: Tensor, inner: float, outer: float, count: int) -> tuple[Tensor, Tensor]:
    spatial = require("scipy.spatial", "clouds")

    def search(centres: NDArray[np.float64], points: NDArray[np.float64]) -> _Found:
        tree = spatial.cKDTree(points)
        if inner == 0:
            return _query(tree, centres, count, outer)
        return _query_ring(tree, centres, inner, outer, count)

    clouds = _arrays(query, np.float64), _arrays(xyz, np.float64)
    threads = min(torch.get_num_threads(), len(query))
    if threads > 1 and query.shape[1] < _MANY_QUERIES:  # else the queries of one cloud are shared out
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(search, *clouds))
    else:
        found = list(map(search, *clouds))
    indices, distances = zip(*found, strict=True)
    return torch.from_numpy(np.stack(indices)), torch.from_numpy(np.stack(distances))


def _query(tree: Any, centres: NDArray[np.float64], count: int, outer: float) -> _Found:
    distance, index = tree.query(
        centres, k=[*range(1, count + 1)], distance_upper_bound=outer, workers=_threads(centres)
    )
    return index.astype(np.int64), distance


def _query_ring(tree: Any, centres: NDArray[np.float64], inner: float, outer: float, count: int) -> _Found:
    """As `_query`, without what is nearer than `inner`.

    A tree cannot leave the inner part out, so as many more are asked for as lie within it; queries with similar
    numbers go together, or one dense spot would make all of them expensive.
    """
    within = tree.query_ball_point(centres, inner, return_length=True, workers=_threads(centres))
    index = np.full((len(centres), count), tree.n, dtype=np.int64)
    distance = np.full((len(centres), count), np.inf)
    groups = np.ceil(np.log2(within + count)).astype(np.int64)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        many = min(int(within[rows].max()) + count, tree.n)
        near, far = _query(tree, centres[rows], many, outer)
        # Distances are sorted, so that the ring is one run of each row.
        places = (far < inner).sum(axis=1)[:, None] + np.arange(count)
        inside = places < many
        places = np.minimum(places, many - 1)
        index[rows] = np.where(inside, np.take_along_axis(near, places, 1), tree.n)
        distance[rows] = np.where(inside, np.take_along_axis(far, places, 1), np.inf)
    return index, distance


def _threads(centres: NDArray[np.float64]) -> int:
    """Starting threads takes longer than they save on few queries."""
    return torch.get_num_threads() if len(centres) >= _MANY_QUERIES else 1


def _arrays(points: Tensor, dtype: type[np.floating]) -> NDArray[np.floating]:
    return np.ascontiguousarray(points.detach().numpy().astype(dtype, copy=False))

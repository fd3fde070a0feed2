"""Annular convolution (Komarichev et al. 2019, "A-CNN", section 3): rings, their order, and a circular kernel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from intarsia.models.cloud.layers import Shared, gather
from intarsia.models.cloud.neighbours import farthest_points, ring
from intarsia.models.cloud.pooled import PooledMLP

_LEAST = 1e-12


class Level(NamedTuple):
    """What one level of points passes on to the next: coordinates, features and unit normals, each (B, M, ...)."""

    xyz: Tensor
    features: Tensor
    normals: Tensor


class RingSpec(NamedTuple):
    """One ring of a level: radii in the unit of the coordinates, neighbours, and widths of its layers."""

    inner: float
    outer: float
    neighbours: int
    widths: Sequence[int]


def ring_order(neighbours: Tensor, centres: Tensor, normals: Tensor) -> Tensor:
    """Order the neighbours around their centre (section 3.2).

    They are projected onto the plane through the centre that the normal defines, and sorted by the angle from the
    first one, which stays in place; seen from the normal's tip they run clockwise.

    Args:
        neighbours: (B, M, k, 3) coordinates, the reference first.
        centres: (B, M, 3).
        normals: (B, M, 3) unit vectors.

    Returns:
        (B, M, k) permutation of the k slots. Neighbours in the centre's own place come with angle 0.
    """
    normal = normals[:, :, None]
    offset = neighbours - centres[:, :, None]
    flat = offset - (offset * normal).sum(-1, keepdim=True) * normal
    reference = flat[:, :, :1]
    length = flat.norm(dim=-1) * reference.norm(dim=-1)
    cosine = ((flat * reference).sum(-1) / length.clamp(min=_LEAST)).clamp(-1, 1)
    cosine = torch.where(length < _LEAST, torch.ones_like(cosine), cosine)
    side = (torch.linalg.cross(flat, reference.expand_as(flat)) * normal).sum(-1)
    # Falls from 1 (angle 0) over -1 (opposite) to -3 (once around): sorting by it sorts by the angle.
    key = torch.where(side >= 0, cosine, -cosine - 2)
    order = key[:, :, 1:].argsort(dim=-1, descending=True, stable=True) + 1
    return torch.nn.functional.pad(order, (1, 0))


class RingConv(nn.Module):
    """Layers of 1x3 convolutions around a ring, whose ends are joined, then the maximum over it (section 3.3).

    Args:
        inputs: features of a neighbour.
        widths: of the layers.
    """

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        sizes = [inputs, *widths]
        self.layers = nn.ModuleList([Shared(3 * a, b) for a, b in pairwise(sizes)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, k, C) ordered neighbours to (B, M, widths[-1])."""
        for layer in self.layers:
            x = layer(torch.cat([x, x.roll(-1, 2), x.roll(-2, 2)], dim=-1))
        return x.amax(dim=2)


class AnnularLevel(nn.Module):
    """Farthest points, the rings around them, and one RingConv each; their results are concatenated.

    Args:
        inputs: features of a point; 0 uses the coordinates alone.
        points: how many are sampled.
        rings: see `RingSpec`.
    """

    def __init__(self, inputs: int, points: int, rings: Sequence[RingSpec]) -> None:
        super().__init__()
        self.points, self.rings = points, tuple(rings)
        self.convs = nn.ModuleList([RingConv(inputs + 3, spec.widths) for spec in rings])
        self.width = sum(spec.widths[-1] for spec in rings)

    def forward(self, level: Level) -> Level:
        picked = farthest_points(level.xyz, cast(int, torch.sym_min(self.points, level.xyz.shape[1])))
        centres, normals = gather(level.xyz, picked), gather(level.normals, picked)
        pooled = []
        for spec, conv in zip(self.rings, self.convs, strict=True):
            index, found = ring(centres, level.xyz, spec.inner, spec.outer, spec.neighbours)
            # An empty ring is the centre itself; otherwise the farthest point found is the reference of the angles.
            index = torch.where(index < 0, picked[..., None], index)
            last = (found - 1).clamp(min=0)[..., None]
            swapped = index.scatter(2, last, index[..., :1])
            index = torch.cat([index.gather(2, last), swapped[..., 1:]], dim=-1)
            order = ring_order(gather(level.xyz, index), centres, normals)
            index = index.gather(2, order)
            offset = gather(level.xyz, index) - centres[:, :, None]
            pooled.append(conv(torch.cat([gather(level.features, index), offset], dim=-1)))
        return Level(centres, torch.cat(pooled, dim=-1), normals)


class GlobalLevel(nn.Module):
    """A shared MLP of coordinates and features, and the maximum over all points.

    Args:
        inputs: features of a point.
        widths: of the layers.
    """

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.mlp = PooledMLP(inputs + 3, widths)

    def forward(self, level: Level) -> Tensor:
        """Returns (B, widths[-1])."""
        pooled: Tensor = self.mlp(torch.cat([level.xyz, level.features], dim=-1))
        return pooled


def ring_fill(xyz: Tensor, points: int, rings: Sequence[tuple[float, float, int]]) -> list[float]:
    """How full the rings around sampled points are: the mean share of their k places that hold distinct points.

    Args:
        xyz: (B, N, 3).
        points: how many centres are sampled.
        rings: (inner, outer, k) of each.
    """
    centres = gather(xyz, farthest_points(xyz, min(points, xyz.shape[1])))
    return [float(ring(centres, xyz, *spec)[1].double().mean()) / spec[2] for spec in rings]


def radii_for(
    spacing: float, levels: int, *, first: float = 2.5
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Two touching rings a level, from the median distance between nearest neighbours; each level doubles them.

    Args:
        spacing: that distance, in the unit of the coordinates.
        levels: how many.
        first: outer radius of the first ring in multiples of `spacing`.
    """
    radii = [first * spacing * 2.0**level for level in range(levels)]
    return [((0.0, radius), (radius, 2 * radius)) for radius in radii]

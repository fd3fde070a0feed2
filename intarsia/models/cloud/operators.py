"""The searches among points as steps of a traced network: tracers see one operator each, and no trees.

They have no arithmetic of their own: who translates a trace says what each step is (`intarsia.exporting.neighbours`).
"""

from __future__ import annotations

import torch
from torch import Tensor

torch.library.define("intarsia::farthest_points", "(Tensor xyz, SymInt count) -> Tensor")
torch.library.define(
    "intarsia::search", "(Tensor query, Tensor xyz, float inner, float outer, int count) -> (Tensor, Tensor)"
)
torch.library.define("intarsia::shuffled", "(Tensor xyz) -> Tensor")


def farthest_points(xyz: Tensor, count: int) -> Tensor:
    """As `neighbours.farthest_points`: (B, N, 3) to indices (B, count)."""
    return xyz.new_empty(xyz.shape[0], count, dtype=torch.int64)


def search(query: Tensor, xyz: Tensor, inner: float, outer: float, count: int) -> tuple[Tensor, Tensor]:
    """As `neighbours.nearest` within a ring; a query whose ring is empty gets the nearest of all points.

    Returns:
        (B, M, count) indices, and float64 distances, infinite where there are too few.
    """
    shape = (*query.shape[:2], count)
    return query.new_empty(shape, dtype=torch.int64), query.new_empty(shape, dtype=torch.float64)


def shuffled(xyz: Tensor) -> Tensor:
    """The order (N,) in which a network that has learnt sees points (B, N, 3), as it draws it for a cloud of N."""
    return xyz.new_empty(xyz.shape[1], dtype=torch.int64)


for name, shapes in (("farthest_points", farthest_points), ("search", search), ("shuffled", shuffled)):
    torch.library.register_fake(f"intarsia::{name}", shapes)

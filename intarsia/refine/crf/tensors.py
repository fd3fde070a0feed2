"""The dense CRF in plain PyTorch: without Numba, on any device, and with gradients.

The same lattice and convolutions as in `compiled`, in terms of sorting, `embedding_bag` and shifted sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from intarsia.refine.crf import permutohedral
from intarsia.refine.crf.kernels import LEAST_VALUE, LEAST_WEIGHT, WIDEST_CONVOLUTION, Features, Grid, Kernel, sides

Floats = NDArray[np.float32]
Filter = Callable[[Tensor], Tensor]
"""From values (N, C) to filtered values (N, C), differentiable."""


def build(kernel: Kernel, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Filter:
    """The normalised filter for a kernel.

    Args:
        kernel: what to compare.
        device: where the values will be.
        dtype: their type.
    """
    if isinstance(kernel, Grid) and max(kernel.sigma) <= WIDEST_CONVOLUTION:
        return GridFilter(kernel, device, dtype)
    return LatticeFilter(kernel.features() if isinstance(kernel, Grid) else kernel, device, dtype)


class LatticeFilter:
    """Splat, blur and slice on the permutohedral lattice (Adams, Baek and Davis 2010)."""

    def __init__(self, kernel: Features, device: torch.device | str, dtype: torch.dtype) -> None:
        dims = len(kernel.values)
        keys = torch.from_numpy(permutohedral.keys(dims)).to(device)
        scale = torch.from_numpy(permutohedral.scale(dims)).to(device)
        sums, weights = _enclosing(torch.from_numpy(kernel.values).to(device).T * scale, keys)
        points, corners = torch.unique(sums, return_inverse=True)
        count = len(points)
        self._weights, self._corners = weights.to(dtype), corners.int()
        # The other way round: the elements around each point, one point after the other.
        order = torch.argsort(corners.reshape(-1), stable=True)
        self._starts = torch.searchsorted(corners.reshape(-1)[order], torch.arange(count, device=device)).int()
        self._elements, self._spread = (order // (dims + 1)).int(), self._weights.reshape(-1)[order]
        steps = keys.sum() - (dims + 1) * keys
        here = torch.arange(count, device=device)
        self._lines = [
            torch.stack([_find(points, points - step), here, _find(points, points + step)], 1).int() for step in steps
        ]
        self._taps = torch.tensor([0.5, 1.0, 0.5], device=device, dtype=dtype).expand(count, 3).contiguous()
        total = self._filtered(torch.ones(len(sums), 1, device=device, dtype=dtype), self._lines)
        self._before, self._after = (
            torch.from_numpy(side).to(device) for side in sides(total.cpu().numpy(), kernel.normalisation)
        )
        if kernel.normalisation == "none":
            self._after = self._after * permutohedral.gain(dims)

    def __call__(self, values: Tensor) -> Tensor:
        filtered: Tensor = _Linear.apply(values, self._forward, self._transposed)
        return filtered

    def _forward(self, values: Tensor) -> Tensor:
        return self._filtered(_significant(values) * self._before, self._lines) * self._after

    def _transposed(self, values: Tensor) -> Tensor:
        return self._filtered(_significant(values) * self._after, self._lines[::-1]) * self._before

    def _filtered(self, values: Tensor, lines: list[Tensor]) -> Tensor:
        points = _sums(self._elements, values, self._spread, self._starts)
        for line in lines:
            # A neighbour that does not exist is the row of zeros at the end.
            points = _sums(line, F.pad(points, (0, 0, 0, 1)), self._taps)
        return _sums(self._corners, points, self._weights)


class GridFilter:
    """Two exact one-dimensional convolutions."""

    def __init__(self, kernel: Grid, device: torch.device | str, dtype: torch.dtype) -> None:
        self._size = kernel.size
        self._taps = [kernel.taps(axis).tolist() for axis in (0, 1)]
        sums = np.outer(kernel.sums(0), kernel.sums(1)).reshape(-1, 1)
        self._before, self._after = (
            torch.from_numpy(side).to(device, dtype) for side in sides(sums, kernel.normalisation)
        )

    def __call__(self, values: Tensor) -> Tensor:
        filtered: Tensor = _Linear.apply(values, self._forward, self._transposed)
        return filtered

    def _forward(self, values: Tensor) -> Tensor:
        return self._filtered(_significant(values) * self._before) * self._after

    def _transposed(self, values: Tensor) -> Tensor:
        return self._filtered(_significant(values) * self._after) * self._before

    def _filtered(self, values: Tensor) -> Tensor:
        picture = values.view(*self._size, -1)
        for axis, taps in enumerate(self._taps):
            summed = picture * taps[0]
            length = picture.shape[axis]
            for distance, tap in enumerate(taps[1:], start=1):
                near, far = (0, length - distance), (distance, length - distance)
                summed.narrow(axis, *near).add_(picture.narrow(axis, *far), alpha=tap)
                summed.narrow(axis, *far).add_(picture.narrow(axis, *near), alpha=tap)
            picture = summed
        return picture.view(values.shape)


class MeanField:
    """Marginals of a dense CRF, improved step by step; as `compiled.meanfield.MeanField`, which see."""

    def __init__(
        self, energies: Floats, terms: Sequence[tuple[Filter, float | Floats]], device: torch.device | str = "cpu"
    ) -> None:
        self._unary = torch.from_numpy(energies).to(device).T.neg().contiguous()
        self._terms = [
            (kernel, affinity if isinstance(affinity, float) else torch.from_numpy(affinity).to(device))
            for kernel, affinity in terms
        ]
        self._marginals = torch.empty(0)

    def start(self, marginals: Floats | None = None) -> None:
        """Begin with what the unary energies say alone, or with given marginals (C, N)."""
        if marginals is None:
            self._marginals = self._unary.softmax(1)
        else:
            self._marginals = torch.from_numpy(marginals).to(self._unary.device).T.contiguous()

    @torch.no_grad()
    def step(self) -> None:
        """One parallel update of all marginals."""
        self._marginals = step(self._unary, self._marginals, self._terms)

    @torch.no_grad()
    def messages(self) -> Floats:
        """Compute what the pairwise terms add to the log-probabilities, (C, N)."""
        zero = torch.zeros_like(self._unary)
        return gather(zero, self._marginals, self._terms).T.cpu().numpy()

    def read(self, out: Floats, rows: Sequence[int]) -> None:
        """Put the marginals of class i into ``out[rows[i]]``, (N,) each."""
        out[list(rows)] = self._marginals.T.cpu().numpy()


def gather(unary: Tensor, marginals: Tensor, terms: Sequence[tuple[Filter, float | Tensor]]) -> Tensor:
    """Logits (N, C): the unary ones, and for each term the filtered marginals times the term's affinity."""
    logits = unary
    for kernel, affinity in terms:
        filtered = kernel(marginals)
        logits = logits + (affinity * filtered if isinstance(affinity, float) else filtered @ affinity.T)
    return logits


def step(unary: Tensor, marginals: Tensor, terms: Sequence[tuple[Filter, float | Tensor]]) -> Tensor:
    """The next marginals (N, C)."""
    return gather(unary, marginals, terms).softmax(1)


class _Linear(torch.autograd.Function):
    """A linear operator whose gradient is its transpose; nothing has to be kept for it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, forward: Filter, transposed: Filter) -> Tensor:
        ctx.transposed = transposed
        return forward(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed(gradients[0]), None, None


def _significant(values: Tensor) -> Tensor:
    """Values and gradients, with 0 for what is negligible beside the largest; see `kernels.LEAST_VALUE`."""
    magnitude = values.abs()
    return values.masked_fill(magnitude < LEAST_VALUE * magnitude.amax(), 0)


def _sums(rows: Tensor, table: Tensor, weights: Tensor, starts: Tensor | None = None) -> Tensor:
    """Weighted sums of the table's rows: of each line of `rows`, or between `starts` if `rows` is flat."""
    return F.embedding_bag(rows, table, starts, mode="sum", per_sample_weights=weights)


def _enclosing(positions: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """The corners of the simplex around each element: (N, d + 1) key sums in int64, and barycentric weights."""
    count, dims = positions.shape
    around = dims + 1
    # Onto the hyperplane whose coordinates sum to 0.
    rest = F.pad(positions.flip(1).cumsum(1).flip(1), (0, 1))
    height = rest - F.pad(positions, (1, 0)) * torch.arange(around, device=positions.device)
    # The nearest point all of whose coordinates are multiples of d + 1, and the order of the remainders.
    multiple = (height / around + 0.5).floor()
    surplus = multiple.sum(1, keepdim=True).long()
    base = multiple * around
    order = torch.argsort(height - base, dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(around, device=order.device).expand(count, -1))
    rank += surplus
    wrap = (rank < 0).long() - (rank > dims).long()
    rank += wrap * around
    base += wrap * around
    # By rank instead of by axis.
    ordered = torch.empty_like(height).scatter_(1, rank, (height - base) / around)
    owner = torch.empty_like(rank).scatter_(1, rank, torch.arange(around, device=rank.device).expand(count, -1))
    weights = torch.cat([ordered[:, dims:] + 1 - ordered[:, :1], (ordered[:, :-1] - ordered[:, 1:]).flip(1)], 1)
    weights = weights.masked_fill(weights.abs() < LEAST_WEIGHT, 0)
    climbs = keys.sum() - around * keys[owner[:, 1:].flip(1)]
    first = (base.long() * keys).sum(1, keepdim=True)
    return torch.cat([first, climbs], 1).cumsum(1), weights


def _find(points: Tensor, wanted: Tensor) -> Tensor:
    """Positions of `wanted` in the sorted `points`; their number for what is not among them."""
    place = torch.searchsorted(points, wanted).clamp_(max=len(points) - 1)
    return torch.where(points[place] == wanted, place, len(points))

"""Wide shared layers of which only the maximum over the points is used: their result is never held as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from intarsia.models.cloud.layers import MLP, RowNorm, Shared

_ROWS = 4096  # points, over all clouds, that are multiplied at a time: few calls, whose results stay in the cache


class PooledMLP(MLP):
    """Shared layers one after the other, and the maximum of the last one over the points of each cloud."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, inputs) to (B, widths[-1])."""
        *layers, last = self
        for layer in layers:
            x = layer(x)
        assert isinstance(last, Shared)
        return pooled(last, x)


def pooled(layer: Shared, x: Tensor) -> Tensor:
    """``layer(x).amax(dim=1)`` of points (B, N, inputs): (B, outputs), on CPUs without the (B, N, outputs) between.

    Where several points tie, one of them carries the gradient, not a share each.
    """
    most: Tensor
    norm, count = layer.norm, x.shape[0] * x.shape[1]
    in_parts = (
        not torch.compiler.is_compiling()
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and count > 1  # one row has no statistics
    )
    if not layer.training:
        weight, bias = layer.folded()
        if in_parts and not torch.is_grad_enabled():
            most = torch.stack([product.amax(dim=2) for _, product in _products(x, weight)]).amax(dim=0)
        else:
            most = F.linear(x, weight).amax(dim=1)
        most = layer.activate(
            most if bias is None else most + bias
        )  # both keep the order, and can wait for the maximum
    elif in_parts and type(norm) is RowNorm and norm.training and not layer.slope:
        linear = layer.linear
        most, mean, variance = _Pooled.apply(x, linear.weight, linear.bias, norm.weight, norm.bias, norm.eps)
        norm.follow(mean, variance, count)
    else:
        most = layer(x).amax(dim=1)
    return most


def _products(x: Tensor, weight: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Products of the points (B, N, I) with (O, I), some points of all clouds at a time: the first one, and (B, O, n).

    Each product takes the memory of the one before.
    """
    weights = weight.expand(len(x), -1, -1)
    step = min(x.shape[1], max(1, _ROWS // len(x)))
    memory = x.new_empty(len(x) * len(weight) * step)
    for start in range(0, x.shape[1], step):
        part = x[:, start : start + step].transpose(1, 2)
        product = memory[: len(x) * len(weight) * part.shape[2]].view(len(x), len(weight), -1)
        yield start, torch.bmm(weights, part, out=product)


def _most_and_where(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The largest product of a point of each cloud (B, N, I) with each row of (O, I), and that point: two (B, O)."""
    values, places = [], []
    for start, product in _products(x, weight):
        most, place = product.max(dim=2)
        values.append(most)
        places.append(place + start)
    most, part = torch.stack(values).max(dim=0)
    return most, torch.stack(places).gather(0, part[None])[0]


class _Pooled(torch.autograd.Function):
    """The maximum over the points of relu(norm(y)), where y = W x + b, with the statistics of the batch.

    Mean and variance of y follow from mean m and covariance C of the inputs, which are fewer: W m + b, and the diagonal
    of W C W'. The norm is then a scale and a shift of each output, and part of the product; b cancels. Only the points
    that have the maximum get a gradient g of their own. All get what goes through the statistics, which is affine in x:
    with n points in all, deviations d and the sums u of g and v of g z,

        dL/dy = gamma / d (g - u / n - z v / n),  z = W (x - m) / d,

    and its products with x and W need nothing of the size of y.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, gamma: Tensor, beta: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows = x.flatten(0, 1)
        centre = rows.mean(dim=0)
        spread = weight @ torch.cov(rows.t(), correction=0).view(len(centre), -1)
        variance = (spread * weight).sum(dim=1).clamp_(min=0)
        inverse = torch.rsqrt(variance + eps)
        scaled = weight * (gamma * inverse)[:, None]
        most, place = _most_and_where(x, scaled)
        out = F.relu_(most + (beta - scaled @ centre))
        mean = weight @ centre + bias
        ctx.save_for_backward(x, weight, scaled, gamma, inverse, centre, spread, place, out)
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scaled, gamma, inverse, centre, spread, place, out = ctx.saved_tensors
        rows, scale = x.flatten(0, 1), gamma * inverse
        own = torch.where(out > 0, grads[0], 0)  # (B, O): g at the points of the maximum
        place = (place + x.shape[1] * torch.arange(len(x))[:, None]).flatten()
        total = own.sum(dim=0)
        moment = (own[..., None] * rows[place].view(*own.shape, -1)).sum(dim=0) - total[:, None] * centre
        d_gamma = inverse * (moment * weight).sum(dim=1)
        d_weight = scale[:, None] * (moment - (inverse * d_gamma)[:, None] * spread)
        d_x = None
        if ctx.needs_input_grad[0]:
            through_variance = weight.t() @ (weight * (scale * inverse * d_gamma / len(rows))[:, None])
            through_mean = (scale * total / len(rows)) @ weight
            d_x = torch.addmm(centre @ through_variance - through_mean, rows, through_variance, alpha=-1)
            d_x = d_x.index_add_(0, place, (own[..., None] * scaled).flatten(0, 1)).view_as(x)
        return d_x, d_weight, torch.zeros_like(scale), d_gamma, total, None

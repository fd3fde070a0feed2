"""Batch-norms whose statistics are those of all processes together."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F


class SyncedBatchNorm(nn.BatchNorm2d):
    """Batch-norm of (N, C, ...) whose statistics are those of all processes' batches together, on any device.

    torch.nn.SyncBatchNorm is for GPUs only. timm's norm-with-activation layers are covered too.
    """

    def forward(self, input: Tensor) -> Tensor:
        x = normalised(self, input)
        for name in ("drop", "act"):
            layer = getattr(self, name, None)
            if layer is not None:
                x = layer(x)
        return x


def synchronise_norms(model: nn.Module) -> None:
    """Switch every batch-norm of `model` to its synchronised form, in place; weights and names stay.

    A norm that needs another form than `SyncedBatchNorm` names it as its ``synchronised``.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.__class__ = getattr(module, "synchronised", SyncedBatchNorm)


def normalised(norm: nn.BatchNorm1d | nn.BatchNorm2d, input: Tensor) -> Tensor:
    """(N, C, ...) normalised with the statistics of all processes, or in eval mode with the running ones.

    Processes send each other one message on the way forward and one on the way back.
    """
    if not norm.training or norm.running_mean is None or norm.running_var is None:
        return F.batch_norm(input, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    x = input.to(torch.promote_types(input.dtype, torch.float32))
    with torch.no_grad():
        count, mean, variance = _of_all_processes(x)
        # One value has no statistics; it keeps the running ones.
        mean = torch.where(count > 1, mean, norm.running_mean)
        variance = torch.where(count > 1, variance, norm.running_var)
        momentum = norm.momentum or 0.0
        norm.running_mean.lerp_(mean, momentum)
        norm.running_var.lerp_(variance * torch.where(count > 1, count / (count - 1), 1.0), momentum)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
    out: Tensor = _Normalise.apply(x, norm.weight, norm.bias, count, mean, variance, norm.eps)
    return out.to(input.dtype)


def _of_all_processes(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number of values a channel, their mean and their variance, of the (N, C, ...) of all processes together."""
    channels = x.shape[1]
    mine = x.new_zeros(2 * channels + 1)
    if x.numel():
        mine[:channels], mine[channels:-1] = torch.batch_norm_update_stats(x, None, None, 0.0)
        mine[-1] = x.numel() // channels
    everyone = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, mine)
    means, variances, counts = torch.split(torch.stack(everyone), [channels, channels, 1], dim=1)
    count = counts.sum()
    shares = counts / count
    mean = (shares * means).sum(0)
    # Not the mean of the squares less the square of the mean, which loses all digits far from zero.
    return count, mean, (shares * (variances + (means - mean).square())).sum(0)


class _Normalise(torch.autograd.Function):
    """Batch-norm with statistics that depend on the values of all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, count: Tensor, mean: Tensor, variance: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, weight, count, mean, variance)
        ctx.eps = eps
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, count, mean, variance = ctx.saved_tensors
        weight_grad, bias_grad = _summed(grads[0], x, weight, mean, variance, ctx.eps)
        sums = torch.stack([weight_grad, bias_grad])
        dist.all_reduce(sums)
        # The statistics followed x, unless there was one value of it.
        along, constant = sums * torch.where(count > 1, 1 / count, 0.0)
        rate = torch.rsqrt(variance + ctx.eps)
        mean, along, constant, scale = (
            factor.view((1, -1) + (1,) * (x.ndim - 2))
            for factor in (mean, -weight * rate.square() * along, -weight * rate * constant, weight * rate)
        )
        x_grad = torch.addcmul(constant, x - mean, along).addcmul_(grads[0], scale)
        # Of the weights this process's share alone: those of all are averaged when the pass is over.
        return x_grad, weight_grad, bias_grad, None, None, None, None


def _summed(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, variance: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """Sums of the gradient times the normalised x, and of the gradient, by channel, of this process."""
    if not x.numel():
        return torch.zeros_like(mean), torch.zeros_like(mean)
    _, weight_grad, bias_grad = torch.ops.aten.native_batch_norm_backward(
        grad, x, weight, mean, variance, None, None, False, eps, [False, True, True]
    )
    return weight_grad, bias_grad

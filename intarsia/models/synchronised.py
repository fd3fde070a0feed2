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
    """(N, C, ...) normalised with the statistics of all processes, or in eval mode with the running ones."""
    if not norm.training or norm.running_mean is None or norm.running_var is None:
        return F.batch_norm(input, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    x = input.to(torch.promote_types(input.dtype, torch.float32))
    channels, others = (1, -1) + (1,) * (x.ndim - 2), [0, *range(2, x.ndim)]
    sums: Tensor = _SumOverProcesses.apply(torch.cat([x.sum(others), x.new_tensor([x.numel() // x.shape[1]])]))
    count = sums[-1]
    mean = sums[:-1] / count
    # In two steps: the mean of the squares less the square of the mean loses all digits far from zero.
    squares: Tensor = _SumOverProcesses.apply((x - mean.view(channels)).square().sum(others))
    # One value has no statistics; it keeps the running ones.
    mean = torch.where(count > 1, mean, norm.running_mean)
    variance = torch.where(count > 1, squares / count, norm.running_var)
    with torch.no_grad():
        momentum = norm.momentum or 0.0
        norm.running_mean.lerp_(mean, momentum)
        norm.running_var.lerp_(variance * torch.where(count > 1, count / (count - 1), 1.0), momentum)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    out: Tensor = (x - mean.view(channels)) * scale.view(channels) + norm.bias.view(channels)
    return out.to(input.dtype)


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        dist.all_reduce(total)
        return total

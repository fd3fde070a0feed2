"""Data-parallel training under ``torchrun``: process group, sums over processes, and synchronised batch-norm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.metrics import ConfusionMatrix
from intarsia.models.cloud.layers import RowNorm


@dataclass(frozen=True)
class World:
    """This process among all: 0-based rank, number of processes, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0


def is_main_process() -> bool:
    """Whether this process speaks for all that ``torchrun`` started; true without ``torchrun``."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def join_world() -> Iterator[World]:
    """Join the process group that ``torchrun`` announces, or be a world of one."""
    cuda = torch.cuda.is_available()
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World(0, 1, torch.device("cuda" if cuda else "cpu"))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if cuda:
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(
            dist.get_rank(), dist.get_world_size(), torch.device("cuda", local) if cuda else torch.device("cpu")
        )
    finally:
        dist.destroy_process_group()


def sum_confusion(matrix: ConfusionMatrix, world: World) -> None:
    """Add up the counts of all processes, in place."""
    if world.size > 1:
        counts = torch.from_numpy(matrix.counts).to(world.device)
        dist.all_reduce(counts)
        matrix.counts[:] = counts.cpu().numpy()


def first_says(flag: bool, world: World) -> bool:
    """The main process's value of a flag, in every process."""
    if world.size == 1:
        return flag
    shared = torch.tensor(int(flag), device=world.device)
    dist.broadcast(shared, src=0)
    return bool(shared)


class SyncedBatchNorm(nn.BatchNorm2d):
    """Batch-norm of (N, C, ...) whose statistics are those of all processes' batches together, on any device.

    torch.nn.SyncBatchNorm is for GPUs only. timm's norm-with-activation layers are covered too.
    """

    def forward(self, input: Tensor) -> Tensor:
        x = _normalised(self, input)
        for name in ("drop", "act"):
            layer = getattr(self, name, None)
            if layer is not None:
                x = layer(x)
        return x


class SyncedRowNorm(RowNorm):
    """`RowNorm` whose statistics are those of all processes' rows together, however many each of them has."""

    def forward(self, input: Tensor) -> Tensor:
        return _normalised(self, input.reshape(-1, input.shape[-1])).view(input.shape)


def _normalised(norm: nn.BatchNorm1d | nn.BatchNorm2d, input: Tensor) -> Tensor:
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


def synchronise_norms(model: nn.Module) -> None:
    """Switch every batch-norm of `model` to its synchronised form, in place; weights and names stay."""
    for module in model.modules():
        if isinstance(module, RowNorm):
            module.__class__ = SyncedRowNorm
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.__class__ = SyncedBatchNorm

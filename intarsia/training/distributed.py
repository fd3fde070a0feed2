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
    """Batch-norm whose statistics are those of all processes' batches together, on any device.

    torch.nn.SyncBatchNorm is for GPUs only. timm's norm-with-activation layers are covered too.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            out = F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
            return self._activate(out)
        x = input.float()
        sums = torch.stack(
            [x.sum((0, 2, 3)), x.square().sum((0, 2, 3)), torch.full_like(x[0, :, 0, 0], x.numel() / x.shape[1])]
        )
        total: Tensor = _SumOverProcesses.apply(sums)
        count = total[2]
        mean = total[0] / count
        variance = total[1] / count - mean.square()
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                momentum = self.momentum or 0.0
                unbiased = variance * count / (count - 1).clamp(min=1)
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(unbiased, momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return self._activate((x * scale[:, None, None] + shift[:, None, None]).to(input.dtype))

    def _activate(self, x: Tensor) -> Tensor:
        for name in ("drop", "act"):
            layer = getattr(self, name, None)
            if layer is not None:
                x = layer(x)
        return x


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
    """Switch every batch-norm of `model` to `SyncedBatchNorm`, in place; weights and names stay."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = SyncedBatchNorm

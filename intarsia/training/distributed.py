"""Data-parallel training under ``torchrun``: the process group, and sums over processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

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

"""Training by many processes under ``torchrun``: the group, sums over processes, and what the first one says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from intarsia.errors import ModelError, UsageError
from intarsia.metrics import ConfusionMatrix
from intarsia.training.meeting import met


@dataclass(frozen=True)
class World:
    """This process among all: 0-based rank, number of processes, its device, and the process that started it."""

    rank: int
    size: int
    device: torch.device
    launcher: int = field(default_factory=os.getppid)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    @property
    def is_orphan(self) -> bool:
        """Whether the ``torchrun`` that started this process is gone: nobody would end it, or start it again."""
        return "TORCHELASTIC_RUN_ID" in os.environ and os.getppid() != self.launcher


def is_main_process() -> bool:
    """Whether this process speaks for all that ``torchrun`` started; true without ``torchrun``."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def join_world() -> Iterator[World]:
    """Join the process group that ``torchrun`` announces, or be a world of one.

    Raises:
        UsageError: WORLD_SIZE is set, as by a scheduler, and the rest of what ``torchrun`` sets is not.
        ModelError: another process of the group ended, so that nothing can be computed together any more.
    """
    cuda = torch.cuda.is_available()
    announced = os.environ.get("WORLD_SIZE", "1")
    absent = [name for name in _ANNOUNCED if not os.environ.get(name)]
    if announced != "1" and (absent or not announced.isdecimal()):
        raise UsageError(
            f"the environment says WORLD_SIZE={announced}, but not {' and '.join(absent) or 'a number'}: start the "
            "processes with torchrun, or unset WORLD_SIZE to train in one"
        )
    if announced == "1":
        yield World(0, 1, torch.device("cuda" if cuda else "cpu"))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if cuda:
        torch.cuda.set_device(local)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("nccl" if cuda else "gloo", store=met(), rank=rank, world_size=size)
    try:
        yield World(
            dist.get_rank(), dist.get_world_size(), torch.device("cuda", local) if cuda else torch.device("cpu")
        )
    except RuntimeError as error:
        if any(sign in str(error) for sign in _LOST):
            raise ModelError(
                "another process of this training ended, and its messages (above or in its own log) say why; under "
                "torchrun --max-restarts all of them start again from the last checkpoint, else go on with --resume"
            ) from error
        raise
    finally:
        dist.destroy_process_group()


_ANNOUNCED = ("RANK", "MASTER_ADDR", "MASTER_PORT")
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused", "NCCL error")


def sum_confusion(matrix: ConfusionMatrix, world: World) -> None:
    """Add up the counts of all processes, in place."""
    if world.size > 1:
        counts = torch.from_numpy(matrix.counts).to(world.device)
        dist.all_reduce(counts)
        matrix.counts[:] = counts.cpu().numpy()


def first_says(flag: bool, world: World) -> bool:
    """The main process's value of a flag, in every process."""
    return bool(number_of_first(flag, world))


def number_of_first(number: float, world: World) -> float:
    """The main process's value of a number, in every process."""
    if world.size == 1:
        return number
    shared = torch.tensor(number, dtype=torch.float32, device=world.device)
    dist.broadcast(shared, src=0)
    return float(shared)


def text_of_first(text: str, world: World) -> str:
    """The main process's text, in every process."""
    content = torch.tensor(list(text.encode()), dtype=torch.uint8)
    length = torch.tensor(len(content), device=world.device)
    dist.broadcast(length, src=0)
    return bytes(tensor_of_first(content, (int(length),), torch.uint8, world).tolist()).decode()


def tensor_of_first(tensor: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype, world: World) -> Tensor:
    """The main process's tensor, in every process and on its device.

    Args:
        tensor: looked at in the main process only.
        shape: of it, known to all.
        dtype: of it, known to all.
        world: this process among all.
    """
    if world.is_main and tensor is not None:
        shared = tensor.to(world.device).contiguous()
    else:
        shared = torch.empty(shape, dtype=dtype, device=world.device)
    if shared.numel():
        dist.broadcast(shared.reshape(-1).view(torch.uint8), src=0)
    return shared

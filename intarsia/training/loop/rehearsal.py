"""What a training takes, told before it begins: from a few of its own steps, after which nothing is left of them."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from intarsia.datasets import Dataset
from intarsia.errors import UsageError
from intarsia.memory import held_alone, most_resident, resident, room, said_bytes
from intarsia.models import architecture
from intarsia.recipe import Recipe
from intarsia.training.distributed import join_world
from intarsia.training.loop.trainer import Trainer

_STEPS = 4  # the first one makes everything warm


@dataclass(frozen=True)
class Rehearsal:
    """What a training is expected to take.

    Attributes:
        steps: of the whole training.
        seconds: of all steps; validations, checkpoints and the opening of the data are not in it.
        memory: bytes at the peak of this process; None where the system does not tell.
        loading: bytes that its loading processes held besides, together.
        graphics: bytes at the peak on the GPU; None on a CPU.
        room: bytes that there are for both, what this process holds included; None where nothing is known.
    """

    steps: int
    seconds: float
    memory: int | None
    loading: int
    graphics: int | None
    room: int | None

    @property
    def fits(self) -> bool | None:
        """Whether there is room for it; None where one of both is not known."""
        return None if self.memory is None or self.room is None else self.memory + self.loading <= self.room

    def lines(self) -> list[str]:
        """For people."""
        found = []
        if self.memory is not None:
            held = f", and {said_bytes(self.loading)} in its loading processes" if self.loading else ""
            there = "" if self.room is None else f"; there are {said_bytes(self.room)}"
            found.append(f"Memory: about {said_bytes(self.memory)} at the peak{held}{there}")
        if self.graphics is not None:
            found.append(f"GPU:    about {said_bytes(self.graphics)} at the peak")
        hours = f"{self.seconds / 3600:.1f} h" if self.seconds >= 7200 else f"{self.seconds / 60:.1f} min"
        return [*found, f"Time:   about {hours} for {self.steps} steps, validations not counted"]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return asdict(self) | {"fits": self.fits}


def rehearse(recipe: Recipe, dataset: Dataset) -> Rehearsal:
    """Take a few real steps of a training of one process, and tell what all of it takes; no file is left.

    Raises:
        UsageError: the model is fitted at once, not by steps, or several processes would train.
        DataError: the data cannot be used.
        ModelError: the model cannot be built.
    """
    if architecture(recipe.model.architecture).fitted:
        raise UsageError(f"{recipe.model.architecture} is fitted at once: there are no steps that could be tried")
    # An update after each step, so that the optimiser's state is there.
    tried = recipe.override({"training.accumulate": 1, "training.tensorboard": False})
    with join_world() as world, tempfile.TemporaryDirectory() as folder:
        if world.size > 1:
            raise UsageError("what a training takes is tried by one process: leave torchrun out")
        trainer = Trainer(tried, dataset, Path(folder), world, None, time.monotonic())
        seconds, start, loading = [], time.perf_counter(), 0
        for _ in trainer.steps(_STEPS):
            seconds.append(time.perf_counter() - start)
            loading = max(loading, sum(held_alone(one.pid or 0) for one in multiprocessing.active_children()))
            start = time.perf_counter()
        cuda = world.device.type == "cuda"
    took = trainer.total * statistics.median(seconds[1:] or seconds)
    minutes = recipe.training.minutes
    free, held = room(), resident()
    return Rehearsal(
        steps=trainer.total,
        seconds=took if minutes is None else min(took, 60 * minutes),
        memory=most_resident(),
        loading=loading,
        graphics=torch.cuda.max_memory_allocated() if cuda else None,
        room=None if free is None or held is None else free + held,
    )

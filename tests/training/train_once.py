"""Trainings that die by SIGKILL, are resumed, and end; the tests call `attempts` by way of `forking.py`."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from intarsia.datasets import open_dataset
from intarsia.recipe import Recipe
from intarsia.stopping import never
from intarsia.training import train
from intarsia.training.loop import checkpoint


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def count(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """Die at the `number`-th call."""
    calls = 0

    def counted(*args: object) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            die()
        return real(*args)

    return counted


def attempts(data: str, name: str, kills: list[str], threads: int) -> list[tuple[int | None, bool]]:
    """Train, die at each of the kills, resume each time, and end; the recipe is beside the folder.

    Kills are step:N after N steps, and write:N in the middle of writing. Returns each attempt's exit code and whether
    the training ended.
    """
    folder, fork, ends = Path(name), multiprocessing.get_context("fork"), []
    for number, kill in enumerate([*kills, ""]):
        process = fork.Process(target=_attempt, args=(data, folder, kill, threads, number > 0))
        process.start()
        process.join()
        ends.append((process.exitcode, (folder / "last.safetensors").exists()))
    return ends


def _attempt(data: str, folder: Path, kill: str, threads: int, resume: bool) -> None:
    torch.set_num_threads(threads)
    place, _, number = kill.partition(":")
    stop = count(int(number), never) if place == "step" else never
    if place == "write":
        checkpoint.sync = count(int(number), checkpoint.sync)
    train(Recipe.load(folder.with_suffix(".yaml")), open_dataset(data), folder, resume=resume, stop=stop)

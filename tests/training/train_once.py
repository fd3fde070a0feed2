"""Run by the tests in a process of its own: trainings that die by SIGKILL, are resumed, and end.

usage: train_once.py DATA FOLDER=KILLS ...

Each folder's recipe is the file beside it. Its training dies at each of the kills, separated by commas: step:N after
N steps, write:N in the middle of writing. Each attempt is a process forked from this one, which has imported what
they need and done nothing else. For each folder the exit codes are printed, and in which attempts the training ended,
as JSON.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm  # noqa: F401 - with much of torch: the seconds that it takes are not spent by every attempt

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


def attempt(data: str, folder: Path, kill: str, resume: bool) -> None:
    place, _, number = kill.partition(":")
    stop = count(int(number), never) if place == "step" else never
    if place == "write":
        checkpoint.sync = count(int(number), checkpoint.sync)
    train(Recipe.load(folder.with_suffix(".yaml")), open_dataset(data), folder, resume=resume, stop=stop)


if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    data, *tasks = sys.argv[1:]
    ends = []
    for task in tasks:
        name, _, kills = task.partition("=")
        folder = Path(name)
        ends.append([])
        for number, kill in enumerate([*kills.split(","), ""]):
            process = fork.Process(target=attempt, args=(data, folder, kill, number > 0))
            process.start()
            process.join()
            ends[-1].append([process.exitcode, (folder / "last.safetensors").exists()])
    print("\n" + json.dumps(ends))

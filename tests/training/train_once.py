"""Run by the tests in a process of its own: train, and die by SIGKILL after a step or in the middle of writing.

usage: train_once.py DATA RECIPE FOLDER [--resume] [--kill step:N | write:N]
"""

import argparse
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--kill", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    place, _, number = arguments.kill.partition(":")
    stop = count(int(number), never) if place == "step" else never
    if place == "write":
        checkpoint.sync = count(int(number), checkpoint.sync)
    recipe, dataset = Recipe.load(arguments.recipe), open_dataset(arguments.data)
    train(recipe, dataset, arguments.folder, resume=arguments.resume, stop=stop)

"""Run by the tests in a process of its own: train, and die by SIGKILL where told to.

usage: train_once.py DATA RECIPE FOLDER [--resume] [--kill step:N | write:N]
"""

import argparse
import os
import signal
from pathlib import Path

import torch

from intarsia.datasets import open_dataset
from intarsia.recipe import Recipe
from intarsia.training import train
from intarsia.training.loop import checkpoint
from intarsia.training.loop import trainer as loop


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(where: str, number: int) -> None:
    """Die at the `number`-th call: in the middle of a step, or of writing a checkpoint."""
    module, name = (loop._Trainer, "_count_failures") if where == "step" else (checkpoint, "sync")
    real = getattr(module, name)
    calls = 0

    def counted(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == number:
            die()
        return real(*args)

    setattr(module, name, counted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--kill", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.kill:
        place, _, count = arguments.kill.partition(":")
        arm(place, int(count))
    train(Recipe.load(arguments.recipe), open_dataset(arguments.data), arguments.folder, resume=arguments.resume)

"""A data set and a recipe small enough to train in a second, and a process that forks trainings."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.synthetic import write_scenes
from intarsia.recipe import Recipe

TINY = """
model:
  architecture: deeplabv3plus
  options:
    {encoder: test_efficientnet, output_stride: 32, channels: 8, low_channels: 8, depthwise_norm: false, dropout: 0.2}
input: {crop: [32, 32]}
optimizer: {lr: 0.01}
training: {epochs: 3, batch_size: 4, precision: fp32, workers: 0, samples: 1, ema: 0.9}
"""


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = write_scenes(tmp_path_factory.mktemp("scenes") / "data", 16, size=(40, 56), seed=0)
    return open_dataset(folder)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe.from_text(TINY)


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[Any, str]]]:
    """Call "module:function" of this folder with arguments in a child of one process that has imported all there is.

    Returns what the function returns, and what was printed.
    """
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forking.py")], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as forking:  # fmt: skip

        def call(function: str, *arguments: object) -> tuple[Any, str]:
            folder = tmp_path_factory.mktemp("forked")
            print(json.dumps([function, str(folder), *map(_plain, arguments)]), file=forking.stdin, flush=True)
            code, said = forking.stdout.readline(), (folder / "said.txt").read_text()
            assert code == "0\n", said
            return json.loads((folder / "answer.json").read_text()), said

        yield call
        forking.stdin.close()


def _plain(argument: object) -> object:
    return str(argument) if isinstance(argument, Path) else argument

"""The job that `exactly_once.py` ends again and again: small pictures, by an engine, slowly enough to be hit."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from intarsia.bundle import Description
from intarsia.errors import IntarsiaError
from intarsia.inference import Predictor
from intarsia.jobs import plan
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing
from intarsia.scaling import read_engine, run_on

UNFINISHED = 75
"""How the job ends when another one is at some of its tasks."""


class Threshold:
    """A runtime: bright where the first channel is above one half."""

    name, precision, processor = "threshold", "exact", "any"
    in_channels, stride, align_corners, margin = 3, 1, False, 0

    def logits(self, x: Any, place: Any = None) -> Any:
        time.sleep(0.01)
        return np.stack([np.full_like(x[:, 0], 0.5), x[:, 0]], axis=1)


def slow_disk() -> None:
    """Let every flush take longer, so that kills hit what lies between two of them."""
    flush = os.fsync

    def slowly(descriptor: int) -> None:
        time.sleep(0.01)
        flush(descriptor)

    os.fsync = slowly


def predictor() -> Predictor:
    """A predictor that needs no file, so that a job begins in a moment."""
    preprocessing = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return Predictor(Description("threshold", {}, LabelSpace(("dark", "bright")), preprocessing), runtime=Threshold())


def write_pictures(folder: Path, count: int, seed: int, size: tuple[int, int] = (48, 64)) -> None:
    """Write pictures of noise, (height, width) pixels, some of them in a sub-folder."""
    random = np.random.default_rng(seed)
    for index in range(count):
        file = folder / ("deep/" if index % 3 == 0 else "") / f"{index:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(file)


def main(source: str, out: str, engine: str, shift: float) -> int:
    """Run the job, with a clock that is wrong by some seconds; returns how it ends."""
    now = time.time
    time.time = lambda: now() + shift
    try:
        result = run_on(read_engine(engine), predictor(), predictor, plan(source, out))
    except IntarsiaError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return result.exit_code or (UNFINISHED if result.busy else 0)


if __name__ in ("__main__", "__mp_main__"):  # the driver, and its workers
    slow_disk()

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))

"""What an entrant is: a program of its own that trains on a set's folder for so many minutes and labels its test part.

    python entrants/NAME.py SET OUT --minutes N

writes ``OUT/labels/PICTURE.png`` (0, 1, 2, ...) for each picture of ``SET/test/images``, and ``OUT/facts.json``. It may
look at ``SET/data`` as it likes, and at the test part's pictures only when it labels them. Nothing here imports the
package: entrants of other tools run in environments of their own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
STARTED = time.monotonic()


@dataclass
class Task:
    """What an entrant is asked for.

    Attributes:
        folder: of the set.
        out: where results go.
        minutes: of training, everything included but the labelling of the test part.
        classes: names in order.
        facts: what is told besides the labels.
    """

    folder: Path
    out: Path
    minutes: float
    classes: list[str]
    facts: dict[str, Any] = field(default_factory=dict)

    def share(self) -> float:
        """How much of the time for training is used up, from the start of the program."""
        return (time.monotonic() - STARTED) / (60 * self.minutes)

    def pairs(self, part: str) -> list[tuple[Path, Path]]:
        """Pictures and masks of "train" or "val"."""
        folder = self.folder / "data" / part
        return [(file, folder / "masks" / f"{file.stem}.png") for file in sorted((folder / "images").iterdir())]

    def label(self, predict: Callable[[Pixels], NDArray[Any]]) -> None:
        """Label the test part: (H, W, 3) RGB to (H, W) labels, and write down what it took."""
        self.facts["train_seconds"] = round(time.monotonic() - STARTED, 1)
        labels = self.out / "labels"
        labels.mkdir(parents=True, exist_ok=True)
        for file in sorted((self.folder / "test/images").iterdir()):
            found = predict(read_rgb(file))
            cv2.imwrite(str(labels / f"{file.stem}.png"), found.astype(np.uint8))
            self.facts.setdefault("first_result_seconds", round(time.monotonic() - STARTED, 1))
        self.finish()

    def finish(self) -> None:
        """Write the facts."""
        self.facts["seconds"] = round(time.monotonic() - STARTED, 1)
        (self.out / "facts.json").write_text(json.dumps(self.facts, indent=1))


def read_rgb(file: Path) -> Pixels:
    return np.asarray(cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_labels(file: Path) -> Pixels:
    return np.asarray(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), np.uint8)


def asked() -> Task:
    """The task of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("set", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    known = json.loads((options.set / "set.json").read_text())
    return Task(options.set.resolve(), options.out.resolve(), options.minutes, known["classes"])

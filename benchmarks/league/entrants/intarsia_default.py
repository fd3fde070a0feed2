"""Intarsia, as a beginner uses it: two commands, and no option but the time."""

from __future__ import annotations

import subprocess
import sys
import time

import cv2
import numpy as np
from contract import STARTED, Task, asked
from PIL import Image


def main() -> None:
    task = asked()
    run(task, ["train", str(task.folder / "data"), "-o", str(task.out / "run"), "--minutes", str(task.minutes)])
    task.facts["train_seconds"] = round(time.monotonic() - STARTED, 1)
    written = task.out / "segmented"
    run(
        task,
        ["segment", str(task.folder / "test/images"), "-m", str(task.out / "run"), "-o", str(written)],
    )
    (task.out / "labels").mkdir(exist_ok=True)
    masks = sorted(written.rglob("*.mask.png"))
    for file in masks:
        labels = np.asarray(Image.open(file))  # class numbers, with a palette for people
        cv2.imwrite(str(task.out / "labels" / file.name.replace(".mask", "")), labels)
    first = min(file.stat().st_mtime for file in masks)
    task.facts["first_result_seconds"] = round(time.monotonic() - STARTED - (time.time() - first), 1)
    task.finish()


def run(task: Task, command: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "intarsia", *command], check=True)


if __name__ == "__main__":
    main()

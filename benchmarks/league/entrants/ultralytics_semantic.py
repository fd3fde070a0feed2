"""Ultralytics' task `semantic` (AGPL-3.0; only run here, in an environment of its own): yolo26n-sem from scratch.

Its documented call with a data set's YAML; training ends by its own option `time` (hours). What is changed: the weights
are random, because its own ones, pretrained on Cityscapes, are downloaded; pictures are seen at 640, batches hold 8.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import cv2
import numpy as np
from contract import Pixels, Task, asked

SIDE, BATCH = 640, 8


def write_data(task: Task) -> str:
    """Its layout: images/PART and masks/PART, and a YAML file."""
    root = task.out / "data"
    for part in ("train", "val"):
        for kind in ("images", "masks"):
            shutil.copytree(task.folder / "data" / part / kind, root / kind / part)
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(task.classes))
    said = f"path: {root}\ntrain: images/train\nval: images/val\nmasks_dir: masks\nnames:\n{names}"
    (root / "data.yaml").write_text(said)
    return str(root / "data.yaml")


def main() -> None:
    task = asked()
    os.environ |= {"YOLO_OFFLINE": "true", "WANDB_MODE": "disabled"}
    data = write_data(task)
    from ultralytics import YOLO

    model: Any = YOLO("yolo26n-sem.yaml", task="semantic")
    model.train(
        data=data, imgsz=SIDE, batch=BATCH, device="cpu", workers=0, time=task.minutes / 60, project=str(task.out),
        name="run", plots=False, pretrained=False, exist_ok=True,
    )  # fmt: skip
    trained: Any = YOLO(str(task.out / "run/weights/last.pt"), task="semantic")
    task.label(lambda image: predict(trained, image))


def predict(model: Any, image: Pixels) -> Any:
    result = model.predict(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), imgsz=SIDE, device="cpu", verbose=False)[0]
    labels = np.asarray(result.semantic_mask.data).squeeze()
    return cv2.resize(labels.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)


if __name__ == "__main__":
    main()

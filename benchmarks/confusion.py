"""Updating a confusion matrix with one 1024x2048 label map of 19 classes: ours against torchmetrics."""

from __future__ import annotations

import time

import numpy as np
import torch
from common import alternate, arguments, compare, report
from torchmetrics.classification import MulticlassConfusionMatrix

from intarsia.metrics import ConfusionMatrix

CLASSES, IGNORE = 19, 255


def label_maps(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches of classes with a void band, and a prediction that is right for about nine pixels of ten."""
    random = np.random.default_rng(0)
    patches = random.integers(0, CLASSES, (height // 16, width // 16), dtype=np.uint8)
    target = patches.repeat(16, 0).repeat(16, 1)
    target[:64] = IGNORE
    noise = random.integers(0, CLASSES, target.shape, dtype=np.uint8)
    prediction = np.where((random.random(target.shape) < 0.9) & (target != IGNORE), target, noise)
    return prediction, target


def seconds(update: object, *maps: object) -> float:
    start = time.perf_counter()
    update(*maps)  # type: ignore[operator]
    return time.perf_counter() - start


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    height, width = (512, 1024) if options.quick else (1024, 2048)
    prediction, target = label_maps(height, width)
    tensors = torch.from_numpy(prediction).long(), torch.from_numpy(target).long()
    ours, peer = ConfusionMatrix(CLASSES, ignore_index=IGNORE), MulticlassConfusionMatrix(CLASSES, ignore_index=IGNORE)
    rounds = 5 if options.quick else 15
    rows = []
    for case, maps in (("uint8 arrays", (prediction, target)), ("int64 tensors", tensors)):
        times = alternate(rounds, lambda maps=maps: seconds(ours.update, *maps), lambda: seconds(peer.update, *tensors))
        milliseconds = ([1000 * value for value in side] for side in times)
        rows.append(compare(f"{case} {height}x{width}x{CLASSES}", "update", "ms", *milliseconds, "torchmetrics"))
    check = ConfusionMatrix(CLASSES, ignore_index=IGNORE)
    check.update(prediction, target)
    peer.reset()
    peer.update(*tensors)
    if not np.array_equal(check.counts[:, :CLASSES], peer.compute().numpy()):
        raise SystemExit("the two confusion matrices differ")
    report("Confusion matrix", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()

"""Updating a confusion matrix with one 1024x2048 label map of 19 classes: ours against torchmetrics and bincount.

Processor time of one thread, which other programs on the machine hardly change.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from common import alternate, arguments, compare, report
from torch import Tensor

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


def classic(prediction: Tensor, target: Tensor) -> Tensor:
    """The usual recipe: leave the ignored out, encode each pair in one int64, count."""
    known = target != IGNORE
    pairs = target[known].long() * CLASSES + prediction[known].long()
    return torch.bincount(pairs, minlength=CLASSES**2).view(CLASSES, CLASSES)


def milliseconds(update: Callable[[object, object], object], *maps: object) -> float:
    start = time.process_time()
    update(*maps)
    return 1000 * (time.process_time() - start)


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    from torchmetrics.classification import MulticlassConfusionMatrix

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    height, width = (512, 1024) if options.quick else (1024, 2048)
    arrays = label_maps(height, width)
    small = tuple(torch.from_numpy(labels) for labels in arrays)
    wide = tuple(labels.long() for labels in small)
    ours, peer = ConfusionMatrix(CLASSES, ignore_index=IGNORE), MulticlassConfusionMatrix(CLASSES, ignore_index=IGNORE)
    rows = []
    # Labels as files and the fused path give them, as argmax gives them, and each side with what it gets by itself.
    for case, given, taken in (("uint8", arrays, small), ("int64", wide, wide), ("uint8 against int64", arrays, wide)):
        for name, update in (("torchmetrics", peer.update), ("torch.bincount", classic)):
            times = alternate(
                5 if options.quick else 15,
                lambda given=given: milliseconds(ours.update, *given),
                lambda taken=taken, update=update: milliseconds(update, *taken),
            )
            rows.append(compare(f"{case}, {height}x{width}x{CLASSES}", "update", "ms", *times, name))
    check = ConfusionMatrix(CLASSES, ignore_index=IGNORE)
    check.update(*arrays)
    peer.reset()
    peer.update(*wide)
    for counts in (peer.compute(), classic(*wide)):
        if not np.array_equal(check.counts[:, :CLASSES], counts.numpy()):
            raise SystemExit("the confusion matrices differ")
    report("Confusion matrix", rows, options.json, threads=1)


if __name__ == "__main__":
    main()

"""From stride-4 logits to a confusion matrix at full size: band by band against interpolate, argmax, update.

Processor time of one thread, which other programs on the machine hardly change.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
import torch
from common import Row, alternate, arguments, compare, report
from torch.nn import functional as F

from intarsia.metrics import ConfusionMatrix
from intarsia.runtimes.upsampling import upsampled_labels

STRIDE = 4


def scene(classes: int, height: int, width: int) -> tuple[torch.Tensor, np.ndarray]:
    """Smooth logits with some noise at stride 4, and a target at full size."""
    random = torch.Generator().manual_seed(0)
    rough = torch.randn(1, classes, height // 64, width // 64, generator=random)
    cells = (height // STRIDE, width // STRIDE)
    logits = 4 * F.interpolate(rough, size=cells, mode="bicubic") + 0.3 * torch.randn(
        1, classes, *cells, generator=random
    )
    target = torch.randint(classes, (height, width), generator=random, dtype=torch.uint8)
    return logits, target.numpy()


def plain(logits: torch.Tensor, target: np.ndarray, matrix: ConfusionMatrix) -> np.ndarray:
    labels = F.interpolate(logits, size=target.shape, mode="bilinear").argmax(1)[0].numpy()
    matrix.update(labels, target)
    return labels


def fused(logits: torch.Tensor, target: np.ndarray, matrix: ConfusionMatrix) -> np.ndarray:
    labels = upsampled_labels(logits.numpy(), target.shape, align_corners=False, dtype=np.dtype(np.uint8))
    matrix.update(labels, target)
    return labels


def milliseconds(run: object, *given: object) -> float:
    start = time.process_time()
    run(*given)  # type: ignore[operator]
    return 1000 * (time.process_time() - start)


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows = []
    for classes, height, width in ((19, 1024, 2048), (11, 384, 512), (150, 512, 512)):
        logits, target = scene(classes, height, width)
        matrix = ConfusionMatrix(classes)
        case = f"{height}x{width}x{classes}"
        same = float((fused(logits, target, matrix) == plain(logits, target, matrix)).mean())
        times = alternate(
            3 if options.quick else 7,
            lambda given=(logits, target, matrix): milliseconds(fused, *given),
            lambda given=(logits, target, matrix): milliseconds(plain, *given),
        )
        rows.append(compare(case, "time", "ms", *times, "torch in one call"))
        rows.append(Row(case, "labels as torch's", "%", 100 * same, None, "", None))
    report("Upsample, argmax, update", rows, options.json, threads=1)


if __name__ == "__main__":
    main()

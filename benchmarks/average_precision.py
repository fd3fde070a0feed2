"""Average precision of one 512x1024 picture with 19 classes: streaming bins against torchmetrics' exact computation.

Processor time of one thread, which other programs on the machine hardly change.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
import torch
from common import Row, alternate, arguments, compare, report
from torch.nn import functional as F

from intarsia.metrics import PrecisionRecall

CLASSES = 19


def scene(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax probabilities of a sharp, two thirds right network, and the truth with a void band."""
    random = torch.Generator().manual_seed(0)
    rough = torch.randn(1, CLASSES, height // 32, width // 32, generator=random)
    base = 6 * F.interpolate(rough, size=(height, width), mode="bicubic")
    target = (base + 1.5 * torch.randn(base.shape, generator=random)).argmax(1)
    target[:, : height // 16] = 255
    return (base + torch.randn(base.shape, generator=random)).softmax(1), target


def ours(probabilities: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    metric = PrecisionRecall(CLASSES)
    metric.update(probabilities, target)
    return metric.compute().ap


def peer(probabilities: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    from torchmetrics.classification import MulticlassAveragePrecision

    metric = MulticlassAveragePrecision(CLASSES, average=None, thresholds=None, ignore_index=255)
    metric.update(probabilities, target)
    return metric.compute().numpy()


def seconds(run: object, *given: object) -> float:
    start = time.process_time()
    run(*given)  # type: ignore[operator]
    return time.process_time() - start


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    height, width = (256, 512) if options.quick else (512, 1024)
    given = scene(height, width)
    error = float(np.abs(ours(*given) - peer(*given)).max())
    times = alternate(2 if options.quick else 3, lambda: seconds(ours, *given), lambda: seconds(peer, *given))
    case = f"{height}x{width}x{CLASSES}"
    rows = [
        compare(case, "update and compute", "s", *times, "torchmetrics, exact"),
        Row(case, "largest error of a class", "", error, None, "", None),
    ]
    report("Average precision", rows, options.json, threads=1)


if __name__ == "__main__":
    main()

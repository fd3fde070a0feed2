"""Losses forward and backward on a batch of (4, 19, 256, 512): ours against torch, smp, MONAI and kornia.

Both sides compute the same number, but for constant factors (and for the erosion loss, see `HausdorffER`). Times are
processor times of one thread, which other load on the machine hardly touches. Memory that is freed is kept by the
process, as in training.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import cv2
import numpy as np
import torch
from common import Row, alternate, arguments, compare, report
from torch import Tensor
from torch.nn import functional as F

from intarsia.losses import border_weights, build_loss, join_maps
from intarsia.losses.distances import distance_to
from intarsia.memory import keep_freed_memory

Call = Callable[[Tensor, Tensor], Tensor]
CLASSES, IGNORE = 19, 255
SOFTMAX = {"softmax": True, "to_onehot_y": True}


def of_monai(loss: torch.nn.Module) -> Call:
    return lambda logits, target: loss(logits, target[:, None])


def cases() -> list[tuple[str, dict[str, object], Call, str, bool, bool]]:
    """Name, options, peer, what it is, whether target elements are ignored, whether a round takes seconds."""
    import kornia.losses as kornia
    import monai.losses as monai
    import segmentation_models_pytorch.losses as smp

    return [
        ("cross_entropy", {}, lambda x, t: F.cross_entropy(x, t, ignore_index=IGNORE), "torch", True, False),
        (
            "cross_entropy", {"label_smoothing": 0.1},
            smp.SoftCrossEntropyLoss(smooth_factor=0.1, ignore_index=IGNORE), "smp", True, False,
        ),
        ("focal", {}, kornia.FocalLoss(None, 2.0, "mean", ignore_index=IGNORE), "kornia", True, False),
        ("sigmoid_focal", {"alpha": None}, smp.FocalLoss("multiclass", ignore_index=IGNORE), "smp", True, False),
        ("dice", {}, smp.DiceLoss("multiclass", ignore_index=IGNORE), "smp", True, False),
        ("dice", {}, of_monai(monai.DiceLoss(**SOFTMAX, batch=True)), "MONAI", False, False),
        (
            "dice", {"squared": True},
            of_monai(monai.DiceLoss(**SOFTMAX, batch=True, squared_pred=True)), "MONAI", False, False,
        ),
        ("generalised_dice", {}, of_monai(monai.GeneralizedDiceLoss(**SOFTMAX, batch=True)), "MONAI", False, False),
        ("jaccard", {}, smp.JaccardLoss("multiclass"), "smp", False, False),
        ("tversky", {}, smp.TverskyLoss("multiclass", ignore_index=IGNORE, alpha=0.3, beta=0.7), "smp", True, False),
        ("lovasz", {}, smp.LovaszLoss("multiclass", ignore_index=IGNORE), "smp", True, True),
        ("lovasz", {"per_sample": True}, kornia.LovaszSoftmaxLoss(), "kornia", False, True),
        ("boundary", {}, of_monai(monai.BoundaryLoss(**SOFTMAX)), "MONAI", False, True),
        (
            "hausdorff_dt", {"threshold": 0.5},
            of_monai(monai.HausdorffDTLoss(**SOFTMAX, include_background=True)), "MONAI", False, True,
        ),
        ("hausdorff_er", {}, lambda x, t: kornia.HausdorffERLoss()(x.softmax(1), t[:, None]), "kornia", False, True),
    ]  # fmt: skip


def batch(samples: int, height: int, width: int, *, ignored: bool) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    target = torch.randint(CLASSES, (samples, height // 32, width // 32))
    target = target.repeat_interleave(32, 1).repeat_interleave(32, 2)
    if ignored:
        target[:, : height // 16] = IGNORE
    return torch.randn(samples, CLASSES, height, width), target


def milliseconds(loss: Call, logits: Tensor, target: Tensor) -> float:
    leaf = logits.clone().requires_grad_()
    start = time.process_time()
    loss(leaf, target).backward()
    return 1000 * (time.process_time() - start)


def loss_rows(size: tuple[int, int, int], rounds: int) -> list[Row]:
    rows = []
    for name, options, peer, peer_name, ignored, slow in cases():
        logits, target = batch(*size, ignored=ignored)
        ours = build_loss(name, ignore_index=IGNORE, options=options)
        calls: list[tuple[str, Call]] = [("", ours)]
        maps = join_maps([ours.maps(sample) for sample in target])
        if "distance" in maps:
            calls.append(("distances from the data workers", lambda x, t, ours=ours, maps=maps: ours(x, t, maps)))
        for note, call in calls:
            case = " ".join([name, *(f"{key}={value}" for key, value in options.items()), note]).strip()
            times = alternate(
                1 if slow else rounds,
                lambda call=call, logits=logits, target=target: milliseconds(call, logits, target),
                lambda peer=peer, logits=logits, target=target: milliseconds(peer, logits, target),
            )
            rows.append(compare(case, "processor time", "ms", *times, peer_name))
    return rows


def border_row(cells: int) -> Row:
    """The U-Net's weight map of 512x512 pixels with discs for cells, against one distance map a cell."""
    random = np.random.default_rng(0)
    picture = np.zeros((512, 512), np.uint16)
    for number in range(cells, 0, -1):
        x, y, radius = random.integers((10, 10, 6), (502, 502, 14)).tolist()
        cv2.circle(picture, (x, y), radius, number, -1)
    instances = picture.astype(np.int64)

    def naive() -> np.ndarray:
        numbers = np.unique(instances[instances > 0])
        first, second = np.sort([distance_to(instances == number) for number in numbers], axis=0)[:2]
        return np.where(instances > 0, 0, 10 * np.exp(-((first + second) ** 2) / 50))

    if np.abs(border_weights(instances) - naive()).max() > 1e-4:
        raise SystemExit("the two weight maps differ")

    def timed(weights: Callable[[], np.ndarray]) -> float:
        start = time.process_time()
        weights()
        return 1000 * (time.process_time() - start)

    times = alternate(1, lambda: timed(lambda: border_weights(instances)), lambda: timed(naive))
    return compare(f"border weights, 512x512, {cells} cells", "processor time", "ms", *times, "a distance map a cell")


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    warnings.simplefilter("ignore")
    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    size = (2, 128, 256) if options.quick else (4, 256, 512)
    rows = [*loss_rows(size, 3 if options.quick else 9), border_row(30 if options.quick else 150)]
    report(f"Losses on {(size[0], CLASSES, *size[1:])}", rows, options.json, threads=1)


if __name__ == "__main__":
    main()

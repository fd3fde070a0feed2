"""Score label pictures: mean IoU at native size, F1 of boundaries, and what each peer itself would report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.metrics import BoundaryF1, ConfusionMatrix

Labels = NDArray[np.uint8]


def score(folder: Path, labels: Path, own: str) -> dict[str, Any]:
    """Scores of an entrant's labels for the test part of a set.

    Args:
        folder: of the set.
        labels: the entrant's, PNG files named like the pictures.
        own: the peer's own convention, a key of `OWN`.

    Returns:
        ``miou`` and ``iou`` by class (classes that occur neither in the truth nor in the labels are left out),
        ``boundary_f1`` (mean over classes, tolerance .75 % of the diagonal), ``own``.
    """
    known = json.loads((folder / "set.json").read_text())
    classes, ignore = known["classes"], known["ignore"]
    confusion = ConfusionMatrix(len(classes), ignore_index=ignore)
    boundary = BoundaryF1(len(classes), ignore_index=ignore)
    for truth, found in pairs(folder, labels):
        confusion.update(found, truth)
        boundary.update(found, truth)
    scores = confusion.compute()
    return {
        "miou": float(scores.miou),
        "iou": {name: float(value) for name, value in zip(classes, scores.iou, strict=True) if not np.isnan(value)},
        "boundary_f1": float(boundary.compute().mean),
        "own_name": own,
        "own": float(OWN[own](list(pairs(folder, labels)), len(classes), ignore)),
    }


def pairs(folder: Path, labels: Path) -> Iterator[tuple[Labels, Labels]]:
    """Truth and labels of each test picture; of another size than the truth is an error."""
    for file in sorted((folder / "test/masks").iterdir()):
        truth = np.asarray(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), np.uint8)
        found = cv2.imread(str(labels / file.name), cv2.IMREAD_UNCHANGED)
        if found is None or found.shape != truth.shape:
            raise SystemExit(f"{labels / file.name}: missing, or not as large as its picture")
        yield truth, np.asarray(found, np.uint8)


def counts(truth: Labels, found: Labels, classes: int, ignore: int) -> NDArray[np.int64]:
    """(classes, classes): truth by found."""
    kept = truth != ignore
    table = np.bincount(truth[kept].astype(np.int64) * classes + found[kept], minlength=classes * classes)
    return table.reshape(classes, classes)


def dataset_iou(pictures: list[tuple[Labels, Labels]], classes: int, ignore: int) -> float:
    """Micro IoU as smp's over all pictures: hits of all classes by their unions."""
    table = sum(counts(*pair, classes, ignore) for pair in pictures)
    hits = np.trace(table)
    return float(hits / (2 * table.sum() - hits))


def reference_iou(pictures: list[tuple[Labels, Labels]], classes: int, ignore: int) -> float:
    """Mean IoU as torchvision's, of label maps whose shorter side was brought to 520."""
    table = sum(counts(*(_shorter(one, 520) for one in pair), classes, ignore) for pair in pictures)
    unions = table.sum(0) + table.sum(1) - np.diag(table)
    return float(np.mean(np.diag(table)[unions > 0] / unions[unions > 0]))


def _shorter(labels: Labels, side: int) -> Labels:
    height, width = labels.shape
    scale = side / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def foreground_dice(pictures: list[tuple[Labels, Labels]], classes: int, ignore: int) -> float:
    """Dice as nnU-Net's: of each class but the first, the mean over pictures that have it, then over classes."""
    found = []
    for label in range(1, classes):
        dices = []
        for truth, made in pictures:
            table = counts(truth, made, classes, ignore)
            total = table[label].sum() + table[:, label].sum()
            dices += [2 * table[label, label] / total] if total else []
        found += [np.mean(dices)] if dices else []
    return float(np.mean(found))


def pixel_accuracy(pictures: list[tuple[Labels, Labels]], classes: int, ignore: int) -> float:
    """Share of pixels that are right."""
    table = sum(counts(*pair, classes, ignore) for pair in pictures)
    return float(np.trace(table) / table.sum())


def mean_iou(pictures: list[tuple[Labels, Labels]], classes: int, ignore: int) -> float:
    """Ultralytics' mean of IoU: classes without a pixel in truth and labels count as absent."""
    table = sum(counts(*pair, classes, ignore) for pair in pictures)
    unions = table.sum(0) + table.sum(1) - np.diag(table)
    return float(np.mean(np.diag(table)[unions > 0] / unions[unions > 0]))


OWN: dict[str, Callable[[list[tuple[Labels, Labels]], int, int], float]] = {
    "mean IoU": mean_iou,
    "dataset IoU (micro)": dataset_iou,
    "mean IoU at 520": reference_iou,
    "foreground Dice": foreground_dice,
    "pixel accuracy": pixel_accuracy,
}

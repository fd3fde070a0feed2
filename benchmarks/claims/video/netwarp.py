"""NetWarp: features of the frame before, moved along the flow."""

from __future__ import annotations

import numpy as np

from benchmarks.claims.claim import Claim
from benchmarks.claims.fitting import Budget
from benchmarks.claims.scenes import camvid
from benchmarks.claims.video.over_time import ARMS, BUDGET, KINDS, TESTED, comparisons, measured
from benchmarks.claims.video.streams import clips
from intarsia.models.video import DISFlow, NetWarp

_PAIRS = Budget(steps=6, batch=2, crop=(176, 240))


def flow_error(step: int, noise: float) -> float:
    """Mean distance in pixels between DIS's flow and the true one of drawn clips as large as a frame."""
    flow, errors = DISFlow("fast"), []
    for batch in clips(camvid("train"), _PAIRS, 0, speed=step, noise=noise, frames=2):
        assert batch.flow is not None
        found = flow(batch.images[1], batch.images[0])
        errors.append(float((found - batch.flow[0]).square().sum(1).sqrt().mean()))
    return float(np.mean(errors))


def measure(arm: str, seed: int) -> dict[str, float]:
    return {**measured(arm, seed, NetWarp), "flow_error": flow_error(*KINDS[arm.partition(" ")[0]])}


CLAIM = Claim(
    title="NetWarp: warped features of the frame before gain over the parent",
    source="Gadde et al. 2017, arXiv:1708.03088",
    paper="On CamVid 67.1, about 1.8 points over its parent. In a released model the weights of what is warped were "
    "found at zero, so that it is its parent.",
    tested=TESTED + " Flow is DIS's; its error is measured on drawn clips, whose motion is known.",
    arms=ARMS,
    comparisons=comparisons("NetWarp"),
    measure=measure,
    budget=BUDGET.facts(kinds={name: list(kind) for name, kind in KINDS.items()}),
    minutes=26,
)

"""Low latency: key frames' deep results carried on by learned kernels, and used a frame late."""

from __future__ import annotations

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget
from benchmarks.claims.scenes import camvid
from benchmarks.claims.video.streams import clips, drive, fit_on_clips, over_phases, parent, scored
from intarsia.models.video import (
    FixedRate,
    FlowWarp,
    Halves,
    Hold,
    Propagation,
    SpatiallyVariant,
    VideoSegmenter,
    VirtualClock,
    Whole,
)

BUDGET = Budget(steps=120, batch=2, crop=(112, 144), lr=1e-3)
STAGE, CHANNELS, EVERY = 8, 64, 5
PROPAGATIONS = ("hold", "flow", "kernels")
ARMS = {
    **{name: f"{name}, every fifth frame" for name in PROPAGATIONS},
    **{f"{name}, late": f"{name}, every fifth frame, a frame late" for name in PROPAGATIONS},
}


def propagation(name: str, parts: Halves) -> Propagation:
    if name == "kernels":
        early = parts.encoder().channels[STAGE]
        return SpatiallyVariant(early=early, channels=CHANNELS, width=32)
    return FlowWarp() if name == "flow" else Hold()


def measure(arm: str, seed: int) -> dict[str, float]:
    name, _, late = arm.partition(", ")
    parts = Halves(parent(seed), STAGE)
    clock = VirtualClock(1) if late else None
    every = scored(VideoSegmenter(Whole(parts.image)).eval(), drive(1))["miou"]
    model = VideoSegmenter(
        parts, propagation=propagation(name, parts), policy=FixedRate(EVERY), clock=clock, scenes=None
    )
    model.freeze_base()
    if name == "kernels":
        fit_on_clips(model, clips(camvid("train"), BUDGET, seed), BUDGET, seed)
    found = over_phases(model.eval(), drive(1), EVERY)
    return {**found, "every_frame": every, "relative": found["miou"] / every - 1}


CLAIM = Claim(
    title="Low latency: late key frames cost little",
    source="Li et al. 2018, arXiv:1804.00389; Zhu et al. 2017, arXiv:1611.07715",
    paper="On Cityscapes 80.2 becomes 75.9 (5.4 % less) while the slowest frame takes a third of the time: kernels "
    "that are predicted for each place move the deep result, and a key frame's is used when it is there.",
    tested="DeepLabv3+ of the claim about its decoder, frozen, at stride 8 and split after stride 8; CamVid's "
    "validation drive at 15 Hz and 240x180, mean over all phases. Kernels are trained for 120 steps of 2 drawn clips "
    "of 4 frames; flow is DIS's and moves the same features. `late`: the deep result is used one frame after its own.",
    arms=ARMS,
    comparisons=(
        Comparison("Kernels, a frame late, lose less than 5.4 %", "kernels, late", "", "relative", -0.054),
        Comparison("A frame late costs kernels less than 0.01", "kernels, late", "kernels", "miou", -0.01),
        Comparison("Kernels are better than holding", "kernels", "hold"),
        Comparison("Kernels are better than flow", "kernels", "flow"),
        Comparison("Flow is better than holding", "flow", "hold"),
    ),
    measure=measure,
    budget=BUDGET.facts(every=EVERY),
    minutes=20,
)

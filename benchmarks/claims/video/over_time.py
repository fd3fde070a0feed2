"""What claims about modules that look back share: the parent, the module, and the module without a past."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.claims.claim import Comparison
from benchmarks.claims.fitting import Budget
from benchmarks.claims.scenes import camvid
from benchmarks.claims.video.streams import clips, drive, fit_on_clips, parent, scored
from intarsia.models.video import Halves, Mixer, VideoSegmenter, Whole

BUDGET = Budget(steps=120, batch=2, crop=(112, 144), lr=1e-3)
STAGE, CHANNELS = 8, 64  # where the parent is split, and the width of what leaves its deep part
# Frames of the drive from one to the next, and noise in deviations of a pixel: "noisy" plants a reason to look back.
KINDS = {"slow": (1, 0.0), "fast": (3, 0.0), "noisy": (1, 0.6)}
SIDES = {"parent": "the parent", "no past": "the module on single frames", "module": "the module"}
ARMS = {f"{kind} {side}": f"{kind}: {what}" for kind in KINDS for side, what in SIDES.items()}


def measured(arm: str, seed: int, make: Callable[[int], Mixer]) -> dict[str, float]:
    """Scores of one of `ARMS` on the drive.

    "no past" is the same module, trained on the same frames and used on each by itself, so that what it gains over the
    parent comes from its parameters, and what the module gains over it from time.
    """
    kind, _, side = arm.partition(" ")
    step, noise = KINDS[kind]
    model = VideoSegmenter(Halves(parent(seed), STAGE), mixer=make(CHANNELS) if side != "parent" else None)
    model.freeze_base()
    if side != "parent":
        batches = clips(camvid("train"), BUDGET, seed, speed=step, noise=noise)
        if side == "no past":
            batches = (batch._replace(images=batch.images.flatten(0, 1)[None]) for batch in batches)
        fit_on_clips(model, batches, BUDGET, seed)
    if side == "no past":
        model = VideoSegmenter(Whole(model))
    return scored(model.eval(), drive(step, noise))


def comparisons(name: str) -> tuple[Comparison, ...]:
    """What is claimed of a module, and what tells why."""
    return (
        Comparison(f"{name} gains over its parent", "slow module", "slow parent"),
        Comparison(f"{name} gains over its parent where motion is fast", "fast module", "fast parent"),
        Comparison(f"{name} gains by its past", "slow module", "slow no past"),
        Comparison(f"{name} gains by its past where motion is fast", "fast module", "fast no past"),
        Comparison(f"{name} gains by its past where each frame is noisy", "noisy module", "noisy no past"),
        Comparison(f"{name} is steadier than its parent", "slow module", "slow parent", "consistency"),
    )


TESTED = (
    "DeepLabv3+ of the claim about its decoder, at stride 8 and frozen, with the module behind its pyramid, trained "
    "for 120 steps of 2 clips of 4 frames that a camera draws over CamVid's stills; scored on the validation drive at "
    "240x180, of which every frame is labelled. Between frames things move by 2.9 pixels on average, 7.5 where they "
    "move fast; with every third frame (fast) by three times as much, beyond the stride. With noise of 0.6 deviations, "
    "its own in every frame, there is something to gain by looking back. The drive follows stills of the train split "
    "by a second."
)

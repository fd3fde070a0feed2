"""A loss of consistency in training: steadier frame by frame, at no cost in prediction."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.pictures import decoder
from benchmarks.claims.scenes import Batch, camvid
from benchmarks.claims.video.streams import clips, drive, scored
from intarsia.losses.temporal import confidence, temporal_consistency
from intarsia.models import ImageModel, Penalty, Supervised
from intarsia.models.video import VideoSegmenter, Whole, warp

BUDGET = Budget(steps=120, batch=4, crop=(112, 144), lr=3e-4)
WEIGHTS = {"none": 0.0, "0.1": 0.1, "1": 1.0}


def measure(arm: str, seed: int) -> dict[str, float]:
    model: ImageModel = network(
        "deeplabv3plus", seed=seed, classes=11, encoder="efficientnet_lite0", channels=decoder.CHANNELS
    )
    model.load_state_dict(decoder.trained("deeplabv3plus", seed).state_dict())

    def supervise(batch: Batch) -> Sequence[Supervised | Penalty]:
        assert batch.flow is not None
        logits = model(batch.images.flatten(0, 1))
        outputs: list[Supervised | Penalty] = [Supervised(logits, 1.0)]
        if WEIGHTS[arm]:
            before, now = logits.unflatten(0, batch.images.shape[:2])
            moved, seen = warp(before, batch.flow[0]), warp(batch.images[0], batch.flow[0])
            apart = temporal_consistency(now, moved, confidence(batch.images[1], seen))
            outputs.append(Penalty(apart, WEIGHTS[arm]))
        return outputs

    fit(model, clips(camvid("train"), BUDGET, seed, frames=2), BUDGET, seed=seed, supervise=supervise)
    return scored(VideoSegmenter(Whole(model)).eval(), drive(1))


CLAIM = Claim(
    title="A loss of consistency makes frames steadier, and costs no accuracy",
    source="Liu et al. 2020, arXiv:2002.11433",
    paper="On Cityscapes it raises temporal consistency from 68.5 to 70.0 and mean IoU from 69.8 to 71.7; prediction "
    "stays frame by frame.",
    tested="DeepLabv3+ of the claim about its decoder trains on for 120 steps of 4 drawn clips of 2 frames, whose "
    "flow is known, with and without the loss; scored on CamVid's validation drive at 15 Hz and 240x180. Consistency "
    "is the mean IoU with the labels of the frame before, moved along DIS's flow.",
    arms={"none": "clips alone", "0.1": "weight 0.1", "1": "weight 1"},
    comparisons=(
        Comparison("It raises consistency", "0.1", "none", "consistency"),
        Comparison("It costs no mean IoU", "0.1", "none", "miou", -0.005),
        Comparison("Weighed ten times as much it raises consistency", "1", "none", "consistency"),
        Comparison("Weighed ten times as much it costs no mean IoU", "1", "none", "miou", -0.005),
    ),
    measure=measure,
    budget=BUDGET.facts(weights=list(WEIGHTS.values())),
    minutes=15,
)

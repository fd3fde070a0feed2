"""A-CNN's annular convolutions over PointNet, with normals of one side and of either, with one heading and with all."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.clouds.objects import BATCH, NAMES, POINTS, cross_validated, posed, turned
from intarsia.media.clouds import PointCloud
from intarsia.models import build
from intarsia.models.cloud.acnn import ACNNParts
from intarsia.models.cloud.layers import CloudModel

STEPS = 100


@dataclass(frozen=True)
class Arm:
    """A network, what it is told of a point, and what is done to the caps."""

    architecture: str
    normals: bool = True
    one_side: bool = True
    any_heading: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        return ("normals", "category") if self.normals else ("category",)

    def change(self, cap: PointCloud, place: int) -> PointCloud:
        if self.any_heading:
            cap = posed(cap, place)
        return turned(cap) if self.one_side else cap

    def network(self) -> CloudModel:
        channels = 22 if self.normals else 19
        model = build(self.architecture, classes=len(NAMES), in_channels=channels, task="part")
        assert isinstance(model, CloudModel)
        if isinstance(model, ACNNParts):
            # With half the published points, half the centres and places: the rings are as full as with all.
            for level in (model.first, model.second):
                level.points //= 2
                level.rings = tuple(ring._replace(neighbours=ring.neighbours // 2) for ring in level.rings)
        return model


ARMS = {
    "pointnet": Arm("pointnet", normals=False),
    "acnn": Arm("acnn"),
    "acnn_filed": Arm("acnn", one_side=False),
    "pointnet_normals": Arm("pointnet"),
    "pointnet_posed": Arm("pointnet", normals=False, any_heading=True),
    "acnn_posed": Arm("acnn", any_heading=True),
}


def measure(arm: str, seed: int) -> dict[str, float]:
    chosen = ARMS[arm]
    return cross_validated(chosen.network, chosen.change, chosen.features, steps=STEPS, seed=seed)


CLAIM = Claim(
    title="A-CNN over PointNet: rings of neighbours, ordered around normals",
    source="Komarichev et al. 2019, arXiv:1904.08017",
    paper="Annular convolutions on points with normals are better than PointNet on points alone: 92.6 and 89.2 % of "
    "ModelNet40's objects are recognised (as Guo et al. 2019, arXiv:1912.12033, list them).",
    tested=f"The sixteen caps of ShapeNet part with normals, two parts each: trained on a random half, measured on the "
    f"other, both ways; the mean IoU of a cap's parts over all sixteen. {STEPS} steps of {BATCH} caps of {POINTS} of "
    "their 2,500 points, networks of parts as published (A-CNN with half the centres and half the places in a ring, "
    "because it sees half the points: its rings are then as full). Half of the file's normals point to the other side "
    "than their neighbours'; but for one arm they are turned to one side.",
    arms={
        "pointnet": "PointNet on coordinates",
        "acnn": "A-CNN, normals turned to one side",
        "acnn_filed": "A-CNN, normals as the file has them",
        "pointnet_normals": "PointNet on coordinates and normals",
        "pointnet_posed": "PointNet, each cap with a heading of its own",
        "acnn_posed": "A-CNN, each cap with a heading of its own",
    },
    comparisons=(
        Comparison("A-CNN is better than PointNet", "acnn", "pointnet"),
        Comparison("Normals that point to either side cost A-CNN", "acnn", "acnn_filed"),
        Comparison("With the same normals as input, A-CNN is better than PointNet", "acnn", "pointnet_normals"),
        Comparison("With any heading A-CNN is better than PointNet", "acnn_posed", "pointnet_posed"),
    ),
    measure=measure,
    budget={"steps": STEPS, "batch": BATCH, "points": POINTS},
    minutes=40,
    why="In single runs PointNet came before A-CNN. Of a point's eight nearest only half have a normal of its own "
    "side (50 to 59 % in fourteen of the sixteen caps), so that in the file's normals the direction of a ring "
    "is a matter of chance. The rings are not the reason: of 2048 points of a cap the first two hold 13 and "
    "41 on average, for 16 and 48 places. Caps that stand alike can be told apart by position, all that "
    "PointNet sees. Single runs decide nothing: leaving the "
    "tenth of the normals that lie level unturned moved the same seed from 0.77 to 0.80.",
)

"""The order of the points in a file: networks whose labels do not depend on it, and one whose labels do."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.clouds.objects import POINTS, scenes, unchanged
from intarsia.models import build
from intarsia.models.cloud.layers import CloudModel
from intarsia.transforms.clouds.objects import object_input

ROUNDING = 1e-4
_FEATURES = ("normals", "category")
ARMS = {
    "pointnet": "PointNet",
    "pointnet_scene": "PointNet for rooms",
    "pointnet2": "PointNet++",
    "pointnext": "PointNeXt",
    "acnn": "A-CNN for scenes",
    "randlanet": "RandLA-Net, which samples at random",
}


def measure(arm: str, seed: int) -> dict[str, float]:
    """The largest change of a class probability when the points of a cap come in another order."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = build(arm, classes=5, in_channels=6)
    assert isinstance(model, CloudModel)
    model.eval()
    moved = 0.0
    for scene in scenes(unchanged, _FEATURES):
        rows = object_input(scene, random.permutation(len(scene))[:POINTS])[:, :6]
        order = random.permutation(len(rows))
        x = torch.from_numpy(rows).t()[None].contiguous()
        with torch.inference_mode():
            found, other = model(x).softmax(1), model(x[:, :, order]).softmax(1)
        moved = max(moved, float((found[:, :, order] - other).abs().max()))
    return {"moved": moved}


CLAIM = Claim(
    title="PointNet: the order of the points does not matter",
    source="Qi et al. 2017, arXiv:1612.00593",
    paper="A maximum over all points is a symmetric function: the output is the same for each of the N! orders.",
    tested=f"The sixteen caps, {POINTS} points of each in two orders; networks with random weights, because the claim "
    "is about the function and not about what is learnt. The measure is the largest change of any class probability of "
    f"any point; up to {ROUNDING:g} it is rounding.",
    arms=ARMS,
    comparisons=(
        *(
            Comparison(f"{name} does not depend on it", arm, "", "moved", -ROUNDING, ROUNDING, lower_is_better=True)
            for arm, name in ARMS.items()
            if arm != "randlanet"
        ),
        Comparison("RandLA-Net depends on it, by design", "randlanet", "", "moved", ROUNDING),
    ),
    measure=measure,
    budget={"points": POINTS},
    minutes=1,
)

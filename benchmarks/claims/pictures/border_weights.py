"""U-Net's border weights: do touching cells stay apart?"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.scenes import IGNORE, Scenes, crops, data_folder
from benchmarks.claims.scoring import predicted
from intarsia.losses import build_loss, find_instances
from intarsia.metrics import ConfusionMatrix, PartitionAgreement

BUDGET = Budget(steps=300, batch=4, crop=(144, 144), lr=2e-3)
HELD_OUT = 6
# Mean weight of a membrane pixel under the map: what "even" gives all of them alike, without its shape.
EVEN = 4.3
LOSSES = {
    "plain": ("cross_entropy", {}),
    "border": ("border_cross_entropy", {"w0": 10.0, "sigma": 5.0}),
    "even": ("cross_entropy", {"class_weights": [EVEN, 1.0]}),
}


@lru_cache(maxsize=2)
def cells(held_out: bool) -> Scenes:
    """Slices of electron microscopy at full size: 0 membrane, 1 cell; the last six, or all others."""
    folder = data_folder("isbi_em")
    files = sorted((folder / "image").glob("*.png"), key=lambda file: int(file.stem))
    images, labels = [], []
    for file in files[-HELD_OUT:] if held_out else files[:-HELD_OUT]:
        images.append(cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2RGB))
        mask = cv2.imread(str(folder / "label" / file.name), cv2.IMREAD_GRAYSCALE)
        labels.append((mask > 127).astype(np.uint8))
    return Scenes(images, labels, labels, 2)


def measure(arm: str, seed: int) -> dict[str, float]:
    name, options = LOSSES[arm]
    model = network("unet_original", seed=seed, classes=2, width=8, padding="same", norm=True, dropout=0.2)
    loss = build_loss(name, ignore_index=IGNORE, options=options)
    fit(model, crops(cells(False), BUDGET.crop, BUDGET.batch, BUDGET.steps, seed), BUDGET, loss=loss, seed=seed)
    matrix, parts = ConfusionMatrix(2, ignore_index=IGNORE), PartitionAgreement()
    for image, truth in zip(cells(True).images, cells(True).truths, strict=True):
        labels = predicted(model, image, truth.shape)
        matrix.update(labels, truth)
        parts.update(find_instances(labels), find_instances(truth))
    found = parts.compute()
    return {
        "miou": matrix.compute().miou,
        "rand": found.rand,
        "not_split": found.rand_split,
        "not_merged": found.rand_merge,
        "info": found.info,
    }


CLAIM = Claim(
    title="U-Net: border weights keep touching cells apart",
    source="Ronneberger et al. 2015, arXiv:1505.04597",
    paper="Weights w0 exp(-(d1 + d2)^2 / 2 sigma^2), w0 = 10 and sigma about 5 pixels, force the network to learn the "
    "small separation borders between touching cells.",
    tested="ISBI 2012's electron microscopy, 18 slices to train on and the last six held out; the original U-Net with "
    "width 8 and batch-norm, 300 steps of 4 crops of 144x144. Cells are the connected parts of what is no membrane; "
    "merged and split ones are Rand scores of Arganda-Carreras et al. 2015, 1 where none is.",
    arms={
        "plain": "cross-entropy",
        "border": "with border weights",
        "even": f"membrane weighs {EVEN:g} everywhere",
    },
    comparisons=(
        Comparison("Border weights leave fewer cells merged", "border", "plain", "not_merged", worth=0.02),
        Comparison("They split no more cells", "border", "plain", "not_split", more_than=-0.02, worth=0.02),
        Comparison("They raise the Rand score", "border", "plain", "rand", worth=0.02),
        Comparison("They do more for it than an even weight of the membrane", "border", "even", "rand", worth=0.02),
        Comparison("The mean IoU pays for it", "plain", "border", "miou"),
    ),
    measure=measure,
    budget=BUDGET.facts(width=8, even=EVEN),
    minutes=8,
)

"""The dense CRF at boundaries: of a coarse network, and of one that is sharp already."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.pictures import decoder, fcn_skips
from benchmarks.claims.scenes import IGNORE, Pixels, camvid, some
from benchmarks.claims.scoring import logits_of
from intarsia.metrics import ConfusionMatrix, TrimapScores
from intarsia.models import ImageModel
from intarsia.refine import Preset, dense_crf, tune

RADII = (1, 2, 4, 8, 16)
GRID = {"bilateral_weight": (1, 2, 4), "bilateral_xy": (10, 30), "bilateral_rgb": (3, 6, 12)}
TUNED_ON, SCORED = 40, 6


def network_of(arm: str, seed: int) -> ImageModel:
    return decoder.trained(arm, seed) if arm == "deeplabv3plus" else fcn_skips.trained(fcn_skips.STAGES[arm], seed)


def probabilities(model: ImageModel, image: Pixels, size: tuple[int, int]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = logits_of(model, image, size).softmax(0).numpy()
    return found


@lru_cache(maxsize=1)
def tuned(arm: str, seed: int) -> Preset:
    """The settings with the best mean IoU on some training stills, at the size that networks work at."""
    model, stills = network_of(arm, seed), some(camvid("train"), TUNED_ON)
    samples = [
        (probabilities(model, image, labels.shape), image, labels)
        for image, labels in zip(stills.images, stills.labels, strict=True)
    ]
    return tune(samples, ConfusionMatrix(stills.classes, ignore_index=IGNORE), grid=GRID).best


def measure(arm: str, seed: int) -> dict[str, float]:
    model, scenes = network_of(arm, seed), some(camvid("val"), SCORED)
    settings = tuned(arm, seed)
    whole = [ConfusionMatrix(scenes.classes, ignore_index=IGNORE) for _ in range(2)]
    bands = [TrimapScores(scenes.classes, radii=RADII, ignore_index=IGNORE) for _ in range(2)]
    for image, labels in zip(scenes.images, scenes.labels, strict=True):
        before = probabilities(model, image, labels.shape)
        after = dense_crf(before, image, preset=settings)
        for side, found in enumerate((before, after)):
            whole[side].update(found.argmax(0), labels)
            bands[side].update(found.argmax(0), labels)
    plain, refined = (matrix.compute().miou for matrix in whole)
    gains = {}
    for radius in RADII:
        off, on = (band.compute()[radius].pixel_accuracy for band in bands)
        gains[f"gain_{radius}px"] = on - off
    return {"miou": plain, "gain": refined - plain, **gains}


CLAIM = Claim(
    title="A dense CRF sharpens coarse networks, at boundaries",
    source="Krähenbühl and Koltun 2011, arXiv:1210.5644; Chen et al. 2014, arXiv:1412.7062; Chen et al. 2016, "
    "arXiv:1606.00915",
    paper="On VOC 2012 it brings DeepLab v1 3.9 to 5.4 points and the sharper v2 1.3; the gain is largest next to the "
    "boundaries (the trimap curve).",
    tested="Networks of the claims about FCN's strides and the decoder, at 240x180 on every sixth frame of CamVid's "
    "validation drive. Settings are searched for each network on ten training stills (18 settings). Gains are of mean "
    "IoU, and of pixel accuracy in bands along the true boundaries.",
    arms={"32s": "FCN-32s", "8s": "FCN-8s", "deeplabv3plus": "DeepLabv3+"},
    comparisons=(
        Comparison("It raises FCN-32s's mean IoU", "32s", measure="gain"),
        Comparison("It raises DeepLabv3+'s mean IoU", "deeplabv3plus", measure="gain"),
        Comparison("It brings FCN-32s more than DeepLabv3+", "32s", "deeplabv3plus", "gain"),
        Comparison("It helps FCN-32s within two pixels of a boundary", "32s", measure="gain_2px", worth=0.01),
        Comparison(
            "It helps DeepLabv3+ within two pixels of a boundary", "deeplabv3plus", measure="gain_2px", worth=0.01
        ),
    ),
    measure=measure,
    budget={
        "networks": [fcn_skips.CLAIM.budget, decoder.CLAIM.budget],
        "grid": {name: list(values) for name, values in GRID.items()},
        "frames": SCORED,
    },
    minutes=6,
)

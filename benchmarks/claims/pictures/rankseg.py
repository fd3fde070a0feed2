"""RankSEG: labels that maximise the expected Dice, from the same probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.pictures.decoder import BUDGET, trained
from benchmarks.claims.scenes import IGNORE, Pixels, camvid, some
from benchmarks.claims.scoring import logits_of, predicted
from intarsia.inference.pictures.ranking import Histograms
from intarsia.metrics import ConfusionMatrix
from intarsia.models import ImageModel


def ranked(model: ImageModel, image: Pixels, size: tuple[int, int]) -> Pixels:
    """Labels by RankSEG, thresholds from the whole picture's probabilities."""
    logits = logits_of(model, image, size)
    histograms = Histograms(len(logits))
    histograms.add(logits[None].numpy(), lambda top, bottom: None)
    gains = histograms.ranking().gains(logits.softmax(0).numpy())
    labels: Pixels = np.stack(list(gains)).argmax(0).astype(np.uint8)
    return labels


DECISIONS: dict[str, Callable[[ImageModel, Pixels, tuple[int, int]], Pixels]] = {"argmax": predicted, "rankseg": ranked}


def measure(arm: str, seed: int) -> dict[str, float]:
    model, scenes = trained("deeplabv3plus", seed), some(camvid("val"), 2)
    whole, dices = ConfusionMatrix(scenes.classes, ignore_index=IGNORE), []
    for image, truth in zip(scenes.images, scenes.truths, strict=True):
        labels = DECISIONS[arm](model, image, truth.shape)
        own = ConfusionMatrix(scenes.classes, ignore_index=IGNORE)
        own.update(labels, truth)
        whole.merge(own)
        dices.append(own.compute().mean_f1)
    found = whole.compute()
    return {"dice": float(np.mean(dices)), "miou": found.miou, "pixel_accuracy": found.pixel_accuracy}


CLAIM = Claim(
    title="RankSEG raises Dice without any training",
    source="Dai and Li 2023, JMLR 24; Wang and Dai 2025, RankSEG-RMA",
    paper="The likeliest class of every pixel does not maximise Dice; taking the pixels that do, from the same "
    "probabilities, raises it.",
    tested="DeepLabv3+ of the claim about the decoder, on every second frame of CamVid's validation drive. Dice is "
    "the mean of the pictures' means over classes, as in the paper.",
    arms={"argmax": "likeliest class", "rankseg": "RankSEG"},
    comparisons=(
        Comparison("It raises the pictures' mean Dice", "rankseg", "argmax", "dice"),
        Comparison("It raises the mean IoU of the whole set", "rankseg", "argmax"),
        Comparison("It costs pixel accuracy", "argmax", "rankseg", "pixel_accuracy"),
    ),
    measure=measure,
    budget=BUDGET.facts(),
    minutes=4,
)

"""One prediction, scored by everybody: which convention gives which mean IoU."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import intarsia
from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.scenes import IGNORE, Pixels, data_folder
from intarsia.datasets import ReadOptions, open_dataset
from intarsia.metrics import ConfusionMatrix

CLASSES, STEP = 11, 6
CITYSCAPES_IDS = np.array([7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23])  # eleven of its classes in place of ours


@lru_cache(maxsize=1)
def maps(seed: int) -> tuple[Pixels, Pixels]:
    """Labels that the bundled street model gives every sixth frame of CamVid's drive, and the true ones, (N, H, W)."""
    predictor = intarsia.load("street")
    split = open_dataset(data_folder("camvid"), ReadOptions(layout="camvid", classes=predictor.space.names)).split(
        "val"
    )
    lookup = predictor.space.lookup_from(split.space)
    pairs = [split.read(index) for index in range(seed, len(split), STEP)]
    predicted = [predictor.segment(image).labels for image, _ in pairs]
    truths = [lookup[target] for _, target in pairs]
    return np.stack(predicted).astype(np.uint8), np.stack(truths).astype(np.uint8)


def _tensors(predicted: Pixels, truth: Pixels) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()


def _one_hot(predicted: Pixels, truth: Pixels) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) of libraries that ignore nothing: unknown elements are of no class in both."""
    known = torch.from_numpy(truth != IGNORE)[..., None]
    given = (np.minimum(labels, CLASSES - 1) for labels in (predicted, truth))
    one, other = ((F.one_hot(torch.from_numpy(labels).long(), CLASSES) * known).movedim(-1, 1) for labels in given)
    return one, other


def intarsias(predicted: Pixels, truth: Pixels) -> float:
    matrix = ConfusionMatrix(CLASSES, ignore_index=IGNORE)
    matrix.update(predicted, truth)
    return matrix.compute().miou


def sklearns(predicted: Pixels, truth: Pixels) -> float:
    from sklearn.metrics import jaccard_score

    known = truth != IGNORE
    return float(jaccard_score(truth[known], predicted[known], average="macro"))


def mmsegmentations(predicted: Pixels, truth: Pixels) -> float:
    """Its formula, three histograms; the package itself does not install any more."""
    known = truth != IGNORE
    one, other = predicted[known], truth[known]
    hits, mine, true = (np.bincount(part, minlength=CLASSES) for part in (one[one == other], one, other))
    with np.errstate(invalid="ignore"):
        return float(np.nanmean(hits / (mine + true - hits)))


def cityscapes_scripts(predicted: Pixels, truth: Pixels) -> float:
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as peer

    settings = SimpleNamespace(**vars(peer.args) | {"evalInstLevelScore": False})  # which NumPy 2.4 breaks
    matrix: Any = peer.generateMatrix(settings)
    with TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("prediction.png", "truth.png")]
        for pair in zip(predicted, truth, strict=True):
            for file, labels in zip(files, pair, strict=True):
                stored = np.where(labels == IGNORE, 0, CITYSCAPES_IDS[np.minimum(labels, CLASSES - 1)])
                Image.fromarray(stored.astype(np.uint8)).save(file)
            peer.evaluatePair(*files, matrix, {}, {}, settings)
    scores = {index: peer.getIouScoreForLabel(index, matrix, settings) for index in settings.evalLabels}
    return float(peer.getScoreAverage(scores, settings))


def torchmetrics_classification(predicted: Pixels, truth: Pixels) -> float:
    from torchmetrics.classification import MulticlassJaccardIndex

    return float(MulticlassJaccardIndex(CLASSES, ignore_index=IGNORE)(*_tensors(predicted, truth)))


def torchmetrics_segmentation(predicted: Pixels, truth: Pixels) -> float:
    from torchmetrics.segmentation import MeanIoU

    return float(MeanIoU(CLASSES)(*_one_hot(predicted, truth)))


def smps(predicted: Pixels, truth: Pixels, reduction: str) -> float:
    import segmentation_models_pytorch.metrics as peer

    stats = peer.get_stats(*_tensors(predicted, truth), mode="multiclass", num_classes=CLASSES, ignore_index=IGNORE)
    return float(peer.iou_score(*stats, reduction=reduction))


def monais(predicted: Pixels, truth: Pixels) -> float:
    from monai.metrics import MeanIoU

    metric = MeanIoU()
    metric(*_one_hot(predicted, truth))
    return float(metric.aggregate())


SCORES: dict[str, Callable[[Pixels, Pixels], float]] = {
    "intarsia": intarsias,
    "sklearn": sklearns,
    "mmseg": mmsegmentations,
    "cityscapes": cityscapes_scripts,
    "torchmetrics": torchmetrics_classification,
    "torchmetrics pictures": torchmetrics_segmentation,
    "smp macro": lambda one, other: smps(one, other, "macro"),
    "smp pictures": lambda one, other: smps(one, other, "macro-imagewise"),
    "smp micro": lambda one, other: smps(one, other, "micro"),
    "monai": monais,
}


def measure(arm: str, seed: int) -> dict[str, float]:
    given = maps(seed)
    score = SCORES[arm](*given)
    return {"miou": score, "off": abs(score - intarsias(*given))}


def same(arm: str, name: str) -> Comparison:
    says = f"{name} gives the mean IoU of the whole set"
    return Comparison(says, arm, measure="off", more_than=-1e-4, worth=1e-5, lower_is_better=True)


def other(arm: str, name: str) -> Comparison:
    return Comparison(f"{name} gives a number that is off by 0.01 or more", arm, measure="off", more_than=0.01)


CLAIM = Claim(
    title="One prediction has many mean IoUs",
    source="The libraries' own conventions",
    paper="The published number is that of one confusion matrix over the whole set, classes without a pixel left out.",
    tested="The bundled street model on CamVid's validation drive at 480x360, three interleaved sixths of it as seeds, "
    "11 classes and unknown pixels. Libraries that ignore nothing get unknown pixels as of no class in both maps.",
    arms={
        "intarsia": "Intarsia",
        "sklearn": "scikit-learn jaccard_score, macro",
        "mmseg": "mmsegmentation's formula",
        "cityscapes": "cityscapesScripts",
        "torchmetrics": "torchmetrics MulticlassJaccardIndex",
        "torchmetrics pictures": "torchmetrics segmentation.MeanIoU",
        "smp macro": "smp iou_score, macro",
        "smp pictures": "smp iou_score, macro-imagewise",
        "smp micro": "smp iou_score, micro",
        "monai": "MONAI MeanIoU",
    },
    comparisons=(
        same("sklearn", "scikit-learn"),
        same("mmseg", "mmsegmentation's formula"),
        same("cityscapes", "cityscapesScripts"),
        same("torchmetrics", "torchmetrics' MulticlassJaccardIndex"),
        same("smp macro", "smp's macro, where every class occurs,"),
        other("torchmetrics pictures", "torchmetrics' segmentation.MeanIoU, a mean over pictures,"),
        other("smp pictures", "smp's macro-imagewise"),
        other("smp micro", "smp's micro, all pixels together,"),
        other("monai", "MONAI's MeanIoU, a mean over pictures,"),
    ),
    measure=measure,
    why="What adds up one confusion matrix agrees to the last digit. What averages over pictures first lets a class "
    "weigh as much in a picture that it hardly touches as in one that it fills. The three that do so agree with each "
    "other here, where every class is in every picture; where one is absent, they part: [metrics](metrics.md) has "
    "such a case.",
    budget={"model": "street", "step": STEP},
    minutes=3,
)

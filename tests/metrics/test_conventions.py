"""Every number in docs/metrics.md, computed again: by the libraries themselves where they can be installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch.metrics as smp
import torch
from PIL import Image

from intarsia.metrics import ConfusionMatrix, Scores

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
CITYSCAPES_IDS = np.array([7, 8, 11, 12])  # four of its classes in place of ours


def maps(heading: str) -> np.ndarray:
    """One of the two pairs of 3x4 maps that the page draws."""
    drawing = PAGE.partition("```\ntruth")[2].partition("```")[0].replace("prediction", " ")
    numbers = np.array([[int(n) for n in re.findall(r"\d", line)] for line in drawing.splitlines()])
    first = {"truth": 0, "prediction": 8}[heading]
    return np.stack([numbers[:, first : first + 4], numbers[:, first + 4 : first + 8]])


TRUTH, PREDICTION = maps("truth"), maps("prediction")
TENSORS = torch.from_numpy(PREDICTION), torch.from_numpy(TRUTH)


def ours(prediction: np.ndarray = PREDICTION, truth: np.ndarray = TRUTH) -> Scores:
    matrix = ConfusionMatrix(4)
    matrix.update(prediction, truth)
    return matrix.compute()


def each_image(score: str) -> float:
    pairs = zip(PREDICTION, TRUTH, strict=True)
    return float(np.mean([getattr(ours(prediction, truth), score) for prediction, truth in pairs]))


def fast_hist() -> float:
    table = np.bincount(4 * TRUTH.ravel() + PREDICTION.ravel(), minlength=16).reshape(4, 4)
    with np.errstate(invalid="ignore"):
        return float(np.nanmean(np.diag(table) / (table.sum(1) + table.sum(0) - np.diag(table))))


def areas(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mmsegmentation's three histograms: hits, prediction, truth."""
    parts = (prediction[prediction == truth], prediction, truth)
    hits, predicted, true = (np.histogram(part, bins=4, range=(0, 3))[0] for part in parts)
    return hits, predicted, true


def mmsegmentation() -> float:
    hits, predicted, true = areas(PREDICTION, TRUTH)
    with np.errstate(invalid="ignore"):
        return float(np.nanmean(hits / (predicted + true - hits)))


def mmsegmentation_f(prediction: np.ndarray, truth: np.ndarray) -> float:
    hits, predicted, true = areas(prediction, truth)
    with np.errstate(invalid="ignore"):
        precision, recall = hits / predicted, hits / true
        return float(np.nanmean(2 * precision * recall / (precision + recall)))


def cityscapes(tmp_path: Path, prediction: np.ndarray = PREDICTION, truth: np.ndarray = TRUTH) -> float:
    peer = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    settings = SimpleNamespace(**vars(peer.args))
    settings.evalInstLevelScore = False  # needs a function that NumPy has dropped
    matrix = peer.generateMatrix(settings)
    for number, pair in enumerate(zip(prediction, truth, strict=True)):
        files = []
        for name, labels in zip(("prediction", "truth"), pair, strict=True):
            stored = np.where(labels == 255, 0, CITYSCAPES_IDS[np.minimum(labels, 3)])  # 0 is "unlabeled"
            files.append(str(tmp_path / f"{name}{number}.png"))
            Image.fromarray(stored.astype(np.uint8)).save(files[-1])
        peer.evaluatePair(*files, matrix, {}, {}, settings)
    scores = {index: peer.getIouScoreForLabel(index, matrix, settings) for index in settings.evalLabels}
    return float(peer.getScoreAverage(scores, settings))


def of_smp(score: Callable[..., torch.Tensor], reduction: str) -> float:
    return float(score(*smp.get_stats(*TENSORS, mode="multiclass", num_classes=4), reduction=reduction))


def torchmetrics() -> Any:
    """The library, which takes seconds to import: not every worker that collects need spend them."""
    import torchmetrics
    import torchmetrics.classification
    import torchmetrics.segmentation

    return torchmetrics


def of_monai(name: str) -> float:
    import monai.metrics  # as above

    metric = getattr(monai.metrics, name)()
    metric(*(torch.nn.functional.one_hot(labels, 4).movedim(-1, 1) for labels in TENSORS))
    return float(metric.aggregate())


IOU: dict[str, Callable[[], float]] = {
    "Intarsia": lambda: ours().miou,
    "FCN, VOC and DeepLab scripts": fast_hist,
    "mmsegmentation": mmsegmentation,
    "torchmetrics, classification": lambda: float(
        torchmetrics().classification.MulticlassJaccardIndex(4, average="macro")(*TENSORS)
    ),
    "torchmetrics, classification, micro": lambda: float(
        torchmetrics().classification.MulticlassJaccardIndex(4, average="micro")(*TENSORS)
    ),
    "torchmetrics, segmentation": lambda: float(torchmetrics().segmentation.MeanIoU(4, input_format="index")(*TENSORS)),
    "Intarsia, micro": lambda: ours().micro_iou,
    "Intarsia, each image's micro": lambda: each_image("micro_iou"),
    "Intarsia, each image": lambda: each_image("miou"),
    "smp, macro": lambda: of_smp(smp.iou_score, "macro"),
    "smp, micro-imagewise": lambda: of_smp(smp.iou_score, "micro-imagewise"),
    "smp, macro-imagewise": lambda: of_smp(smp.iou_score, "macro-imagewise"),
    "MONAI": lambda: of_monai("MeanIoU"),
}
OTHERS: dict[str, Callable[[], float]] = {
    "Intarsia": lambda: ours().pixel_accuracy,
    "torchmetrics, wrapper": lambda: float(torchmetrics().Accuracy(task="multiclass", num_classes=4)(*TENSORS)),
    "Intarsia, per class": lambda: ours().mean_accuracy,
    "torchmetrics, class": lambda: float(torchmetrics().classification.MulticlassAccuracy(4)(*TENSORS)),
    "smp": lambda: of_smp(smp.accuracy, "macro"),
    "Intarsia, F1": lambda: ours().mean_f1,
    "torchmetrics, Dice": lambda: float(torchmetrics().segmentation.DiceScore(4, input_format="index")(*TENSORS)),
    "MONAI, Dice": lambda: of_monai("DiceMetric"),
}


def printed(table: int) -> dict[str, float]:
    """Library -> number of one of the page's two tables of numbers."""
    rows = re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]+\| (\d\.\d{4}) \|$", PAGE, flags=re.MULTILINE)
    split = next(i for i, (name, _) in enumerate(rows) if i and name == "Intarsia")
    return {name: float(value) for name, value in (rows[:split], rows[split:])[table]}


def test_the_page_draws_two_images() -> None:
    assert TRUTH.shape == PREDICTION.shape == (2, 3, 4)
    assert (set(np.unique(TRUTH)), set(np.unique(PREDICTION))) == ({0, 1, 2}, {0, 1, 2})


@pytest.mark.parametrize("library", IOU)
def test_mean_iou(library: str) -> None:
    assert IOU[library]() == pytest.approx(printed(0)[library], abs=5e-5)


def test_mean_iou_of_cityscapes(tmp_path: Path) -> None:
    assert cityscapes(tmp_path) == pytest.approx(printed(0)["cityscapesScripts"], abs=5e-5)


@pytest.mark.parametrize("library", OTHERS)
def test_accuracy_and_dice(library: str) -> None:
    assert OTHERS[library]() == pytest.approx(printed(1)[library], abs=5e-5)


def test_every_row_of_the_tables_is_computed() -> None:
    assert printed(0).keys() == {*IOU, "cityscapesScripts"}
    assert printed(1).keys() == OTHERS.keys()


def test_a_class_that_is_only_predicted() -> None:
    """detectron2 leaves it out of the mean: `present_miou`."""
    truth, prediction = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 0])
    assert "truth `0 0 0 1 1` and the prediction `0 0 2 1 0`, the mIoU is 0.3333" in PAGE
    found = ours(prediction, truth)
    held = np.unique(truth)
    hits = np.array([((truth == c) & (prediction == c)).sum() for c in held])
    union = np.array([((truth == c) | (prediction == c)).sum() for c in held])
    assert found.present_miou == pytest.approx((hits / union).mean()) == pytest.approx(0.5)
    assert found.miou == pytest.approx(1 / 3)
    assert ours().present_miou == ours().miou
    matrix = ConfusionMatrix(4)
    matrix.update(prediction, truth)
    assert matrix.compute(leave_out=[1]).present_miou == pytest.approx(0.5)
    assert matrix.compute(leave_out=[0, 2, 3]).micro_iou == pytest.approx(0.5)


def test_classes_that_are_all_wrong() -> None:
    assert "the truth `0 0 1 1` and\n  the prediction `0 0 0 2`" in PAGE
    truth, prediction = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 2])
    assert "the mean F1 is 0.2667, its mFscore 0.8000" in PAGE
    assert ours(prediction, truth).mean_f1 == pytest.approx(0.2667, abs=5e-5)
    assert mmsegmentation_f(prediction, truth) == pytest.approx(0.8)


def test_void_predictions(tmp_path: Path) -> None:
    assert "the truth `0 0 1 1 255 255` and the prediction `0 0 2 255 1 3`" in PAGE
    truth, prediction = np.array([[[0, 0, 1, 1, 255, 255]]]), np.array([[[0, 0, 2, 255, 1, 3]]])
    found = ours(prediction, truth)
    assert found.iou.tolist() == pytest.approx([1, 0, 0, np.nan], nan_ok=True)
    assert found.miou == pytest.approx(0.3333, abs=5e-5)
    tensors = torch.from_numpy(prediction), torch.from_numpy(truth)
    with pytest.raises(RuntimeError):
        torchmetrics().classification.MulticlassJaccardIndex(4, ignore_index=255)(*tensors)
    with pytest.raises(RuntimeError):
        torchmetrics().segmentation.MeanIoU(4, input_format="index")(tensors[1].clamp(max=3), tensors[1])
    assert cityscapes(tmp_path, prediction, truth) == pytest.approx(0.3333, abs=5e-5)


def test_monai_forgives_invented_classes_and_smp_rewards_absent_ones() -> None:
    import monai.metrics

    truth, invented = torch.tensor([[[0, 0, 0, 0]]]), torch.tensor([[[0, 0, 0, 1]]])
    one_hot = [torch.nn.functional.one_hot(labels, 2).movedim(-1, 1) for labels in (invented, truth)]
    assert float(monai.metrics.compute_iou(*one_hot)[0].nanmean()) == pytest.approx(3 / 4)
    assert ours(invented.numpy(), truth.numpy()).miou == pytest.approx((3 / 4 + 0) / 2)
    stats = smp.get_stats(truth, truth, mode="multiclass", num_classes=2)
    assert smp.iou_score(*stats, reduction="none")[0].tolist() == [1, 1]

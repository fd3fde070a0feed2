"""Figures of the pages on classical methods, losses and conventions of metrics."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from handbook.sheets import Pixels, bars, framed, heat, sheet
from handbook.stage import ROOT

_STROKES = (
    (1, [(40, 47), (52, 47)]), (1, [(148, 43), (160, 43)]),
    (1, [(298, 111), (312, 111)]), (1, [(352, 118), (366, 118)]),
    (0, [(20, 80), (120, 80)]), (0, [(200, 76), (300, 76)]), (0, [(75, 20), (75, 60)]), (0, [(330, 95), (330, 140)]),
)  # fmt: skip
"""Class, and the ends of each stroke, on the lower half of the photo of coins."""


def classical_strokes() -> Image.Image:
    """Coins with a few strokes, and what three methods make of them, with the IoU of coins."""
    import intarsia

    photo, truth = _coins()
    clusters = intarsia.cluster(photo, 2, options={"position": 0}).segment(photo).labels
    found = {"k-means, 2 clusters, no stroke": clusters == np.argmax(np.bincount(clusters[truth]))}
    drawn = Image.fromarray(photo)
    pen, mask = ImageDraw.Draw(drawn), Image.new("L", drawn.size)
    for kind, ends in _STROKES:
        pen.line(ends, fill=((60, 120, 255), (255, 200, 0))[kind], width=3)
        ImageDraw.Draw(mask).line(ends, fill=1 + kind, width=3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "strokes"
        for part, picture in (("images", Image.fromarray(photo)), ("masks", mask)):
            (folder / part).mkdir(parents=True)
            picture.save(folder / part / "coins.png")
        (folder / "classes.txt").write_text("background\ncoin\n")
        for title, change in (
            ("random forest", "{position: false}"), ("RBF SVM", "{position: false, landmarks: 100}")
        ):  # fmt: skip
            kind = "svm" if "SVM" in title else "random_forest"
            changes = [f"model.architecture={kind}", f"model.options={change}"]
            run = intarsia.train(folder, Path(name) / kind, recipe="scribbles", changes=changes)
            found[title] = intarsia.load(run.best).segment(photo)["coin"]
    panels = [(f"{len(_STROKES)} strokes: coin, background", np.asarray(drawn))]
    for title, coin in found.items():
        score = (coin & truth).sum() / (coin | truth).sum()
        panels.append((f"{title}: IoU {score:.2f}", framed(coin)))
    return sheet(panels, 1, columns=2)


def _coins() -> tuple[Pixels, NDArray[np.bool_]]:
    """The lower half of the photo, and what is a coin there by the demo's outlines."""
    photo = Image.open(ROOT / "intarsia" / "serving" / "samples" / "coins.jpg").convert("RGB")
    truth = Image.new("L", photo.size)
    for shape in json.loads((ROOT / "intarsia" / "apps" / "coins.json").read_text(encoding="utf-8"))["shapes"]:
        ImageDraw.Draw(truth).polygon([tuple(point) for point in shape["points"]], fill=1)
    return np.asarray(photo)[151:], np.asarray(truth)[151:].astype(bool)


def loss_gradients() -> Image.Image:
    """Where each loss pulls: the gradient of an unsure prediction of a large and of a tiny thing."""
    import cv2
    import torch

    from intarsia.losses import build_loss

    y, x = np.mgrid[:72, :96]
    truth = ((y - 38) ** 2 + (x - 34) ** 2 < 22**2) | ((y - 16) ** 2 + (x - 80) ** 2 < 3.5**2)
    seen = cv2.GaussianBlur(np.roll(truth, 3, axis=1).astype(np.float32), (0, 0), 4)
    panels = [("truth: the disc at the right is 2 % of it", framed(truth)), ("predicted probability", heat(seen, 1))]
    target = torch.from_numpy(truth[None].astype(np.int64))
    for title, name, options in (
        ("cross-entropy", "cross_entropy", {}),
        ("focal", "focal", {}),
        ("Dice", "dice", {"classes": [1]}),
        ("Tversky", "tversky", {"classes": [1]}),
        ("Lovasz", "lovasz", {"classes": [1]}),
        ("boundary", "boundary", {"classes": [1]}),
    ):
        margin = torch.logit(torch.from_numpy(seen).clamp(0.01, 0.99))
        logits = torch.stack([-margin / 2, margin / 2])[None].requires_grad_()
        build_loss(name, ignore_index=255, options=options)(logits, target).backward()
        pull = logits.grad.abs().sum(1)[0].numpy()
        small = pull[6:27, 68:92].sum() / pull.sum()
        panels.append((f"{title}: {small:.0%} near the small disc", heat(pull, float(np.quantile(pull, 0.99)))))
    return sheet(panels, 2, columns=4)


def metric_conventions() -> Image.Image:
    """One prediction of sixteen drawn streets, and what it scores by ten ways of counting."""
    from intarsia.datasets.synthetic import SCENE
    from intarsia.metrics import BoundaryF1, BoundaryIoU, ConfusionMatrix

    count = len(SCENE)
    whole, alone = ConfusionMatrix(count), []
    borders, contours = BoundaryIoU(count), BoundaryF1(count)
    for truth, found in _predictions(16):
        for metric in (whole, borders, contours):
            metric.update(found, truth)
        one = ConfusionMatrix(count)
        one.update(found, truth)
        alone.append(one.compute())
    scores = whole.compute()
    filled = [np.nan_to_num(one.iou, nan=1.0).mean() for one in alone]
    rows = (
        ("pixel accuracy", scores.pixel_accuracy),
        ("IoU of all classes together (micro)", scores.micro_iou),
        ("IoU by frequency", scores.fwiou),
        ("mean F1 (Dice) of classes", scores.mean_f1),
        ("mean accuracy of classes (recall)", scores.mean_accuracy),
        ("mean IoU: pixels of all images (here)", scores.miou),
        ("mean of images, absent classes count 1", float(np.mean(filled))),
        ("mean of images, absent classes left out", float(np.mean([one.miou for one in alone]))),
        ("boundary F1", contours.compute().mean),
        ("boundary IoU", borders.compute().mean),
    )
    return bars(rows, 1)


def _predictions(count: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Labels of drawn streets, and what is left of them when they are shrunk by 8, with some false alarms."""
    import cv2

    from intarsia.datasets.synthetic import SCENE, draw_scene

    for number in range(count):
        random = np.random.default_rng([7, number])
        truth = draw_scene((128, 192), random)[1]
        scores = np.eye(len(SCENE), dtype=np.float32)[truth]
        small = cv2.resize(scores, (24, 16), interpolation=cv2.INTER_AREA) + random.normal(
            0, 0.12, (16, 24, len(SCENE))
        )
        found = cv2.resize(small, (192, 128), interpolation=cv2.INTER_LINEAR).argmax(axis=2)
        yield truth, found.astype(np.uint8)

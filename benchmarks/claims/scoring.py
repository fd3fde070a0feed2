"""Scores of a trained network on whole pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.claims.fitting import normalised
from benchmarks.claims.scenes import IGNORE, Pixels, Scenes, as_input
from intarsia.metrics import ConfusionMatrix, boundary_band
from intarsia.models import ImageModel
from intarsia.models.layers import resize

BAND = 4  # pixels from a boundary, at the size that is scored


@torch.inference_mode()
def logits_of(model: ImageModel, image: Pixels, size: tuple[int, int]) -> Tensor:
    """(C, *size) logits of one picture (H, W, 3)."""
    low = model.logits(normalised(model, as_input(image[None])))
    corners = model.align_corners
    if size != image.shape[:2] and low.shape[2:] == image.shape[:2]:
        return resize(low, size, align_corners=corners)[0]
    return resize(resize(low, image.shape[:2], align_corners=corners), size)[0]


def predicted(model: ImageModel, image: Pixels, size: tuple[int, int]) -> Pixels:
    """The labels of one picture at `size`."""
    labels: Pixels = logits_of(model, image, size).argmax(0).numpy().astype(np.uint8)
    return labels


def scores(
    model: ImageModel, scenes: Scenes, *, predict: Callable[[ImageModel, Pixels, tuple[int, int]], Pixels] = predicted
) -> dict[str, float]:
    """Mean IoU, pixel and mean accuracy, and the share of right pixels near boundaries and away from them."""
    matrix = ConfusionMatrix(scenes.classes, ignore_index=IGNORE)
    near, inside = (ConfusionMatrix(scenes.classes, ignore_index=IGNORE) for _ in range(2))
    for image, truth in zip(scenes.images, scenes.truths, strict=True):
        labels = predict(model, image, truth.shape)
        band = boundary_band(truth, BAND, ignore_index=IGNORE)
        matrix.update(labels, truth)
        near.update(labels[band], truth[band])
        inside.update(labels[~band], truth[~band])
    whole = matrix.compute()
    return {
        "miou": whole.miou,
        "pixel_accuracy": whole.pixel_accuracy,
        "mean_accuracy": whole.mean_accuracy,
        "boundary_accuracy": near.compute().pixel_accuracy,
        "interior_accuracy": inside.compute().pixel_accuracy,
    }

"""Photographs that ship with scikit-image, and what a network of stride 8 might say about them."""

from __future__ import annotations

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

STRIDE = 8


def scene(
    photo: str, height: int, width: int, classes: int, present: int, *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Probabilities (C, H, W) and picture (H, W, 3).

    The truth is made of regions of similar colour. The network sees it at an eighth of the size, blurred and with
    errors the size of a few of its cells; its logits are stretched to the picture. Classes that are not present get
    probabilities far below 1 %, as from a trained network.

    Args:
        photo: name of the function in `skimage.data`.
        height: of the picture.
        width: of the picture.
        classes: C.
        present: classes that occur.
        seed: of the errors.
    """
    image = np.asarray(getattr(skimage.data, photo)())[..., :3]
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if height < len(image) else cv2.INTER_CUBIC)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    features = np.dstack([cv2.GaussianBlur(image, (0, 0), 3), 0.2 * rows, 0.2 * columns]).reshape(-1, 5)
    features = features.astype(np.float32)
    cv2.setRNGSeed(seed)
    sample = features[:: max(1, len(features) // 5000)]
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 1.0)
    _, _, centres = cv2.kmeans(sample, present, np.empty(0), stop, 2, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    truth = np.stack([((features - centre) ** 2).sum(1) for centre in centres]).argmin(0).reshape(height, width)
    random = np.random.default_rng(seed)
    cells = (-(-height // STRIDE), -(-width // STRIDE))
    logits = np.full((classes, height, width), -8.0, np.float32)
    for label in range(classes):
        share = cv2.resize((truth == label).astype(np.float32), cells[::-1], interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(share, (0, 0), 0.7) * 8 - (1 if label < present else 8)
        errors = cv2.GaussianBlur(random.normal(size=cells).astype(np.float32), (0, 0), 1.5) * 4
        logits[label] = cv2.resize(small + errors, (width, height), interpolation=cv2.INTER_LINEAR)
    powers = np.exp(logits - logits.max(0))
    return powers / powers.sum(0), image

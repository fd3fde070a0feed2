"""Classical models small enough for a test, and a drawn picture that they can learn."""

from __future__ import annotations

from typing import Any

import numpy as np

# One without an entry fails the sweep.
SMALL: dict[str, dict[str, Any]] = {
    "kmeans": {"clusters": 24},
    "random_forest": {"trees": 8, "leaves": 64},
    "svm": {"landmarks": 60},
}


def stripes(height: int, width: int, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Three upright stripes that differ in colour and grain: (H, W, channels) float32 in 0..1, and labels (H, W)."""
    random = np.random.default_rng(0)
    labels = (np.arange(width) * 3 // width)[None].repeat(height, 0)
    shown = np.resize([[0.2, 0.3, 0.5], [0.7, 0.6, 0.2], [0.5, 0.1, 0.4]], (3, channels))[labels]
    shown = shown + random.normal(size=(height, width, 1)) * np.array([0.02, 0.06, 0.12])[labels][..., None]
    return np.clip(shown, 0, 1).astype(np.float32), labels

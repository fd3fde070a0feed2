"""A predictor that takes what is red for people, and photos of them; it needs no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Description
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing

SPACE = LabelSpace(("background", "person"))
RED, BLUE = (230, 20, 20), (20, 20, 230)


class Red:
    """A runtime: people are where there is more red than blue."""

    name, precision, processor = "red", "exact", "any"
    in_channels, stride, align_corners, margin = 3, 1, False, 0

    def logits(self, x: Any, place: Any = None) -> Any:
        return np.stack([np.zeros_like(x[:, 0]), 20 * (x[:, 0] - x[:, 2])], axis=1)


def red_people() -> Predictor:
    preprocessing = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), long_side=128)
    return Predictor(Description("red", {}, SPACE, preprocessing), runtime=Red())


def red_disc(
    height: int = 200, width: int = 300, *, at: tuple[float, float] = (150, 100), radius: float = 60
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A red disc on blue with a soft rim, as (height, width, 3) uint8, and how much of each pixel it covers."""
    y, x = np.mgrid[:height, :width]
    alpha = np.clip(radius + 0.5 - np.hypot(x - at[0], y - at[1]), 0, 1).astype(np.float32)
    mixed = alpha[..., None] * np.array(RED) + (1 - alpha[..., None]) * np.array(BLUE)
    return np.rint(mixed).astype(np.uint8), alpha

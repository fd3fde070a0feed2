"""Warming up: a model computes the smallest and the largest input once, before anybody waits for it."""

from __future__ import annotations

import numpy as np

from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.media.images import open_image

_SIDES = (64, 512)


def warm(predictor: Predictor | CloudPredictor) -> None:
    """Let a model of pictures compute a small and a large picture; one of clouds has no fixed sizes to prepare."""
    if isinstance(predictor, CloudPredictor) or predictor.preprocessing.medium != "picture":
        return
    for side in _SIDES:
        predictor.segment_opened(open_image(np.zeros((side, side, 3), np.uint8)))

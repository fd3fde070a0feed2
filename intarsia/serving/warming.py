"""Warming up: a model computes the smallest and the largest input once, before anybody waits for it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import numpy as np

from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.media.images import open_image
from intarsia.serving.engine import Call, Engine

_SIDES = (64, 512)
_SAMPLE = Path(__file__).parent / "samples" / "astronaut.jpg"
"""With which an empty studio begins."""


def warm(predictor: Predictor | CloudPredictor) -> None:
    """Let a model of pictures compute a small and a large picture; one of clouds has no fixed sizes to prepare."""
    if isinstance(predictor, CloudPredictor) or predictor.preprocessing.medium != "picture":
        return
    for side in _SIDES:
        predictor.segment_opened(open_image(np.zeros((side, side, 3), np.uint8)))


async def warm_look(engine: Engine) -> None:
    """Let a look at the first sample choose its model, and that one compute: who opens the studio sees it at once."""
    pixels = await asyncio.to_thread(open_image(_SAMPLE).read)
    choice = await engine.choose(Call(), pixels)
    predictor = await engine.predictor(choice.model)
    await engine.compute(Call(), predictor, partial(warm, predictor))

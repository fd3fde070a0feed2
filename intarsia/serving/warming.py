"""Warming up: a model computes the smallest and the largest input once, before anybody waits for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from intarsia.errors import IntarsiaError
from intarsia.media.images import open_image
from intarsia.serving.calls import Call
from intarsia.serving.engine import AnyPredictor, Engine
from intarsia.serving.project.current import Current
from intarsia.serving.routes.studio import read_files

_SIDES = (64, 512)
SAMPLE = Path(__file__).parent / "samples" / "astronaut.jpg"
"""With which an empty studio begins."""


def warm(predictor: AnyPredictor) -> None:
    """Let a model of pictures compute a small and a large picture; one of clouds has no fixed sizes to prepare."""
    predictor.warm_up(np.zeros((side, side, 3), np.uint8) for side in _SIDES)


async def warm_studio(engine: Engine, project: Current, model: str | None) -> None:
    """Do once what the first opening of the studio asks for: who opens it sees the first sample segmented at once.

    Args:
        engine: with the models.
        project: that is opened; what is wrong with its data is told to who asks for it.
        model: that segments the sample; None: the one that a look at it chooses.
    """
    await asyncio.to_thread(read_files)
    pixels = await asyncio.to_thread(open_image(SAMPLE).read)
    if model is None:
        model = (await engine.choose(Call(), pixels)).model
        chosen = await engine.predictor(model)
        await engine.compute(Call(), chosen, partial(warm, chosen))
    predictor = await engine.predictor(model, {"confidence": True})
    await engine.compute(Call(), predictor, partial(predictor.warm_up, [pixels]))
    with suppress(IntarsiaError):
        await asyncio.to_thread(project.get)

"""A predictor that ends its process at one kind of picture, as a crash in a decoder, or a lack of memory, does."""

from __future__ import annotations

import os
import signal
from typing import Any

from threshold import Threshold, threshold

from intarsia.inference import Predictor

DEADLY = 99
"""The width of a picture that ends its process."""


class Deadly(Threshold):
    """A runtime that one width of picture kills."""

    def logits(self, x: Any, place: Any = None) -> Any:
        if x.shape[-1] == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().logits(x, place)


def deadly() -> Predictor:
    return Predictor(threshold().bundle, runtime=Deadly())


def other() -> Predictor:
    """A predictor that computes on another kind of processor."""
    found = Predictor(threshold().bundle, runtime=Threshold())
    found.runtime.processor = "cpu of another kind"
    return found

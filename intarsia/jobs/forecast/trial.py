"""A trial of the network: what memory one input takes, and how long."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from intarsia.errors import IntarsiaError
from intarsia.memory import forget_most, most_resident, resident


@dataclass(frozen=True)
class Trial:
    """What computing one input took.

    Attributes:
        elements: of the input, without channels.
        memory: bytes at most, beyond what the process held before; None where the system does not tell.
        seconds: of a second run, when everything is warm.
    """

    elements: int
    memory: int | None
    seconds: float


def tried(runtime: Any, shape: tuple[int, ...]) -> Trial | None:
    """Compute an input of zeros.

    Args:
        runtime: that is made ready.
        shape: of the input, without the batch.

    Returns:
        None where the network does not take such an input, or there is too little memory even for that.
    """
    before = resident()
    forget_most()
    try:
        runtime.logits(np.zeros((1, *shape), np.float32))
        start = time.perf_counter()
        runtime.logits(np.zeros((1, *shape), np.float32))
        seconds = time.perf_counter() - start
    except (IntarsiaError, MemoryError, RuntimeError):
        return None
    most = most_resident()
    memory = None if before is None or most is None else max(0, most - before)
    return Trial(math.prod(shape[1:]), memory, seconds)

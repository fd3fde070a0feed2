"""What one source needs besides the process that segments it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

MIB = 1 << 20


@dataclass(frozen=True)
class Need:
    """What one source needs while it is segmented and written.

    Attributes:
        size: sides as people say them.
        held: bytes by what holds them, all at the same time.
        input: shape of the largest input of the network, without the batch; () where it is not known.
        seen: elements that the network goes over in all; 0 where it is not known.
    """

    size: tuple[int, ...]
    held: Mapping[str, int]
    input: tuple[int, ...] = ()
    seen: float = 0.0

    @property
    def bytes(self) -> int:
        """All that is held."""
        return sum(self.held.values())

    @property
    def passes(self) -> float:
        """How many inputs of the largest size the network's work comes to."""
        return self.seen / math.prod(self.input) if self.input else 0.0


@dataclass(frozen=True)
class Settings:
    """What of a job decides its memory, and could be chosen otherwise.

    Attributes:
        outputs: kinds of what is written.
        whole: those of the drawings that need the whole picture.
        tile: side of the tiles; None: the predictor's.
        long_side: working size; None: the predictor's.
        tasks: sources of the job.
    """

    outputs: frozenset[str]
    drawn: Mapping[str, bool] = field(default_factory=dict)
    tile: int | None = None
    long_side: int | None = None
    tasks: int = 1

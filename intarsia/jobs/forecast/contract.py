"""Forecast: what a job takes, as people and machines are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from intarsia.errors import TooLarge
from intarsia.memory import said_bytes


@dataclass(frozen=True)
class Expected:
    """What is expected of the sources of one medium.

    Attributes:
        medium: its name.
        sources: how many there are.
        source: the one that needs most.
        size: its sides as people say them.
        memory: bytes at its peak, the process itself included; None where the system does not tell.
        held: bytes by what holds them.
        seconds: that the network computes for all sources; None where it is not known.
        parts: into which the largest is cut, where there are fewer sources than workers; 1: it is done as a whole.
    """

    medium: str
    sources: int
    source: str
    size: tuple[int, ...]
    memory: int | None
    held: dict[str, int]
    seconds: float | None
    parts: int = 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "medium": self.medium, "sources": self.sources, "largest": self.source, "size": list(self.size),
            "memory": self.memory, "held": self.held, "seconds": self.seconds, "parts": self.parts,
        }  # fmt: skip


@dataclass(frozen=True)
class Forecast:
    """What a job is expected to take.

    Attributes:
        media: one a medium.
        memory: bytes at the peak, of all workers; None where the system does not tell.
        seconds: that the network computes; reading, drawing and writing go on beside it. None where it is not known.
        room: bytes that the job may have, those that the process holds already included; None where nothing is known.
        workers: processes of this machine that do it at the same time.
        advice: what would fit, where the job does not; "" where it does.
    """

    media: tuple[Expected, ...]
    memory: int | None
    seconds: float | None
    room: int | None
    workers: int = 1
    advice: str = ""

    @property
    def fits(self) -> bool | None:
        """Whether there is room for it; None where one of both is not known."""
        return None if self.memory is None or self.room is None else self.memory <= self.room

    def check(self) -> None:
        """Refuse a job that does not fit.

        Raises:
            TooLarge: it does not; the message names the source that needs most, and what would fit.
        """
        if self.fits is not False:
            return
        worst = max(self.media, key=lambda one: one.memory or 0)
        many = f" with {self.workers} workers" if self.workers > 1 else ""
        raise TooLarge(
            f"{worst.source} ({'x'.join(map(str, worst.size))}) would take {said_bytes(self.memory or 0)} of memory"
            f"{many}, and there are {said_bytes(self.room or 0)}: {self.advice}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "memory": self.memory, "seconds": self.seconds, "room": self.room, "fits": self.fits,
            "workers": self.workers, "advice": self.advice, "media": [one.to_json() for one in self.media],
        }  # fmt: skip

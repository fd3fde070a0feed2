"""The contract of what holds workers: started, given orders, and asked what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from intarsia.scaling.terms import Answer, Order


@dataclass(frozen=True)
class Event:
    """What happened to a worker.

    Attributes:
        worker: its name.
        what: it is "ready" for orders, gives an "answer", has "failed" so that no other fares better, or "died".
        answer: of "answer".
        error: of "failed".
        reason: of "died", in words.
        blame: of "died": what it had in work may be the cause; False where its whole machine went.
    """

    worker: str
    what: Literal["ready", "answer", "failed", "died"]
    answer: Answer | None = None
    error: Exception | None = None
    reason: str = ""
    blame: bool = True


class Pool(Protocol):
    """Holds workers; entered when the job begins, and left when it ends, with all workers ended."""

    @property
    def wanted(self) -> int:
        """How many workers there should be now."""

    def start(self, name: str) -> None:
        """Begin a worker; it says when it is ready."""

    def give(self, name: str, order: Order) -> None:
        """Give a worker one more order, which waits until its turn."""

    def events(self, seconds: float) -> Sequence[Event]:
        """Wait until something happens, but not longer than that."""

    def stop(self) -> None:
        """Ask all workers to leave what they are at; each ends then, and is said to have died."""

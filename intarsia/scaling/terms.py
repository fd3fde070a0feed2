"""What workers are sent, and what they answer: all of it can go to other processes and machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from intarsia.errors import UsageError
from intarsia.inference import Identity
from intarsia.jobs import JobOptions, Record, Task
from intarsia.jobs.attempts import Outcome
from intarsia.jobs.task import Span
from intarsia.media.medium import BY_NAME
from intarsia.result import RENDERS


@dataclass(frozen=True)
class Terms:
    """What every worker of a job is told once.

    Attributes:
        make: makes the predictor; a function of a module, or a `functools.partial` of one.
        identity: what decides the labels; a worker that computes otherwise is refused.
        options: of the job.
        overwrite: replace outputs that exist already.
        place: the folder that relative paths start from.
        folder: that all outputs go into, or its address in a store.
        sign: name of a file among the shards, by which a worker sees that it has the same folder before it.
        threads: that each predictor computes with.
    """

    make: Callable[[], Any]
    identity: Identity
    options: JobOptions
    overwrite: bool
    place: str
    folder: str
    sign: str
    threads: int

    @property
    def job(self) -> str:
        """Name the job, which the names of its workers' logs hold."""
        return Path(self.sign).stem.rpartition("-")[2]


@dataclass(frozen=True)
class Order:
    """One task, by the names of its medium and drawings."""

    source: str
    id: str
    medium: str
    outputs: Mapping[str, str]
    renders: tuple[str, ...]
    notes: tuple[str, ...]
    part: Span | None = None

    @classmethod
    def of(cls, task: Task) -> Order:
        """Make the order of a task.

        Raises:
            UsageError: its medium or a drawing is one of your own, which workers do not know.
        """
        things: dict[str, Any] = {**task.renders, task.medium.name: task.medium}
        own = [name for name, one in things.items() if (RENDERS.get(name) or BY_NAME.get(name)) is not one]
        if own:
            raise UsageError(
                f"{own[0]} is known to this process alone, and not to other workers; run this job without them"
            )
        return cls(
            str(task.source), task.id, task.medium.name, dict(task.outputs), tuple(task.renders), task.notes, task.part
        )

    def task(self) -> Task:
        """Make the task that was ordered."""
        renders = {name: RENDERS[name] for name in self.renders}
        return Task(self.source, self.id, BY_NAME[self.medium], self.outputs, renders, self.notes, self.part)


@dataclass(frozen=True)
class Answer:
    """What became of an order; see `jobs.attempts.Outcome`."""

    id: str
    kind: Literal["done", "before", "busy", "stopped"]
    record: Record | None

    @classmethod
    def of(cls, outcome: Outcome) -> Answer:
        """Take it from a worker's outcome."""
        return cls(outcome.task.id, outcome.kind, outcome.record)

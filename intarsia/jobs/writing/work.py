"""What a writer is told, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intarsia.jobs.cutting.contract import There
from intarsia.jobs.task import JobOptions, Task
from intarsia.result import Style


class Stopped(Exception):
    """The job was asked to stop; what is half done is taken back."""


@dataclass(frozen=True)
class Work:
    """One task with its reader, places and options.

    Attributes:
        task: what is done.
        reader: the opened source.
        paths: where each output goes.
        options: of the job.
        style: of its renders.
        tell: called with what is done and all of it (None if unknown); raises `Stopped` if the job shall stop.
        stops: whether the job shall stop, for writers that can end whole.
        parts: what is computed of it, where that is not the writer's to do; see `jobs.line.PREDICTED`.
        there: the parts of it that others have computed; {} if there are none.
    """

    task: Task
    reader: Any
    paths: Mapping[str, Path]
    options: JobOptions
    style: Style
    tell: Callable[[int, int | None], None]
    stops: Callable[[], bool]
    parts: Iterator[Any]
    there: There


@dataclass(frozen=True)
class Facts:
    """What is told of a finished task.

    Attributes:
        size: sides as people say them: width and height (and frames), the sides of a grid, the number of points.
        areas: share of all elements by class, largest first.
        notes: what was decided, lost or wrong, in sentences.
        details: what only this medium has.
        stopped: the job was stopped, and what is written is whole up to there.
    """

    size: tuple[int, ...]
    areas: dict[str, float]
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    stopped: bool = False

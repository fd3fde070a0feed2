"""Task: one source of a job, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from intarsia.errors import UsageError
from intarsia.media.medium import Medium
from intarsia.result import Render, Style

Span = tuple[int, int]
Record = dict[str, Any]
"""A line of the manifest; see `jobs.doing.run`."""


@dataclass(frozen=True)
class Task:
    """One source.

    Attributes:
        source: the file or folder, or the name of a camera.
        id: posix path below the output folder, without suffix; unique in its job.
        medium: what the source is.
        outputs: what is written, by kind: a posix path below the output folder.
        renders: those of the outputs that are drawn, by kind.
        notes: what was decided about it before it was opened, in sentences; they begin its record's.
        part: the stretch that is all to be computed of it, see `jobs.cutting`; None: it is a whole.
    """

    source: Path | str
    id: str
    medium: Medium
    outputs: Mapping[str, str]
    renders: Mapping[str, Render] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    part: Span | None = None


@dataclass(frozen=True)
class JobOptions:
    """What the user says about a job, besides the model; each is for some media only.

    Attributes:
        opacity: of the colours in overlays, 0 to 1.
        keep: names of the classes that stay where others go, and whose regions become polygons.
        columns: of point clouds in plain tables, the names of the columns.
        codes: of point clouds that are written as LAS, the class code of some classes by name.
        category: of point clouds, what the object is, for models of parts.
        series: of a DICOM folder with several series, the end of the UID of the one to take.
        fps: frames a second of folders and patterns of pictures that are taken for videos.
        outline_tolerance: of the polygons of maps, how far they may be simplified, in map units.
        outline_least_area: of the polygons of maps, the smallest, in squared map units.
        instances: of the output of that name, what its things are; the options of `Result.instances`.
        limit: of videos, stop after so many frames.
        deadline: of videos, milliseconds after which a frame is worth nothing: they are taken at their own pace, as a
            camera's are, no more than one waits, and what would come too late is left out.
        schedule: of videos, how work is spread over the frames; see `VideoPredictor`.
        app: what an app's drawings depend on, plain JSON; a job is continued with the same.
    """

    opacity: float = 0.5
    keep: tuple[str, ...] = ()
    columns: str | None = None
    codes: Mapping[str, int] = field(default_factory=dict)
    category: str | None = None
    series: str | None = None
    fps: float | None = None
    outline_tolerance: float = 0.0
    outline_least_area: float = 0.0
    instances: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    deadline: float | None = None
    schedule: Mapping[str, Any] = field(default_factory=dict)
    app: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("fps", "limit", "deadline"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} is a positive number, not {value}")
        for name in ("outline_tolerance", "outline_least_area"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is a number of at least 0, not {getattr(self, name)}")

    def given(self) -> dict[str, Any]:
        """Name the options that differ from their defaults, as plain JSON."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = JobOptions.__dataclass_fields__
        found = {name: value for name, value in values.items() if value and value != plain[name].default}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def style(self, task: Task, space: Any) -> Style:
        """Say how the task's renders are drawn.

        Raises:
            UsageError: there is no such class, the opacity is out of range, or a render lacks what it needs.
        """
        style = Style(space, self.opacity, self.keep)
        for render in task.renders.values():
            render.check(style)
        return style

"""Do one task: read, computed, written, and told of in a record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intarsia.errors import NothingFound, UsageError
from intarsia.files import checksum, remove
from intarsia.jobs.line import EXPECTED, Begun, begin
from intarsia.jobs.manifest import is_hopeless
from intarsia.jobs.resuming import JobPredictor, prepared, settled
from intarsia.jobs.task import JobOptions, Record, Task
from intarsia.jobs.writing.frames import write_frames
from intarsia.jobs.writing.pages import write_pages
from intarsia.jobs.writing.photo import write_photo
from intarsia.jobs.writing.points import write_points
from intarsia.jobs.writing.rows import write_rows
from intarsia.jobs.writing.volume import write_volume
from intarsia.jobs.writing.whole import write_whole
from intarsia.jobs.writing.work import Facts, Stopped, Work
from intarsia.media.medium import Form
from intarsia.stopping import checked_by

Stop = Callable[[], bool]
Tell = Callable[[Task, int, int | None], None]
_PLAIN = JobOptions()

WRITERS: dict[Form, Callable[[Any, Work], Facts]] = {
    "rows": write_rows, "volume": write_volume, "frames": write_frames, "points": write_points, "pages": write_pages,
    "photo": write_photo,
    "whole": write_whole,
}  # fmt: skip
"""What writes the outputs of a task, by the form of its medium."""


def run(
    predictor: JobPredictor,
    task: Task,
    folder: Path,
    *,
    options: JobOptions = _PLAIN,
    stop: Stop = lambda: False,
    tell: Tell | None = None,
) -> Record:
    """Do one task: all of its outputs are written, or none of them.

    Args:
        predictor: the model.
        task: what to do.
        folder: that the names of its outputs start from.
        options: of the job.
        stop: asked again and again; when it says True, the task ends as soon as it can.
        tell: called with the task, what of it is done and all of it (None if unknown).

    Returns:
        The same keys for every medium, plain JSON: id, source, medium, status ("done", "error", "nothing" (what is
        looked for is not in it) or "stopped"), error, outputs (name below the folder by kind), sha256 (of each output),
        size, areas (share by class), seconds, notes, details (what only its medium has), model, settings, runtime (what
        decides the labels), input (size and time of the source).

    Raises:
        Stopped: by `stop`, before there was something whole.
        OSError: the disk is full or cannot be written, so that no other task fares better.
        UsageError: the call itself is wrong.
    """
    start = time.perf_counter()
    with begin(task, predictor, options.given()) as begun:
        return write(predictor, begun, start, folder, options, stop, tell)


def write(
    predictor: JobPredictor,
    begun: Begun,
    start: float,
    folder: Path,
    options: JobOptions,
    stop: Stop,
    tell: Tell | None,
) -> Record:
    """Write the outputs of a task that was begun; see `run`."""
    task = begun.task
    ready = prepared(predictor, task.medium, options)
    record = blank(task) | settled(ready, options).to_json() | {"input": begun.input}

    def check() -> None:
        if stop():
            raise Stopped

    def told(done: int, total: int | None) -> None:
        check()
        if tell is not None:
            tell(task, done, total)

    paths = {kind: folder / name for kind, name in task.outputs.items()}
    fresh = [path for path in paths.values() if not os.path.exists(path)]  # where Path raises of a name too long
    try:
        if begun.error is not None:
            raise begun.error
        work = Work(
            task, begun.reader, paths, options, options.style(task, ready.space), told, stop, begun.parts, begun.there
        )
        with checked_by(check):
            facts = WRITERS[task.medium.form](ready, work)
        sums = {kind: checksum(path) for kind, path in paths.items()}
    except EXPECTED as error:
        remove_all(fresh)
        if is_hopeless(error) or isinstance(error, UsageError):
            raise
        reason = (str(error) or type(error).__name__).replace(str(begun.at), str(task.source))
        status = "nothing" if isinstance(error, NothingFound) else "error"
        return record | {"status": status, "error": reason, "seconds": _since(start)}
    except BaseException:
        remove_all(fresh)
        raise
    notes = [*task.notes, *facts.notes]
    told_of = {"size": list(facts.size), "areas": facts.areas, "notes": notes, "details": facts.details}
    made = {"status": "stopped" if facts.stopped else "done", "outputs": dict(task.outputs), "sha256": sums}
    return record | told_of | made | {"seconds": _since(start)}


def blank(task: Task) -> Record:
    """Begin a record: all keys that every medium has."""
    return {
        "id": task.id, "source": str(task.source), "medium": task.medium.name, "status": "", "error": None,
        "outputs": {}, "sha256": {}, "size": None, "areas": {}, "seconds": 0.0, "notes": list(task.notes),
        "details": {},
    }  # fmt: skip


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def remove_all(paths: list[Path]) -> None:
    """Remove what is there of some files and folders."""
    for path in paths:
        remove(path)

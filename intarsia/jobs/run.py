"""Run jobs: one task after the other, each with a record, until all are done or somebody says stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from intarsia.errors import DataError, NothingFound, UsageError
from intarsia.files import checksum, remove
from intarsia.inference import Rows
from intarsia.jobs.forecast import check_memory
from intarsia.jobs.line import EXPECTED, Begun, Line, begin
from intarsia.jobs.manifest import Manifest, is_hopeless
from intarsia.jobs.parts import Parts, write_part
from intarsia.jobs.plan import Plan
from intarsia.jobs.resuming import JobPredictor, as_begun, is_finished, is_skipped, prepared, settled
from intarsia.jobs.task import JobOptions, Record, Task
from intarsia.jobs.writing.frames import write_frames
from intarsia.jobs.writing.pages import write_pages
from intarsia.jobs.writing.photo import write_photo
from intarsia.jobs.writing.points import write_points
from intarsia.jobs.writing.rows import write_rows
from intarsia.jobs.writing.volume import write_volume
from intarsia.jobs.writing.whole import write_whole
from intarsia.jobs.writing.work import Facts, Stopped, Work
from intarsia.media.medium import Form, check_options

Stop = Callable[[], bool]
Tell = Callable[[Task, int, int | None], None]
PARTLY, INTERRUPTED = 1, 130
_PLAIN = JobOptions()

WRITERS: dict[Form, Callable[[Any, Work], Facts]] = {
    "rows": write_rows, "volume": write_volume, "frames": write_frames, "points": write_points, "pages": write_pages,
    "photo": write_photo,
    "whole": write_whole,
}  # fmt: skip
"""What writes the outputs of a task, by the form of its medium."""


@dataclass
class JobResult:
    """What a job did.

    Attributes:
        records: the lines that this job added, in order.
        skipped: sources that an earlier job had finished.
        busy: sources that other workers are at.
        stopped: whether the job was stopped before its end.
    """

    records: list[Record] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    stopped: bool = False

    def add(self, outcome: Outcome) -> None:
        """Add what became of a task."""
        if outcome.record is not None:
            self.records.append(outcome.record)
        if outcome.kind == "stopped":
            self.stopped = True
        elif outcome.kind != "done":
            (self.busy if outcome.kind == "busy" else self.skipped).append(str(outcome.task.source))

    def forget_parts(self, plan: Plan, options: JobOptions) -> None:
        """Remove what was kept of parts of those sources that have a line now."""
        over = {*self.skipped, *(record["source"] for record in self.records if record["status"] != "stopped")}
        Parts(plan.folder, options).forget(task for task in plan.tasks if str(task.source) in over)

    @property
    def done(self) -> list[Record]:
        """The lines of finished sources."""
        return [record for record in self.records if record["status"] == "done"]

    @property
    def failures(self) -> dict[str, str]:
        """Reason by source, of each that failed."""
        return {record["source"]: record["error"] for record in self.records if record["error"] is not None}

    @property
    def exit_code(self) -> int:
        """How a command ends that ran the job: 0 all done, 1 some failed, 3 all failed, 130 stopped.

        Files that are good, and only hold nothing of what is looked for, never make it 3.
        """
        if self.stopped:
            return INTERRUPTED
        if not self.failures:
            return 0
        empty = all(record["status"] == "nothing" for record in self.records)
        return PARTLY if self.done or self.skipped or self.busy or empty else DataError.exit_code

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {"records": self.records, "skipped": self.skipped, "busy": self.busy, "stopped": self.stopped}


def check(predictor: JobPredictor, plan: Plan, options: JobOptions = _PLAIN) -> None:
    """Refuse a job that cannot be done as it is asked for, before any work.

    Raises:
        DataError: the model is for another medium than all of the sources, or for none of the kind of one of them.
        UsageError: an option means nothing to a medium of the job, or does not fit the model.
    """
    _check_media(predictor, plan)
    if options.schedule:  # which may not fit the model
        for medium in plan.media():
            prepared(predictor, medium, options)
    for task in plan.tasks:
        medium = task.medium
        given = {*predictor.given, *(name for name in options.given() if name not in ("opacity", "schedule", "app"))}
        if options.schedule:
            given.add("video_set")
        check_options(medium, given)
        options.style(task, predictor.space)


def _check_media(predictor: JobPredictor, plan: Plan) -> None:
    refused: dict[str, DataError] = {}
    for task in plan.tasks:
        try:
            predictor.preprocessing.check_medium(task.medium.name, str(task.source))
        except DataError as error:
            refused[task.id] = error
    # A lone volume among pictures fails by itself; a cloud among them shows that the command is not what was meant.
    strange = [task for task in plan.tasks if task.id in refused and task.medium.form not in predictor.forms]
    if strange and len(refused) < len(plan.tasks):
        raise DataError(f"{refused[strange[0].id]}. Segment {' and '.join(m.things for m in plan.media())} separately")
    if refused and len(refused) == len(plan.tasks):
        raise next(iter(refused.values()))


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
    return _written(predictor, begin(task, predictor, options.given()), start, folder, options, stop, tell)


def _written(
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

    def told(done: int, total: int | None) -> None:
        if stop():
            raise Stopped
        if tell is not None:
            tell(task, done, total)

    paths = {kind: folder / name for kind, name in task.outputs.items()}
    fresh = [path for path in paths.values() if not os.path.exists(path)]  # where Path raises of a name too long
    try:
        if begun.error is not None:
            raise begun.error
        work = Work(task, begun.reader, paths, options, options.style(task, ready.space), told, stop, begun.parts)
        facts = WRITERS[task.medium.form](ready, work)
        sums = {kind: checksum(path) for kind, path in paths.items()}
    except EXPECTED as error:
        _remove(fresh)
        if is_hopeless(error) or isinstance(error, UsageError):
            raise
        reason = str(error) or type(error).__name__
        status = "nothing" if isinstance(error, NothingFound) else "error"
        return record | {"status": status, "error": reason, "seconds": _since(start)}
    except BaseException:
        _remove(fresh)
        raise
    notes = [*task.notes, *facts.notes]
    told_of = {"size": list(facts.size), "areas": facts.areas, "notes": notes, "details": facts.details}
    made = {"status": "stopped" if facts.stopped else "done", "outputs": dict(task.outputs), "sha256": sums}
    return record | told_of | made | {"seconds": _since(start)}


def run_all(
    predictor: JobPredictor,
    plan: Plan,
    *,
    options: JobOptions = _PLAIN,
    overwrite: bool = False,
    stop: Stop = lambda: False,
    tell: Tell | None = None,
    finished: Callable[[int, int, Record], None] | None = None,
) -> JobResult:
    """Do all tasks of a plan; one that fails does not stop the others.

    The plan's folder gets a line in its ``manifest.jsonl`` for each task as soon as it is finished; see `run` for the
    keys. Calling this again continues: tasks are skipped that the same model and settings have finished, if the source
    is unchanged and the outputs exist. Several workers (processes, machines on one file system) may do this at the same
    time in the same folder: they share the tasks out among them, and nothing is written twice. A job that was begun
    with a precision of its own choice is continued in it.

    Args:
        predictor: the model.
        plan: see `jobs.plan.plan`.
        options: of the job.
        overwrite: replace outputs that exist already, and do everything again.
        stop: asked again and again; when it says True, the job ends as soon as it can, and can be continued.
        tell: called with the task in work, what of it is done and all of it (None if unknown).
        finished: called after each task with the number of finished ones, the number of all, and the task's record.

    Raises:
        UsageError: outputs exist that another model or tool made; says what differs. Or an option does not fit.
        DataError: the model is for another medium; a source needs more memory than there is; or the disk is full: the
            job can be continued.
    """
    manifest = Manifest(plan.folder) if plan.keeps_manifest else None
    if manifest is not None:
        manifest.gather()
        if not overwrite:
            predictor = as_begun(predictor, plan, manifest)
    check(predictor, plan, options)
    result = JobResult()
    todo = [task for task in plan.tasks if not is_skipped(predictor, task, plan, manifest, options, overwrite)]
    waiting = {task.id for task in todo}
    result.skipped = [str(task.source) for task in plan.tasks if task.id not in waiting]
    check_memory(predictor, replace(plan, tasks=tuple(todo)), options)
    attempts = Attempts(predictor, plan.folder, manifest, options, overwrite, stop, tell)
    result.stopped = stop()
    try:
        for outcome in attempts.of(() if result.stopped else todo):
            result.add(outcome)
            if outcome.record is not None and finished is not None:
                finished(len(result.skipped) + len(result.records), len(plan.tasks), outcome.record)
    finally:
        if manifest is not None:
            result.forget_parts(plan, options)
            manifest.tidy()
    return result


@dataclass(frozen=True)
class Outcome:
    """What became of a task that a worker was given.

    Attributes:
        task: what was to be done.
        kind: "done" (with a record, of success or failure), "before" (somebody else has done it), "busy" (somebody
            else is at it) or "stopped" (perhaps with the record of what is whole up to there).
        record: its line.
    """

    task: Task
    kind: Literal["done", "before", "busy", "stopped"]
    record: Record | None = None


@dataclass(frozen=True)
class Attempts:
    """How a worker does tasks, one after the other: claimed, read, computed, written and told of.

    Attributes:
        predictor: the model.
        folder: that the names of outputs start from.
        manifest: who works on what, and what is done; None: nobody else is there, and nothing is kept.
        options: of the job.
        overwrite: replace outputs that exist already.
        stop: asked again and again.
        tell: called with the task in work, what of it is done and all of it.
    """

    predictor: JobPredictor
    folder: Path
    manifest: Manifest | None
    options: JobOptions
    overwrite: bool
    stop: Stop
    tell: Tell | None = None

    def of(self, tasks: Iterable[Task], leave: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Do tasks until they end, or until a stop, which the last outcome then tells of.

        Args:
            tasks: as they come.
            leave: called at the end, so that nobody waits for a task that is still to come.

        Raises:
            OSError: the disk is full or cannot be written, so that no other task fares better; so does DataError.
        """
        parts = None if self.manifest is None else Parts(self.folder, self.options)
        with Line(tasks, self.predictor, self.options.given(), self._claim, leave, parts) as line:
            start = time.perf_counter()
            for begun in line:
                outcome = self._attempt(begun, start)
                yield outcome
                if outcome.kind == "stopped":
                    break
                if self.stop():
                    yield Outcome(begun.task, "stopped")
                    break
                start = time.perf_counter()

    @contextmanager
    def _claim(self, task: Task) -> Iterator[str]:
        """Take a task, unless another worker is at it ("busy") or has done it since this job began ("before")."""
        if self.manifest is None:
            yield ""
            return
        with self.manifest.claim(task, again=self.overwrite and task.part is None) as free:
            done = free and self._is_done(task, self.manifest)
            yield "" if free and not done else "before" if done else "busy"

    def _is_done(self, task: Task, manifest: Manifest) -> bool:
        if task.part is not None:
            return manifest.is_there(task)
        return not self.overwrite and is_finished(self.predictor, task, manifest, self.options)

    def _attempt(self, begun: Begun, start: float) -> Outcome:
        if begun.refusal:
            return Outcome(begun.task, "before" if begun.refusal == "before" else "busy")
        if begun.task.part is not None:
            return self._part(begun)
        try:
            record = _written(self.predictor, begun, start, self.folder, self.options, self.stop, self.tell)
        except Stopped:
            return Outcome(begun.task, "stopped")
        if self.manifest is not None:
            self._note(record, self.manifest)
        return Outcome(begun.task, "stopped" if record["status"] == "stopped" else "done", record)

    def _part(self, begun: Begun) -> Outcome:
        """Keep some rows of a source for whoever does it; what goes wrong with them is told by its own line."""
        (name,) = begun.task.outputs.values()

        def rows() -> Iterator[Rows]:
            for found in begun.parts:
                if self.stop():
                    raise Stopped
                yield found

        try:
            if begun.error is None:
                write_part(self.folder / name, rows())
        except EXPECTED as error:
            if is_hopeless(error):
                raise
        except Stopped:
            return Outcome(begun.task, "stopped")
        return Outcome(begun.task, "done")

    def _note(self, record: Record, manifest: Manifest) -> None:
        try:
            manifest.add(record)
        except DataError:
            # Outputs of which no line tells would be taken for a stranger's.
            _remove([self.folder / name for name in record["outputs"].values()])
            raise


def blank(task: Task) -> Record:
    """Begin a record: all keys that every medium has."""
    return {
        "id": task.id, "source": str(task.source), "medium": task.medium.name, "status": "", "error": None,
        "outputs": {}, "sha256": {}, "size": None, "areas": {}, "seconds": 0.0, "notes": list(task.notes),
        "details": {},
    }  # fmt: skip


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        remove(path)

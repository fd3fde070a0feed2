"""Run jobs: one task after the other, each with a record, until all are done or somebody says stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from intarsia.errors import DataError
from intarsia.jobs.attempts import Attempts, Outcome
from intarsia.jobs.doing import Stop, Tell
from intarsia.jobs.forecast import check_memory
from intarsia.jobs.opening import open_manifest
from intarsia.jobs.parts import Parts
from intarsia.jobs.plan import Plan
from intarsia.jobs.resuming import JobPredictor, as_begun, is_skipped, prepared
from intarsia.jobs.task import JobOptions, Record, Task
from intarsia.media.medium import check_options
from intarsia.result import Render

PARTLY, INTERRUPTED = 1, 130
_PLAIN = JobOptions()


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

    def skip(self, plan: Plan, is_done: Callable[[Task], bool]) -> Plan:
        """Note the tasks that were finished before; returns the plan of all others."""

        def is_left(task: Task) -> bool:
            done = is_done(task)
            if done:
                self.skipped.append(str(task.source))
            return not done

        return plan.only(is_left)

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
    usual = {*predictor.given, *(name for name in options.given() if name not in ("opacity", "schedule", "app"))}
    given = usual | ({"video_set"} if options.schedule else set())
    for tasks in plan.by_medium.values():
        check_options(tasks[0].medium, given)
        for task in _drawn_otherwise(tasks):
            options.style(task, predictor.space)


def _drawn_otherwise(tasks: Iterable[Task]) -> Iterator[Task]:
    """Go through tasks, but not through those that have the drawings of another one."""
    known: list[list[Render]] = []
    for task in tasks:
        renders = list(task.renders.values())
        if renders not in known:
            known.append(renders)
            yield task


def _check_media(predictor: JobPredictor, plan: Plan) -> None:
    refused: dict[str, DataError] = {}
    media = plan.by_medium
    for name, tasks in media.items():
        try:
            predictor.preprocessing.check_medium(name, str(tasks[0].source))
        except DataError as error:
            refused[name] = error
    # A lone volume among pictures fails by itself; a cloud among them shows that the command is not what was meant.
    strange = [name for name in refused if not media[name][0].medium.goes_with(predictor.forms)]
    if strange and len(refused) < len(media):
        raise DataError(f"{refused[strange[0]]}. Segment {' and '.join(m.things for m in plan.media())} separately")
    if refused and len(refused) == len(media):
        raise next(iter(refused.values()))


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
    manifest = open_manifest(plan)
    if manifest is not None:
        manifest.gather()
        if not overwrite:
            predictor = as_begun(predictor, plan, manifest)
    check(predictor, plan, options)
    result = JobResult()
    todo = result.skip(plan, lambda task: is_skipped(predictor, task, plan, manifest, options, overwrite))
    check_memory(predictor, todo, options)
    attempts = Attempts(
        predictor, plan.folder if manifest is None else manifest.folder, manifest, options, overwrite, stop, tell
    )
    result.stopped = stop()
    try:
        for outcome in attempts.of(() if result.stopped else todo.tasks):
            result.add(outcome)
            if outcome.record is not None and finished is not None:
                finished(len(result.skipped) + len(result.records), len(plan.tasks), outcome.record)
    finally:
        if manifest is not None:
            result.forget_parts(plan, options)
            manifest.tidy()
    return result

"""What the kinds of jobs share that run plans: loading a model, running, telling and summing up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import intarsia
from intarsia.errors import IntarsiaError, counted
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.jobs import JobOptions, JobResult, Manifest, Plan, run_all
from intarsia.jobs.run import PARTLY
from intarsia.serving.engine import Engine
from intarsia.serving.jobs.kinds import Outcome, Work

_MOST_REASONS = 3


def load_model(engine: Engine, name: str, **options: Any) -> Predictor | CloudPredictor:
    """Load a model that the server knows, for a job alone: its threads have the job's priority.

    Raises:
        IntarsiaError: see `intarsia.load`.
    """
    source = engine.source(name)
    try:
        return intarsia.load(source, **options)
    except IntarsiaError as error:
        raise type(error)(str(error).replace(source, name)) from error


def run_plan(work: Work, predictor: Any, plan: Plan, options: JobOptions, what: str) -> JobResult:
    """Run a plan, and tell what is done of its one source, or of all."""

    def told(done: int, total: int | None) -> None:
        work.tell("progress", {"what": what, "done": done, "total": total})

    single = len(plan.tasks) == 1
    return run_all(
        predictor, plan, options=options, stop=work.stop,
        tell=(lambda task, done, total: told(done, total)) if single else None,
        finished=None if single else lambda done, total, _: told(done, total),
    )  # fmt: skip


def sum_up(plan: Plan, result: JobResult, written: Mapping[str, Path] | None = None) -> Outcome:
    """Sum up what a plan came to; what an earlier server had finished counts.

    Args:
        plan: that was run.
        result: of the run.
        written: annotation tools' files, by tool.
    """
    records = list(Manifest(plan.folder).records())
    failures = {record["source"]: record["error"] for record in records if record["error"] is not None}
    files = [name for record in records for name in record["outputs"].values()]
    files += [path.relative_to(plan.folder).as_posix() for path in (written or {}).values()]
    code = result.exit_code or (PARTLY if failures and not result.stopped else 0)
    return Outcome(code, _reasons(failures, len(plan.tasks)) if failures else None, plan.notes, tuple(files))


def _reasons(failures: Mapping[str, str], sources: int) -> str:
    said = [reason if source in reason else f"{source}: {reason}" for source, reason in failures.items()]
    shown = "; ".join(said[:_MOST_REASONS]) + ("; ..." if len(said) > _MOST_REASONS else "")
    return shown if sources == 1 else f"{len(said)} of {counted(sources, 'source')} failed: {shown}"

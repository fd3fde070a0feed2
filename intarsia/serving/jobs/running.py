"""What the kinds of jobs share that run plans: running, telling and summing up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intarsia.errors import UsageError, counted
from intarsia.jobs import JobOptions, JobResult, Manifest, Plan, run_all
from intarsia.jobs.running import PARTLY
from intarsia.serving.jobs.kinds import Outcome, Work

_MOST_REASONS = 3


def run_plan(work: Work, predictor: Any, plan: Plan, options: JobOptions, what: str) -> JobResult:
    """Run a plan, and tell what is done of its one source, or of all."""
    parts: list[int | None] = [None]

    single = len(plan.tasks) == 1

    def told(done: int, total: int | None) -> None:
        parts[0] = total
        work.tell("progress", {"what": what, "done": done, "total": total, "kept": not single})

    result = run_all(
        predictor, plan, options=options, stop=work.stop,
        tell=(lambda task, done, total: told(done, total)) if single else None,
        finished=None if single else lambda done, total, _: told(done, total),
    )  # fmt: skip
    if single and result.done:  # some media tell their beginning alone, and not how many parts they have
        told(parts[0] or 1, parts[0] or 1)
    return result


def check_sequence(plan: Plan, options: JobOptions) -> None:
    """Refuse frames a second of what has times of its own.

    Raises:
        UsageError: fps is given, and a single file was sent.
    """
    if options.fps is not None and any(Path(task.source).is_file() for task in plan.tasks):
        raise UsageError("fps makes a video of several pictures (a zip of them, or many files); a video has its own")


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
    return Outcome(code, reasons(failures, len(plan.tasks)) if failures else None, plan.notes, tuple(files))


def reasons(failures: Mapping[str, str], sources: int) -> str:
    """Say why sources failed, the first few of them, of how many there were."""
    said = [reason if source in reason else f"{source}: {reason}" for source, reason in failures.items()]
    shown = "; ".join(said[:_MOST_REASONS]) + ("; ..." if len(said) > _MOST_REASONS else "")
    return shown if sources == 1 else f"{len(said)} of {counted(sources, 'source')} failed: {shown}"

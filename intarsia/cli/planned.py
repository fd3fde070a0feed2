"""Plans of commands: run under a progress bar and told of, or only shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from intarsia.cli.output import emit, progress_bar, table
from intarsia.cli.records import show_job

if TYPE_CHECKING:
    from intarsia.bundle import Description
    from intarsia.jobs import JobOptions, JobResult, Plan


def run_plan(predictor: Any, plan: Plan, options: JobOptions, what: str, *, overwrite: bool) -> JobResult:
    """Run the job under a bar that shows what is done of its one source, or of all."""
    from intarsia.jobs import run_all
    from intarsia.stopping import stop_on_signals

    single = len(plan.tasks) == 1
    with stop_on_signals() as stop, progress_bar(what, rate=single) as bar:
        return run_all(
            predictor, plan, options=options, overwrite=overwrite, stop=stop,
            tell=(lambda task, done, total: bar(done, total or 0)) if single else None,
            finished=None if single else lambda done, total, _: bar(done, total),
        )  # fmt: skip


def tell(plan: Plan, result: JobResult, bundle: Description, model: str, following: str, *, json: bool) -> None:
    """Tell what a job did, and end with its exit code.

    Args:
        plan: of the job.
        result: what it did.
        bundle: the model's description.
        model: how the user named it.
        following: what to try next.
        json: for machines.
    """
    if not json:
        show_job(result, plan, bundle, model, following)
    elif not result.stopped:  # of which the command itself tells, in JSON too
        emit({"out": str(plan.folder), "model": model, "notes": list(plan.notes), **result.to_json()})
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def show_plan(plan: Plan, *, json: bool) -> None:
    """Say what would be written."""
    planned = [
        {
            "source": str(task.source), "medium": task.medium.name,
            "outputs": {kind: str(path) for kind, path in plan.paths(task).items()},
        }
        for task in plan.tasks
    ]  # fmt: skip
    if json:
        emit({"planned": planned, "notes": list(plan.notes)})
    else:
        for note in plan.notes:
            typer.echo(f"note: {note}")
        table(("Source", "Results"), [(str(one["source"]), "  ".join(one["outputs"].values())) for one in planned])  # type: ignore[attr-defined]

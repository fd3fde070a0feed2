"""What `intarsia portrait` and `intarsia background` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from intarsia.cli.output import emit
from intarsia.cli.records import show_job

if TYPE_CHECKING:
    from intarsia.apps.portrait import Portraits
    from intarsia.jobs import JobOptions, Plan


def run_app(
    people: Portraits, plan: Plan, model: str, what: str, then: str, options: JobOptions | None = None, *,
    overwrite: bool, json: bool,
) -> None:  # fmt: skip
    """Run a job, tell what it did, and end with its exit code.

    Args:
        people: what changes the sources.
        plan: of the job.
        model: how the user named it.
        what: is being made.
        then: what to try next.
        options: of the job.
        overwrite: replace what exists.
        json: tell it for machines.
    """
    from intarsia.cli.segment import run_job
    from intarsia.jobs import JobOptions

    result = run_job(people, plan, options or JobOptions(), overwrite=overwrite, what=what)
    if not json:
        show_job(result, plan, people.bundle, model, then=then)
    elif not result.stopped:  # of which the command itself tells, in JSON too
        emit({"out": str(plan.folder), "model": model, "notes": list(plan.notes), **result.to_json()})
    if result.exit_code:
        raise typer.Exit(result.exit_code)

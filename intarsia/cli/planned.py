"""Planned jobs: run under a progress bar, and told of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia.cli.output import emit, progress_bar
from intarsia.cli.preannotations import show_exports, told_exports
from intarsia.cli.records import THEN, show_job
from intarsia.errors import require

if TYPE_CHECKING:
    from intarsia.jobs import JobOptions, JobResult, Plan
    from intarsia.jobs.preannotation import PreAnnotation
    from intarsia.scaling import Engine

On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="WHERE",
        help="Share the work out: local:N to N processes; ray, or ray://HOST:PORT, to a Ray cluster (extra scale).",
    ),
]

AGREED = "ask people before you change their pictures, and before you show them"
"""What comes after an app that changes how people look."""


def read_on(said: str | None) -> Engine | None:
    """Read where workers shall be; None for this process alone.

    Raises:
        UsageError: there is no such place, or what it needs is not installed.
    """
    if said is None:
        return None
    from intarsia.scaling import OnRay, read_engine

    engine = read_engine(said)
    if isinstance(engine, OnRay):
        require("ray", "scale")
    return engine


def run_job(
    predictor: Any,
    plan: Plan,
    options: JobOptions | None = None,
    *,
    overwrite: bool,
    what: str = "segmenting",
    engine: Engine | None = None,
    make: Callable[[], Any] | None = None,
) -> JobResult:
    """Run the job under a bar that shows what is done of its one source, or of all.

    Args:
        predictor: the model.
        plan: of the job.
        options: of the job.
        overwrite: replace what is there.
        what: is going on.
        engine: where many workers do it; None: here.
        make: makes the predictor of such a worker.
    """
    from intarsia.jobs import JobOptions, run_all
    from intarsia.stopping import stop_on_signals

    if engine is not None and make is not None:
        from intarsia.scaling import run_on

        with stop_on_signals() as stop, progress_bar(what) as bar:
            return run_on(
                engine, predictor, make, plan, options=options or JobOptions(), overwrite=overwrite, stop=stop,
                finished=lambda done, total, _: bar(done, total),
                tell=lambda said: typer.echo(f"note: {said}", err=True),
            )  # fmt: skip
    single = len(plan.tasks) == 1
    with stop_on_signals() as stop, progress_bar(what, rate=single) as bar:
        return run_all(
            predictor, plan, options=options or JobOptions(), overwrite=overwrite, stop=stop,
            tell=(lambda task, done, total: bar(done, total or 0)) if single else None,
            finished=None if single else lambda done, total, _: bar(done, total),
        )  # fmt: skip


def end_job(
    predictor: Any,
    plan: Plan,
    result: JobResult,
    model: str,
    *,
    then: str = THEN,
    written: Mapping[str, PreAnnotation] | None = None,
    json: bool,
) -> None:
    """Tell what a job did, and end with its exit code.

    Args:
        predictor: that was run.
        plan: of the job.
        result: what it did.
        model: how the user named it.
        then: what to try next.
        written: exports that were made of its results, by tool.
        json: tell it for machines.
    """
    if not json:
        show_job(result, plan, predictor.bundle, model, then=then)
        show_exports(written or {})
    elif not result.stopped:  # of which the command itself tells, in JSON too
        said = {"out": str(plan.place), "model": model, "notes": list(plan.notes), **result.to_json()}
        emit({**said, **({"annotations": told_exports(written)} if written else {})})
    if result.exit_code:
        raise typer.Exit(result.exit_code)

"""Telling people what a job did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from intarsia.cli.output import emit, seconds, table
from intarsia.errors import counted
from intarsia.memory import said_bytes

if TYPE_CHECKING:
    from intarsia.bundle import Description
    from intarsia.jobs import Forecast, JobResult, Plan, Record

_MOST_SHOWN = 10
_MOST_PLANNED = 1000
_WORTH_TELLING = 1_000_000  # bytes
THEN = "intarsia segment FOLDER/ -o out/   or   intarsia train YOUR-DATA/"


def show_job(result: JobResult, plan: Plan, bundle: Description, model: str, *, then: str) -> None:
    """Print what became of each source, the failures on standard error, and the sum of it."""
    show_records(result, plan)
    classes = counted(len(bundle.space), "class", "classes")
    typer.echo(f"{summed(result)}. Model {model} ({bundle.architecture}, {classes}): {bundle.terms}")
    if result.done:
        typer.echo(f"Next:  {then}")


def show_records(result: JobResult, plan: Plan) -> None:
    """Print what became of each source, and the failures on standard error."""
    for note in plan.notes:
        typer.echo(f"note: {note}")
    whole = [record for record in result.records if record["error"] is None]
    for record in whole[:_MOST_SHOWN]:
        _show_record(record, plan)
    if len(whole) > _MOST_SHOWN:
        typer.echo(f"... and {len(whole) - _MOST_SHOWN} more; all of them in {plan.place / 'manifest.jsonl'}")
    for source, reason in result.failures.items():
        typer.echo(f"failed: {reason if source in reason else f'{source}: {reason}'}", err=True)


def summed(result: JobResult) -> str:
    """Count what became of the sources, in words."""
    counts = [f"{len(result.done)} done"]
    counts += [f"{len(result.skipped)} were done before"] if result.skipped else []
    counts += [f"{len(result.busy)} in work elsewhere"] if result.busy else []
    counts += [f"{len(result.failures)} failed"] if result.failures else []
    return ", ".join(counts)


def hint_at_masks(result: JobResult) -> None:
    """Say on standard error that several sources look like masks, what each one's note says of it alone."""
    few = [str(record["source"]) for record in result.done if "colours" in record["details"]]
    if len(few) > 1:
        typer.echo(
            f"hint: {few[0]} and {len(few) - 1} more look like masks and were segmented as if they were photos: so few "
            "colours are in no photo. Masks are what intarsia metrics, count, data check and train read.",
            err=True,
        )


def show_plan(plan: Plan, expected: Forecast | None, *, json: bool) -> None:
    """Print what a job would write, and what it would take.

    Args:
        plan: of the job.
        expected: see `jobs.forecast`; None where it is not known before the work.
        json: tell it for machines.

    Raises:
        TooLarge: it needs more memory than there is.
    """
    planned = [
        {
            "source": str(task.source), "medium": task.medium.name,
            "outputs": {kind: str(plan.place / name) for kind, name in task.outputs.items()},
        }
        for task in (plan.tasks if json else plan.tasks[:_MOST_PLANNED])
    ]  # fmt: skip
    if json:
        told = None if expected is None else expected.to_json()
        emit({"planned": planned, "notes": list(plan.notes), "expected": told})
    else:
        for note in plan.notes:
            typer.echo(f"note: {note}")
        table(("Source", "Results"), [(str(one["source"]), "  ".join(one["outputs"].values())) for one in planned])  # type: ignore[attr-defined]
        if len(plan.tasks) > len(planned):
            typer.echo(f"... and {len(plan.tasks) - len(planned):,} more; --json names all of them")
        show_forecast(expected)
    if expected is not None:
        expected.check()


def show_forecast(expected: Forecast | None) -> None:
    """Print the memory and the time that a job would take."""
    if expected is None or expected.memory is None:
        typer.echo("Memory: not known before the work")
    else:
        there = "" if expected.room is None else f"; there are {said_bytes(expected.room)}"
        typer.echo(f"Memory: about {said_bytes(expected.memory)} at the peak{there}")
    for one in () if expected is None else expected.media:
        shares = sorted(one.held.items(), key=lambda share: -share[1])
        held = ", ".join(f"{name} {said_bytes(share)}" for name, share in shares if share >= _WORTH_TELLING)
        size = "x".join(f"{side}" for side in one.size if side)
        cut = f", in {one.parts} parts" if one.parts > 1 else ""
        typer.echo(f"  {counted(one.sources, one.medium)}, the largest {one.source} ({size}){cut}: {held}")
    took = None if expected is None else expected.seconds
    beside = "" if took is None else " of the network; reading, drawing and writing go on beside it"
    typer.echo(f"Time: {'not known before the work' if took is None else f'about {seconds(took)}'}{beside}")


def _show_record(record: Record, plan: Plan) -> None:
    typer.echo(f"{record['source']}  ({', '.join(_facts(record))})")
    areas = [f"{name} {100 * share:.1f} %" for name, share in record["areas"].items()]
    typer.echo(f"  {', '.join(areas)}")
    details: dict[str, Any] = record["details"]
    if "millilitres" in details:
        typer.echo(f"  {', '.join(f'{name} {value:,.0f} ml' for name, value in details['millilitres'].items())}")
    if "instances" in details:
        typer.echo(f"  {counted(details['instances'], 'thing')}")
    if "lines" in details:
        words = f", {counted(details['words'], 'word')}" if "words" in details else ""
        typer.echo(f"  {counted(details['lines'], 'line')}{words}")
    if "polygons" in details:
        typer.echo(f"  {counted(details['polygons'], 'polygon')}")
    if "dropped" in details:
        late = f", {details['late']:,} late" if "late" in details else ""
        typer.echo(f"  {counted(details['dropped'], 'frame')} left out to keep up{late}")
    if "frames" in details and "milliseconds" in details:
        stages = (f"{name} {took['p50']:.1f} / {took['p99']:.1f}" for name, took in details["milliseconds"].items())
        typer.echo(f"  milliseconds a frame (median / p99): {', '.join(stages)}")
    for note in record["notes"]:
        if note in plan.notes:  # said once for all
            continue
        typer.echo(f"  note: {note}")
    typer.echo("  " + "  ".join(str(plan.place / name) for name in record["outputs"].values()))


def _facts(record: Record) -> list[str]:
    """Size and speed, in words."""
    size, details, took = record["size"], record["details"], record["seconds"]
    if "frames" in details:
        frames, keys = details["frames"], details["key_frames"]
        speed = f", {frames / took:.1f} fps" if took else ""
        found = [f"{size[0]}x{size[1]}", f"{counted(frames, 'frame')} in {seconds(took)}{speed}"]
        found += [counted(keys, "key frame")] if keys != frames else []
        return found + (["stopped; what is written is complete up to here"] if record["status"] == "stopped" else [])
    if "pages" in details:
        return [f"{size[0]}x{size[1]}", counted(size[2], "page"), seconds(took)]
    if len(size) == 1:
        return [counted(size[0], "point"), seconds(took)]
    return ["x".join(map(str, size)), seconds(took)]

"""`intarsia segment` on point clouds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from intarsia.cli.output import emit, progress_bar, seconds

if TYPE_CHECKING:
    from intarsia.inference.clouds import CloudPredictor

PARTLY = 1


def segment_clouds(
    predictor: CloudPredictor,
    *,
    sources: list[str],
    out: Path | None,
    model: str,
    columns: str | None,
    pictures: bool,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Label clouds, print what was done, and end with the code that says how it went."""
    from intarsia.errors import DataError
    from intarsia.inference.clouds.folder import plan_clouds, segment_clouds

    tasks = plan_clouds(sources, out)
    if dry_run:
        planned = [{"source": str(task.source), "labels": str(task.target)} for task in tasks]
        if json:
            emit({"planned": planned})
        else:
            for entry in planned:
                typer.echo(f"{entry['source']} -> {entry['labels']}")
        return
    with progress_bar("labelling points") as progress:
        result = segment_clouds(
            predictor, tasks, columns=columns, pictures=pictures, overwrite=overwrite, progress=progress
        )
    if json:
        emit({"model": model, "records": result.records, "failures": result.failures})
    else:
        for record in result.records:
            typer.echo(f"{record['source']}  ({record['points']:,} points, {seconds(record['seconds'])})")
            typer.echo("  " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in record["shares"].items()))
            written = [record[key] for key in ("labels", "top", "side", "viewer") if key in record]
            typer.echo("  " + "  ".join(written))
        for source, reason in result.failures.items():
            typer.echo(f"failed: {reason if source in reason else f'{source}: {reason}'}", err=True)
        bundle = predictor.bundle
        terms = bundle.card.get("license") or bundle.card.get("terms") or "no terms stated"
        typer.echo(f"Model {model} ({bundle.architecture}, {len(bundle.space)} classes): {terms}")
    if result.failures:
        raise typer.Exit(PARTLY if result.records else DataError.exit_code)

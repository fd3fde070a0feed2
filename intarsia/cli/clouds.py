"""`intarsia segment` on point clouds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from intarsia.cli.output import emit, progress_bar, seconds
from intarsia.errors import DataError, UsageError, counted

if TYPE_CHECKING:
    from intarsia.inference import Predictor
    from intarsia.inference.clouds import CloudPredictor

PARTLY = 1


def is_cloud_job(sources: Sequence[str], said: bool) -> bool:
    """Whether the sources are point clouds.

    Args:
        sources: files, folders or patterns.
        said: whether an option was given that only clouds have.

    Raises:
        UsageError: only some of them are.
    """
    from intarsia.jobs.clouds import holds_clouds

    clouds = [source for source in sources if said or holds_clouds(source)]
    if clouds and len(clouds) < len(sources):
        raise UsageError("point clouds and pictures are segmented by separate commands")
    return bool(clouds)


def segment_clouds(
    predictor: Predictor | CloudPredictor,
    *,
    sources: list[str],
    out: Path | None,
    model: str,
    columns: str | None,
    category: str | None,
    pictures: bool,
    overwrite: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Label clouds, print what was done, and end with the code that says how it went.

    Raises:
        UsageError: the model is none of point clouds.
    """
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.jobs.clouds import is_one_file, plan_clouds, segment_clouds

    if not isinstance(predictor, CloudPredictor):
        raise UsageError(f"{model} labels pictures, and {sources[0]} is a point cloud; name a model of clouds (-m)")
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
            predictor, tasks, columns=columns, category=category, pictures=pictures, overwrite=overwrite,
            folder=None if is_one_file(out) else out or Path("."), progress=progress,
        )  # fmt: skip
    if json:
        emit({"model": model, "records": result.records, "failures": result.failures, "skipped": result.skipped})
    else:
        for record in result.records:
            typer.echo(f"{record['source']}  ({counted(record['points'], 'point')}, {seconds(record['seconds'])})")
            typer.echo("  " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in record["shares"].items()))
            if record["without"]:
                typer.echo(f"  without {', '.join(record['without'])}, which the file does not have: less sure")
            written = [record[key] for key in ("labels", "top", "side", "viewer") if key in record]
            typer.echo("  " + "  ".join(written))
        for source, reason in result.failures.items():
            typer.echo(f"failed: {reason if source in reason else f'{source}: {reason}'}", err=True)
        if result.skipped:
            typer.echo(f"{counted(len(result.skipped), 'cloud')} done before")
        bundle = predictor.bundle
        terms = bundle.card.get("license") or bundle.card.get("terms") or "no terms stated"
        typer.echo(f"Model {model} ({bundle.architecture}, {counted(len(bundle.space), 'class', 'classes')}): {terms}")
    if result.failures:
        raise typer.Exit(PARTLY if result.records or result.skipped else DataError.exit_code)

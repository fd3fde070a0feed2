"""`intarsia portrait`: the people of photos in focus, and what is behind them out of focus or something else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json
from intarsia.cli.planned import end_job, run_job
from intarsia.cli.records import show_plan
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both
from intarsia.errors import UsageError

_NEXT = "intarsia portrait PHOTO --background transparent   or   intarsia background CLIP --with blur"


def portrait(
    sources: Annotated[
        list[str], typer.Argument(metavar="PHOTO", help="Photos, folders or glob patterns; - for standard input.")
    ],
    background: Annotated[
        str | None,
        typer.Option(metavar="FILE|COLOUR|transparent", help="What comes behind the people, in place of a blur."),
    ] = None,
    blur: Annotated[
        float | None,
        typer.Option(metavar="0..1", help="How far out of focus the background is; default: 0.6."),
    ] = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Write PNG: the people's pixels are those of the photo, bit for bit.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder for the results (for single photos default: here), or for one photo a file."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("-m", "--model", help="Bundled model, bundle file or run folder with a class person.")
    ] = "person",
    overwrite: Overwrite = False,
    resume: Resume = False,
    dry_run: JobDryRun = False,
    json: Json = False,
) -> None:
    """Put what is behind the people of photos out of focus, or another background there: writes NAME.portrait.jpg.

    A photo in which nobody is found is said, and not written; the command then ends with 1.
    """
    from intarsia.apps.grounds import Blur, read_ground
    from intarsia.apps.loading import load_predictor
    from intarsia.apps.portrait import MEDIA, Portraits, check_files, portrait_output
    from intarsia.cli.pipes import piped
    from intarsia.jobs import forecast, plan

    refuse_both(overwrite=overwrite, resume=resume)
    if background is not None and blur is not None:
        raise UsageError("--blur is the photo's own background, --background another one; choose one")
    ground = read_ground(background) if background is not None else Blur() if blur is None else Blur(blur)
    outputs = [portrait_output(ground, lossless=lossless)]
    with piped(sources, out, outputs, media=MEDIA, as_json=json) as (sources, out):
        planned = plan(sources, out, outputs=outputs, media=MEDIA)
        check_files(planned)
        portraits = Portraits(load_predictor(model), ground)
        if dry_run:
            show_plan(planned, forecast(portraits, planned), json=json)
            return
        result = run_job(portraits, planned, overwrite=overwrite, what="portraits")
        end_job(portraits, planned, result, model, then=_NEXT, json=json)

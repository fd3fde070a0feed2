"""`intarsia background`: the people of videos and cameras, and behind them a blur, a picture, a colour or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json
from intarsia.cli.planned import end_job, run_job
from intarsia.cli.records import show_plan
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both
from intarsia.errors import UsageError

_NEXT = "intarsia background CLIP --with beach.jpg   or   --with transparent -o clip.webm"


def background(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="CLIP", help="Videos, camera:0, photos, folders or glob patterns; - for a pipe."),
    ],
    behind: Annotated[
        str,
        typer.Option("--with", metavar="FILE|blur|COLOUR|transparent", help="What comes behind the people."),
    ] = "blur",
    blur: Annotated[
        float | None, typer.Option(metavar="0..1", help="How far out of focus a blur is; default: 0.6.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder for the results (for single videos default: here), or for one video a file."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many frames.")] = None,
    deadline: Annotated[
        float | None,
        typer.Option(min=1, metavar="MS", help="Drop frames that would come out later than this; files go as if live."),
    ] = None,
    model: Annotated[
        str, typer.Option("-m", "--model", help="Bundled model, bundle file or run folder with a class person.")
    ] = "person",
    overwrite: Overwrite = False,
    resume: Resume = False,
    dry_run: JobDryRun = False,
    json: Json = False,
) -> None:
    """Change what is behind the people of videos: writes NAME.background.mp4, with the video's own times and sound.

    Transparent videos are NAME.background.webm; of photos NAME.background.jpg or .png is written. What has nobody in it
    is said, and not written; the command then ends with 1.
    """
    from intarsia.apps.background import MEDIA, Backgrounds, background_output
    from intarsia.apps.grounds import BLUR, Blur, read_ground
    from intarsia.apps.loading import load_predictor
    from intarsia.cli.pipes import piped
    from intarsia.jobs import JobOptions, forecast, plan

    refuse_both(overwrite=overwrite, resume=resume)
    if blur is not None and behind != BLUR:
        raise UsageError("--blur is how far --with blur goes; leave it out, or choose --with blur")
    ground = Blur(blur) if blur is not None else read_ground(behind)
    outputs = [background_output(ground)]
    with piped(sources, out, outputs, media=MEDIA, as_json=json) as (sources, out):
        planned = plan(sources, out, outputs=outputs, media=MEDIA)
        backgrounds, options = Backgrounds(load_predictor(model), ground), JobOptions(limit=limit, deadline=deadline)
        if dry_run:
            show_plan(planned, forecast(backgrounds, planned, options), json=json)
            return
        result = run_job(backgrounds, planned, options, overwrite=overwrite, what="frames")
        end_job(backgrounds, planned, result, model, then=_NEXT, json=json)

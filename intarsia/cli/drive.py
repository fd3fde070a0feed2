"""`intarsia drive`: road, lanes, vehicles and people from behind a windscreen, as a head-up display and as records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia import DEFAULT_MODEL
from intarsia.cli.output import Json
from intarsia.cli.planned import end_job, run_job
from intarsia.cli.records import show_plan
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both


def drive(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Videos, camera:0, pictures, folders or glob patterns of either; - for standard input.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for the results (default of single sources: here), or a video's name; - for standard output.",
        ),
    ] = None,
    camera: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Calibration (YAML: height in metres, focal in pixels of size, pitch in degrees): gives centimetres. "
            "Without it the horizon is looked for, and places are told in pixels.",
        ),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            help="Take frames at their own pace; leave out, and count, those whose result would be older than this.",
        ),
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="What is written besides the display: records (of videos, a line of JSON a frame), labels, overlay, "
            "...; repeatable.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("-m", "--model", help="Street model: a bundled name, a bundle file or a run folder.")
    ] = DEFAULT_MODEL,
    fps: Annotated[
        float | None, typer.Option(help="Take a folder or pattern of pictures as a video of so many frames a second.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many frames.")] = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    dry_run: JobDryRun = False,
    json: Json = False,
) -> None:
    """See road, lanes, vehicles and people: writes NAME.drive.mp4 of each video, NAME.drive.jpg of each picture.

    A look at what such a camera shows, not a system to drive by.
    """
    from intarsia.apps.drive import MEDIA, Camera, drive_render
    from intarsia.apps.loading import load_predictor
    from intarsia.cli.pipes import piped
    from intarsia.jobs import JobOptions, forecast, plan

    refuse_both(overwrite=overwrite, resume=resume)
    calibration = None if camera is None else Camera.load(camera)
    asked = {"fps": fps, "limit": limit, "deadline": deadline}
    given = [name for name, value in asked.items() if value is not None]
    outputs = [drive_render(calibration), *(write or ())]
    with piped(sources, out, outputs, given=given, media=MEDIA, as_json=json) as (sources, out):
        planned = plan(sources, out, outputs=outputs, given=given, media=MEDIA)
        app = {} if calibration is None else {"camera": calibration.model_dump(mode="json")}
        options = JobOptions(fps=fps, limit=limit, deadline=deadline, app=app)
        predictor = load_predictor(model)
        if dry_run:
            show_plan(planned, forecast(predictor, planned, options), json=json)
            return
        result = run_job(predictor, planned, options, overwrite=overwrite, what="driving")
        end_job(predictor, planned, result, model, then="intarsia drive CLIP --write records", json=json)

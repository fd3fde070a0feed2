"""`intarsia makeup`: lips, hair, skin, eyes and brows of the faces in photos and clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json
from intarsia.cli.planned import AGREED, end_job, run_job
from intarsia.cli.records import show_plan
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both

_COLOUR = "COLOUR"


def makeup(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE", help="Photos, videos, camera:0, folders or glob patterns; - for standard input."
        ),
    ],
    lips: Annotated[
        str | None, typer.Option(metavar=_COLOUR, help="Colour of the lips: '#b0123b', or a name such as crimson.")
    ] = None,
    hair: Annotated[str | None, typer.Option(metavar=_COLOUR, help="Colour of the hair.")] = None,
    skin: Annotated[str | None, typer.Option(metavar="smooth", help="smooth: even the skin out, edges stay.")] = None,
    eyes: Annotated[str | None, typer.Option(metavar=_COLOUR, help="Colour of the irises.")] = None,
    brows: Annotated[str | None, typer.Option(metavar=_COLOUR, help="Colour of the eyebrows.")] = None,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="Of all of it: 0 changes nothing, 1 is the very colour.")
    ] = 0.8,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", help="A model of your own with a class hair; else hair is found by its looks."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for the results (for single sources default: here), or for one source its own name, ending in "
            ".png, .jpg, .webp or .tif, of a video in .mp4, .mov, .mkv or .webm; - for standard output.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    dry_run: JobDryRun = False,
    json: Json = False,
) -> None:
    """Make up the faces in photos and clips: writes NAME.makeup.jpg (of PNG and others .png, of videos .mp4).

    What is painted keeps its texture, and all else its very pixels. Only for pictures of people who agree.
    """
    from intarsia.apps.makeup import MADE_UP, MEDIA, Look, open_makeup
    from intarsia.cli.pipes import piped
    from intarsia.jobs import forecast, plan

    refuse_both(overwrite=overwrite, resume=resume)
    look = Look(lips, hair, skin, eyes, brows, strength)  # type: ignore[arg-type]  # which it checks itself
    with piped(sources, out, (MADE_UP,), media=MEDIA, as_json=json) as (sources, out):
        planned = plan(sources, out, outputs=(MADE_UP,), media=MEDIA)
        painter = open_makeup(look, model=model)
        planned = replace(planned, notes=(*planned.notes, *painter.notes))
        if dry_run:
            show_plan(planned, forecast(painter, planned), json=json)
            return
        result = run_job(painter, planned, overwrite=overwrite, what="painting")
        end_job(painter, planned, result, "face", then=AGREED, json=json)

"""`intarsia tryon`: a garment on photos in another colour, cloth or print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json
from intarsia.cli.planned import AGREED, end_job, run_job
from intarsia.cli.records import show_plan
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both

MODEL = "clothes"


def tryon(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO...", help="Photos of people, folders or glob patterns; - for standard input."),
    ],
    garment: Annotated[
        str,
        typer.Option("-g", "--garment", help="What is changed: upper, outer, dress, lower, legs, shoes, hat, bag."),
    ],
    colour: Annotated[str | None, typer.Option(metavar="COLOUR", help="A name, or #rrggbb.")] = None,
    texture: Annotated[Path | None, typer.Option(metavar="FILE", help="Picture of a cloth or print.")] = None,
    scale: Annotated[float, typer.Option(help="Width of the texture, in sizes of the garment.")] = 0.5,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="PHOTO", help="Photo of somebody who wears such a garment.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for the results (for single photos default: here), or for one photo its own name, ending in "
            ".png, .jpg, .webp or .tif; - for standard output.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("-m", "--model", help="Model of clothes: a bundled name, a bundle file or a run folder.")
    ] = MODEL,
    overwrite: Overwrite = False,
    resume: Resume = False,
    dry_run: JobDryRun = False,
    json: Json = False,
) -> None:
    """Show a garment in another colour, texture, or as somebody else wears it: writes NAME.tryon.png of each photo.

    Everything but the garment stays as it is, bit for bit. Exits with 1 when a photo shows no such garment. Only for
    pictures of people who agree.
    """
    from intarsia.apps.loading import load_predictor
    from intarsia.apps.tryon import MEDIA, TRIED_ON, TryingOn, Wish
    from intarsia.cli.pipes import piped
    from intarsia.inference.bodies import find_bodies
    from intarsia.inference.choosing import sees_somebody
    from intarsia.jobs import forecast, plan

    refuse_both(overwrite=overwrite, resume=resume)
    wish = Wish(garment, colour, texture, scale, from_)
    with piped(sources, out, (TRIED_ON,), media=MEDIA, as_json=json) as (sources, out):
        planned = plan(sources, out, outputs=(TRIED_ON,), media=MEDIA)
        editor = TryingOn(wish, load_predictor(model), find_bodies, sees_somebody if model == MODEL else None)
        if dry_run:
            show_plan(planned, forecast(editor, planned), json=json)
            return
        result = run_job(editor, planned, overwrite=overwrite, what="trying on")
        end_job(editor, planned, result, model, then=AGREED, json=json)

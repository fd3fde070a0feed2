"""`intarsia handwriting`: the lines and words of pages, in reading order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json
from intarsia.cli.planned import end_job, run_job
from intarsia.cli.records import show_plan
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both


def handwriting(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="PAGE", help="Pictures of pages, folders or glob patterns; - for standard input."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for the results (for single pages default: here), or FILE.xml (PAGE); - for standard output.",
        ),
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="What is written; repeatable: page (PAGE XML, the default), alto (ALTO 4), json, crops (a folder with "
            "a level picture of each line), overlay (the lines drawn on the page).",
        ),
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Also divide lines into words.")] = False,
    model: Annotated[
        str, typer.Option("-m", "--model", help="Bundled model or model file with a class text.")
    ] = "handwriting",
    long_side: Annotated[
        int | None,
        typer.Option(min=32, help="Working size in pixels of the longer side; default 960. More for small writing."),
    ] = None,
    runtime: Annotated[str, typer.Option(help="What computes: onnx, openvino, or auto.")] = "auto",
    overwrite: Overwrite = False,
    resume: Resume = False,
    dry_run: JobDryRun = False,
    json: Json = False,
) -> None:
    """Find the lines of handwritten pages: baselines and outlines in reading order, words by the gaps between them.

    Ink that is in no line is counted and told. Exits with 1 when a page has no line at all, or some could not be read.
    """
    from intarsia.apps.handwriting import PAGE, LineFinder
    from intarsia.apps.loading import load_predictor
    from intarsia.cli.pipes import piped
    from intarsia.jobs import forecast, plan

    refuse_both(overwrite=overwrite, resume=resume)
    with piped(sources, out, write or (), media=(PAGE,), as_json=json) as (sources, out):
        planned = plan(sources, out, outputs=write or (), media=(PAGE,))
        finder = LineFinder(load_predictor(model, long_side=long_side, runtime=runtime), words=words)
        if dry_run:
            show_plan(planned, forecast(finder, planned), json=json)
            return
        result = run_job(finder, planned, overwrite=overwrite, what="reading")
        end_job(finder, planned, result, model, then="intarsia handwriting PAGE --write crops --words", json=json)

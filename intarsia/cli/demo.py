"""`intarsia demo`: the whole walk on real photographs, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit, seconds


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for everything that the demo makes.")] = Path(
        "intarsia-demo"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo.")] = False,
    json: Json = False,
) -> None:
    """Train, measure and report on a real photograph, then use the bundled model: offline, in minutes."""
    from rich.console import Console

    from intarsia.apps.demo import demo as run_demo

    done = run_demo(out, overwrite=overwrite, console=Console(stderr=json))
    if json:
        emit(
            {
                "run": str(done.run.folder),
                "report": str(done.report),
                "scores": done.run.scores,
                "street": {"overlay": str(done.street_overlay), "areas": done.street_areas},
                "seconds": round(done.seconds, 1),
            }
        )
    else:
        typer.echo(f"Done in {seconds(done.seconds)}. Open {done.report} in a browser.")
        typer.echo("Next:  intarsia segment YOUR-PHOTO.jpg   or   intarsia train YOUR-FOLDER/")

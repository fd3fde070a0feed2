"""`intarsia train`: from labelled data to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit, seconds


def train(
    path: Annotated[Path, typer.Argument(help="A recipe (YAML), or simply a folder of images and masks.")],
    recipe: Annotated[
        str | None, typer.Option("-r", "--recipe", help="Recipe for a folder: a bundled name or a file.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Run folder; default: runs/NAME.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one recipe key; repeatable.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Shorthand for --set training.epochs=N.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="End after so many minutes; shorthand for --set training.minutes=N."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted run exactly; with more --epochs also a finished one."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what memory and time it would take, by a few steps of it.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a model. A plain folder needs no recipe: its data are checked, and a recipe is chosen and written."""
    import time

    import intarsia
    from intarsia.training import is_main_process

    changes = list(set_ or ())
    if epochs is not None:
        changes.append(f"training.epochs={epochs}")
    if minutes is not None:
        changes.append(f"training.minutes={minutes}")
    if dry_run:
        _rehearse(path, out, recipe, changes, json=json)
        return
    started = time.monotonic()
    try:
        run = intarsia.train(path, out, recipe=recipe, changes=changes, resume=resume)
    except KeyboardInterrupt:
        typer.echo("Stopped; the same command with --resume continues where the last checkpoint was written.", err=True)
        raise
    if not is_main_process():
        return
    if json:
        emit(
            {
                "run": str(run.folder),
                "best": str(run.best),
                "report": str(run.folder / "report.html"),
                "scores": run.scores,
            }
        )
        return
    typer.echo(f"Trained in {seconds(time.monotonic() - started)}: {run.best}")
    typer.echo(f"Report:  {run.folder / 'report.html'}")
    typer.echo(f"Next:    intarsia segment FILE -m {run.folder}")


def _rehearse(path: Path, out: Path | None, recipe: str | None, changes: list[str], *, json: bool) -> None:
    from intarsia.recipe import Recipe
    from intarsia.training import rehearse
    from intarsia.training.plan.planning import plan
    from intarsia.zoo import find_recipe

    given = None if recipe is None else Recipe.load(find_recipe(recipe))
    planned = plan(path, out, recipe=given, changes=changes)
    expected = rehearse(planned.recipe, planned.dataset)
    if json:
        emit({"recipe": planned.recipe.to_dict(), "expected": expected.to_json()})
        return
    for line in (*planned.summary(), *expected.lines()):
        typer.echo(line)

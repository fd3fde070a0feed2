"""`intarsia count`: the separate things in masks, numbered, split where they touch, and measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intarsia.cli.metrics import PARTLY, Classes, Ignore
from intarsia.cli.output import Json, emit, progress_bar, table
from intarsia.errors import counted

if TYPE_CHECKING:
    from intarsia.apps.counting import Count

_MOST_COLUMNS = 8


def count(
    masks: Annotated[list[Path], typer.Argument(metavar="MASK...", help="Mask files, folders or glob patterns.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for label images (a number a thing) and instances.csv.")
    ] = None,
    classes: Classes = None,
    of: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="Class whose things are counted; repeatable. Default: all but background."),
    ] = None,
    ignore: Ignore = None,
    neighbours: Annotated[
        int | None,
        typer.Option(help="4: things that touch by a corner only are two (volumes: 6); default 8 (26): they are one."),
    ] = None,
    least: Annotated[int, typer.Option(help="Smallest thing, in pixels or voxels.")] = 1,
    split: Annotated[
        float | None,
        typer.Option(
            metavar="DISTANCE", help="Split things that touch, where their middles are at least so many pixels apart."
        ),
    ] = None,
    neck: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Split things that touch, of any size, where the way between them is narrower than this share of the "
            "lesser one's width; 0.3 is a good start.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier table.")] = False,
    json: Json = False,
) -> None:
    """Count the separate things in masks: cells, trees, coins. Exits with 1 when some masks could not be read."""
    from intarsia.apps.counting import count_instances
    from intarsia.classlists import classes_said

    named = None if classes is None else classes_said(classes)
    with progress_bar("counting") as progress:
        found = count_instances(
            masks, out, classes=named, of=of or (), ignore=ignore or (), neighbours=neighbours, least=least,
            distance=split, neck=neck, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    if json:
        emit(found.to_json())
    else:
        _show(found)
        for note in found.notes:
            typer.echo(f"note: {note}")
        if found.table is not None:
            typer.echo(f"{counted(len(found.masks), 'label image')} and {found.table}")
    for mask, reason in found.failures.items():
        typer.echo(f"failed: {reason if mask in reason else f'{mask}: {reason}'}", err=True)
    if found.failures:
        raise typer.Exit(PARTLY)


def _show(found: Count) -> None:
    """Print a row a mask, with a column a class; or, of many classes, a row for each that a mask holds."""
    names = list(dict.fromkeys(name for one in found.masks for name in one.counts))
    if len(names) > _MOST_COLUMNS:
        table(
            ("Mask", "Class", "Things"),
            [(one.name, name, str(things)) for one in found.masks for name, things in one.counts.items() if things],
        )
        return
    rows = [(one.name, *(str(one.counts.get(name, 0)) for name in names)) for one in found.masks]
    if len(rows) > 1:
        rows.append(("all", *(str(sum(one.counts.get(name, 0) for one in found.masks)) for name in names)))
    table(("Mask", *names), rows)

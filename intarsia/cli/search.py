"""`intarsia search`: photos found by what they look like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intarsia.cli.output import Json, emit, progress_bar, table
from intarsia.cli.target import DryRun
from intarsia.errors import UsageError, counted

if TYPE_CHECKING:
    from intarsia.apps.search import Index, Report

DEFAULT = Path("photos.index")
_PARTLY, _INTERRUPTED = 1, 130
_MASKS = {"clothes": "clothes found in", "foreground": "cut out of its ground in", "whole": "looked at whole"}

app = typer.Typer(no_args_is_help=True, help="Find photos, foremost of clothes, by what they look like.")
Photos = Annotated[list[str], typer.Argument(metavar="PHOTO...", help="Photos, folders or glob patterns.")]
InIndex = Annotated[Path, typer.Option("-i", "--index", metavar="FILE", help="The index.")]


@app.command()
def build(
    photos: Photos,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The index.")] = DEFAULT,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier index.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted one: the same as add.")] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Look at whole photos, not only at the thing that each shows.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make an index of photos. Exits with 1 when some photos could not be read."""
    from intarsia.apps import search
    from intarsia.stopping import stop_on_signals

    if dry_run:
        _would(photos, out, json=json)
        return
    with progress_bar("looking") as progress, stop_on_signals() as stop:
        ready = search.Embedder(masked=not whole)
        if resume and out.exists():
            report = search.add(photos, out, embedder=ready, progress=progress, stop=stop)
        else:
            report = search.build(photos, out, overwrite=overwrite, embedder=ready, progress=progress, stop=stop)
    _show(report, json=json)


@app.command()
def add(photos: Photos, index: InIndex = DEFAULT, dry_run: DryRun = False, json: Json = False) -> None:
    """Add photos to an index; those in it that did not change are skipped."""
    from intarsia.apps import search
    from intarsia.stopping import stop_on_signals

    if dry_run:
        _would(photos, index, json=json)
        return
    with progress_bar("looking") as progress, stop_on_signals() as stop:
        report = search.add(photos, index, progress=progress, stop=stop)
    _show(report, json=json)


@app.command()
def remove(
    photos: Annotated[
        list[str] | None, typer.Argument(metavar="PHOTO...", help="Paths, folders or patterns of paths.")
    ] = None,
    index: InIndex = DEFAULT,
    gone: Annotated[bool, typer.Option("--gone", help="Those whose files no longer exist.")] = False,
    json: Json = False,
) -> None:
    """Take photos out of an index; the files stay where they are."""
    from intarsia.apps import search

    if not photos and not gone:
        raise UsageError("name the photos to take out, or --gone for those whose files no longer exist")
    _show(search.remove(photos or (), index, gone=gone), json=json)


@app.command()
def find(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="The photo to search for.")],
    index: InIndex = DEFAULT,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Most answers.")] = 10,
    colour: Annotated[
        str | None, typer.Option(metavar="COLOUR", help="Only things of this colour: a name, or #rrggbb.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(metavar="DISTANCE", help="In OKLab, up to which colours are the same; default 0.12."),
    ] = None,
    class_: Annotated[
        str | None,
        typer.Option("--class", metavar="CLASS", help="Only things of this folder, or taken for this category."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Also a contact sheet, ending in .html.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier contact sheet.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Go through all, also above a million photos, where a graph would propose.")
    ] = False,
    json: Json = False,
) -> None:
    """Find the photos of an index that look most like one. Exits with 1 when none passes the filters."""
    from intarsia.apps import search
    from intarsia.apps.search.sheet import write_sheet

    if tolerance is not None and colour is None:
        raise UsageError("--tolerance is of the colour that --colour names")
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out}: a contact sheet ends in .html")
    if out is not None and out.exists() and not overwrite:
        raise UsageError(f"{out} exists; replace it (--overwrite), or name another file")
    wanted = None if colour is None else search.Filter.of(colour, *(() if tolerance is None else (tolerance,)))
    found = search.Index.load(index)
    exact = exact or wanted is not None or class_ is not None
    matches = found.find(photo, count=count, colour=wanted, category=class_, exact=exact)
    if out is not None:
        write_sheet(out, photo, matches)
    if json:
        told = [match.to_json() for match in matches]
        emit({"query": str(photo), "index": str(index), "exact": exact or found.graph is None, "matches": told})
    else:
        rows = [
            (str(match.rank), f"{match.score:.3f}", str(match.path), match.item.category, " ".join(match.colours))
            for match in matches
        ]
        table(("", "Likeness", "Photo", "Taken for", "Colours"), rows)
        if not matches:
            filtered = colour is not None or class_ is not None
            why = (
                "nothing in the index passes the filters" if filtered else f"{index} holds no other photo than this one"
            )
            typer.echo(why, err=True)
        if out is not None:
            typer.echo(str(out))
        if not exact:
            _tell_how(found)
    if not matches:
        raise typer.Exit(_PARTLY)


def _tell_how(index: Index) -> None:
    """Tell how a large index was searched."""
    from intarsia.apps.search import graph

    if index.graph is not None:
        held = f"{index.graph.recall:.1%}"
        typer.echo(f"answers come from its graph, which holds {held} of the ten nearest; --exact finds all", err=True)
    elif len(index) > graph.ABOVE:
        install = "" if graph.is_there() else f"pip install 'intarsia[{graph.EXTRA}]', then "
        typer.echo(
            f"all {len(index):,} photos are gone through one by one; a graph is faster, and made by: {install}"
            f"intarsia search add PHOTOS -i {index.file}",
            err=True,
        )


def _would(photos: list[str], index: Path, *, json: bool) -> None:
    from intarsia.apps.search.building import find_photos

    found = [str(photo) for photo in find_photos(photos)]
    if json:
        emit({"index": str(index), "planned": found})
    else:
        typer.echo(f"{counted(len(found), 'photo')} would go into {index}, from {found[0]} to {found[-1]}")


def _show(report: Report, *, json: bool) -> None:
    """Tell what became of the photos, and end as a job does."""
    if json:
        emit(report.to_json())
    else:
        parts = [f"{len(report.added)} added"] if report.added else []
        parts += [f"{report.unchanged} unchanged"] if report.unchanged else []
        parts += [f"{len(report.removed)} removed"] if report.removed else []
        for mask, number in sorted(report.masks().items()):
            parts += [f"{_MASKS[mask]} {number}"]
        typer.echo(f"{report.index.file}: {counted(len(report.index), 'photo')} ({', '.join(parts) or 'as before'})")
        _tell_how(report.index)
    for photo, reason in report.failures.items():
        typer.echo(f"failed: {reason if photo in reason else f'{photo}: {reason}'}", err=True)
    if report.stopped:
        raise typer.Exit(_INTERRUPTED)
    if report.failures:
        raise typer.Exit(_PARTLY)

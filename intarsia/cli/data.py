"""`intarsia data`: look at labelled data before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intarsia.cli.output import Json, emit, progress_bar, table
from intarsia.cli.reading import reads_data
from intarsia.errors import counted

if TYPE_CHECKING:
    from intarsia.datasets import Dataset
    from intarsia.recipe import ReadOptions

app = typer.Typer(help="Check, describe, fetch and show labelled data.", no_args_is_help=True)
Data = Annotated[
    Path,
    typer.Argument(
        help="Folder of labelled images or point clouds; or a manifest (.csv, .jsonl), a list (.txt, .tsv), a table "
        "(.parquet), a shard (.tar), an export, or a recipe (.yaml), also of several data sets."
    ),
]


@app.command("list")
def list_data(json: Json = False) -> None:
    """List the public data sets that are known by name, and the layouts for your own data."""
    from intarsia.datasets.catalogue import layouts_of, own_layouts
    from intarsia.datasets.public import ENTRIES

    if json:
        public = [
            {"name": name, "title": e.title, "about": e.about, "layouts": list(layouts_of(name))}
            for name, e in ENTRIES.items()
        ]
        own = [{"layout": name, "about": one.about, "files": one.files} for name, one in own_layouts().items()]
        emit({"public": public, "own": own})
        return
    rows = [(name, entry.about, ", ".join(layouts_of(name)) or "-") for name, entry in ENTRIES.items()]
    table(("Public data set", "What it is", "Layouts"), rows)
    table(("Layout", "Your own data", "Files"), [(name, one.about, one.files) for name, one in own_layouts().items()])
    typer.echo("Layouts are recognised by themselves.  Next:  intarsia data info NAME|FOLDER")


@app.command()
@reads_data
def info(
    path: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="A public data set, or labelled data of your own.")
    ],
    options: ReadOptions,
    json: Json = False,
) -> None:
    """Tell what a public data set is and how to get it; or how a folder is read: layout, splits, sizes, classes."""
    from intarsia.datasets.catalogue import entry
    from intarsia.datasets.public import ENTRIES

    if path in ENTRIES and not Path(path).exists():
        _describe(path, json)
        return
    if not Path(path).exists() and not any(mark in path for mark in "/\\."):
        entry(path)  # neither a folder nor a data set: the error suggests the closest name
    dataset = _open(Path(path), options)
    found = dataset.describe()
    if json:
        emit(dataset.to_json(found))
        return
    first = dataset.first
    typer.echo(f"{dataset.root}: {counted(len(dataset), f'labelled {first.thing}')}, layout {dataset.layout}")
    for note in dataset.notes:
        typer.echo(f"  {note}")
    table(
        ("Split", f"{first.thing.capitalize()}s", first.extent, "Not labelled %"),
        [(name, str(one.items), one.extent, f"{100 * one.counts.ignored_share:.1f}") for name, one in found.items()],
    )
    table(
        ("Index", "Class", *(f"{name} %" for name in found)),
        [
            (str(index), name, *(f"{100 * one.counts.shares[index]:.2f}" for one in found.values()))
            for index, name in enumerate(dataset.space.names)
        ],
    )
    if wrong := sum(one.more.get("unreadable_masks", 0) for one in found.values()):
        typer.echo(f"{counted(wrong, 'mask')} cannot be used and {'are' if wrong > 1 else 'is'} not counted.")
    typer.echo(f"Next:  intarsia data check {path}")


def _open(path: Path, options: ReadOptions) -> Dataset:
    """Labelled data, or those that a recipe names: several data sets as they are joined for a training."""
    from intarsia.annotations.formats.yolo import described_folder
    from intarsia.datasets import open_dataset
    from intarsia.datasets.of_recipe import open_data
    from intarsia.errors import UsageError
    from intarsia.recipe import Recipe

    is_yaml = path.suffix.lower() in (".yaml", ".yml") and path.is_file()
    if not is_yaml or described_folder(path) is not None:
        return open_dataset(path, options)
    if given := options.given():
        raise UsageError(f"{path}: a recipe says itself how its data are read; write {', '.join(given)} into its data")
    return open_data(Recipe.load(path))


def _describe(name: str, json: bool) -> None:
    """Print what is known about a public data set."""
    from intarsia.datasets.catalogue import entry, layouts_of

    found = entry(name)
    if json:
        emit(found.to_json() | {"layouts": layouts_of(name)})
        return
    classes = found.space().names
    shown = ", ".join(classes[:24]) + (", ..." if len(classes) > 24 else "")
    facts = {
        "What": found.about,
        f"Classes ({len(classes)})": shown,
        "Splits": found.splits,
        "Ignored": found.ignored,
        "Size": found.size,
        "Licence": found.license,
        "Paper": found.citation,
        "Homepage": found.homepage,
        "Evaluation": f"intarsia evaluate FOLDER -m MODEL --protocol {found.protocol.name}",
    }
    typer.echo(found.title)
    for what, text in facts.items():
        typer.echo(f"  {what + ':':<15} {text}")
    for number, (layout, about) in enumerate(layouts_of(name).items()):
        typer.echo(f"  {'Layouts:' if not number else '':<15} {layout}: {about}")
    typer.echo(found.how_to_get())


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="A public data set; `intarsia data list` names them.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder to put it into.")],
    keep: Annotated[bool, typer.Option("--keep", help="Keep the archives after unpacking.")] = False,
    json: Json = False,
) -> None:
    """Fetch a public data set that needs no registration; of the others, say how to get them."""
    from intarsia.datasets.catalogue import entry
    from intarsia.datasets.download import get as fetch

    found = entry(name)
    with progress_bar("fetching", bytes_=True) as progress:
        places = fetch(found, out, keep=keep, progress=progress)
    if json:
        emit({"name": name, "folder": str(out), "unpacked": [str(place) for place in places]})
        return
    typer.echo(f"{found.title}: {', '.join(str(place) for place in places)}")
    typer.echo(f"Licence: {found.license}. Please cite: {found.citation}")
    typer.echo(f"Next:  intarsia data check {out}")


@app.command()
@reads_data
def check(
    path: Data,
    options: ReadOptions,
    json: Json = False,
) -> None:
    """Look for everything that would spoil a training: damaged files, wrong masks, leakage, missing classes."""
    with progress_bar("checking") as progress:
        report = _open(path, options).check(progress=progress)
    if json:
        emit(report.to_json())
    else:
        typer.echo(report.to_text())
        if not report.errors:
            typer.echo(f"Next:  intarsia train {path}")
    if report.errors:
        raise typer.Exit(3)


@app.command()
@reads_data
def show(
    path: Data,
    options: ReadOptions,
    out: Annotated[Path, typer.Option("-o", "--out", help="Picture to write (.jpg or .png).")] = Path("data.jpg"),
    split: Annotated[str, typer.Option(help="Split to show.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="How many samples, spread over the split.")] = 6,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    json: Json = False,
) -> None:
    """Write one picture of photos with their masks laid over them, or of clouds from above, to see that they fit."""
    from intarsia.datasets.checks.preview import contact_sheet
    from intarsia.errors import UsageError
    from intarsia.media.images import write_image

    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; give another name (-o), or --overwrite")
    chosen = _open(path, options).split(split)
    write_image(out, contact_sheet(chosen, count=count))
    if json:
        emit({"split": split, "samples": min(count, len(chosen)), "picture": str(out)})
    else:
        typer.echo(f"{min(count, len(chosen))} of {counted(len(chosen), 'sample')} of {split!r}: {out}")


@app.command()
@reads_data
def pack(
    path: Data,
    options: ReadOptions,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="New folder for the archives.")],
    per_shard: Annotated[int, typer.Option(min=1, help="Samples in an archive.")] = 1000,
    json: Json = False,
) -> None:
    """Write labelled pictures of any layout as tar archives, which are read in order, as large data sets need it."""
    from intarsia.datasets.packing import pack as write

    with progress_bar("packing") as progress:
        done = write(_open(path, options), out, per_shard=per_shard, progress=progress)
    if json:
        emit({"folder": str(out), "samples": done.samples, "shards": done.shards, "left_out": done.left_out})
    else:
        typer.echo(f"{counted(done.samples, 'sample')} in {counted(len(done.shards), 'archive')}: {out}")
        for reason in done.left_out:
            typer.echo(f"left out: {reason}", err=True)
        typer.echo(f"Next:  intarsia train {out}")
    if done.left_out:
        raise typer.Exit(1)

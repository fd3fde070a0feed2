"""`intarsia data`: look at labelled data before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia.cli.output import Json, emit, progress_bar, table
from intarsia.errors import counted

if TYPE_CHECKING:
    from intarsia.datasets import Dataset
    from intarsia.datasets.checks.report import Report
    from intarsia.datasets.layouts.clouds import CloudDataset

app = typer.Typer(help="Check, describe, fetch and show labelled data.", no_args_is_help=True)
Data = Annotated[
    Path,
    typer.Argument(
        help="Folder of labelled images or point clouds; or a manifest (.csv, .jsonl), a table (.parquet), an export."
    ),
]
Layout = Annotated[str, typer.Option(help="Folder layout; `intarsia data list` names them.")]
Resize = Annotated[bool, typer.Option("--resize-masks", help="Stretch masks of another size to their picture.")]
Tolerant = Annotated[
    bool, typer.Option("--tolerant", help="Take colour-coded JPEG masks by the nearest colour of the classes.")
]

Reading = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="An option of an annotation tool's reader; of clouds columns='x y z _ label' or label=FIELD; repeatable.",
    ),
]

_CLOUD_OPTIONS = ("columns", "label")


@app.command("list")
def list_data(json: Json = False) -> None:
    """List the public data sets that are known by name, and the layouts for your own data."""
    from intarsia.datasets.catalogue import KINDS, layouts_of
    from intarsia.datasets.public import ENTRIES

    if json:
        public = [
            {"name": name, "title": e.title, "about": e.about, "layouts": list(layouts_of(name))}
            for name, e in ENTRIES.items()
        ]
        emit({"public": public, "own": [vars(kind) for kind in KINDS]})
        return
    rows = [(name, entry.about, ", ".join(layouts_of(name)) or "-") for name, entry in ENTRIES.items()]
    table(("Public data set", "What it is", "Layouts"), rows)
    table(("Layout", "Your own data", "Files"), [(kind.layout, kind.about, kind.files) for kind in KINDS])
    typer.echo("Layouts are recognised by themselves.  Next:  intarsia data info NAME|FOLDER")


@app.command()
def info(
    path: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="A public data set, or labelled data of your own.")
    ],
    layout: Layout = "auto",
    resize_masks: Resize = False,
    tolerant: Tolerant = False,
    set_: Reading = None,
    json: Json = False,
) -> None:
    """Tell what a public data set is and how to get it; or how a folder is read: layout, splits, sizes, classes."""
    from intarsia.datasets.catalogue import entry
    from intarsia.datasets.checks.statistics import description
    from intarsia.datasets.layouts.clouds import CloudDataset
    from intarsia.datasets.public import ENTRIES

    if path in ENTRIES and not Path(path).exists():
        _describe(path, json)
        return
    if not Path(path).exists() and not any(mark in path for mark in "/\\."):
        entry(path)  # neither a folder nor a data set: the error suggests the closest name
    dataset = _open(path, layout, resize_masks, tolerant, set_)
    if isinstance(dataset, CloudDataset):
        _describe_clouds(dataset, path, json)
        return
    found = description(dataset)
    if json:
        emit(found)
        return
    typer.echo(f"{dataset.root}: {counted(len(dataset), 'labelled image')}, layout {dataset.layout}")
    for note in dataset.notes:
        typer.echo(f"  {note}")
    splits: dict[str, dict[str, Any]] = found["splits"]
    table(
        ("Split", "Images", "Sizes", "Not labelled %"),
        [
            (name, str(split["images"]), _sizes(split["sizes"]), f"{100 * split['ignored_share']:.1f}")
            for name, split in splits.items()
        ],
    )
    _show_classes(found)
    typer.echo(f"Next:  intarsia data check {path}")


def _describe_clouds(dataset: CloudDataset, path: str, json: bool) -> None:
    """Print how a folder of point clouds is read."""
    from intarsia.datasets.layouts.clouds import description

    found = description(dataset)
    if json:
        emit(found)
        return
    clouds = sum(len(split) for split in dataset.splits.values())
    typer.echo(f"{dataset.root}: {counted(clouds, 'labelled point cloud')}, layout {dataset.layout}")
    for note in dataset.notes:
        typer.echo(f"  {note}")
    rows = [
        (name, str(split["clouds"]), f"{split['points']:,}", f"{100 * split['ignored_share']:.1f}")
        for name, split in found["splits"].items()
    ]
    table(("Split", "Clouds", "Points", "Not labelled %"), rows)
    _show_classes(found)
    typer.echo(f"Next:  intarsia data check {path}")


def _show_classes(found: dict[str, Any]) -> None:
    """Print the share of every class in every split."""
    splits = found["splits"]
    shares = [[f"{100 * one['share']:.2f}" for one in split["classes"]] for split in splits.values()]
    table(
        ("Index", "Class", *(f"{name} %" for name in splits)),
        [
            (str(index), name, *(share[index] for share in shares))
            for index, name in enumerate(found["label_space"]["names"])
        ],
    )


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
def check(
    path: Data,
    layout: Layout = "auto",
    resize_masks: Resize = False,
    tolerant: Tolerant = False,
    set_: Reading = None,
    json: Json = False,
) -> None:
    """Look for everything that would spoil a training: damaged files, wrong masks, leakage, missing classes."""
    from intarsia.datasets.checks.cloudcheck import check_clouds
    from intarsia.datasets.checks.integrity import check as examine
    from intarsia.datasets.layouts.clouds import CloudDataset

    with progress_bar("checking") as progress:
        dataset = _open(path, layout, resize_masks, tolerant, set_)
        if isinstance(dataset, CloudDataset):
            report: Report = check_clouds(dataset, progress=progress)
        else:
            report = examine(dataset, progress=progress)
    if json:
        emit(report.to_json())
    else:
        typer.echo(report.to_text())
        if not report.errors:
            typer.echo(f"Next:  intarsia train {path}")
    if report.errors:
        raise typer.Exit(3)


@app.command()
def show(
    path: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="Picture to write (.jpg or .png).")] = Path("data.jpg"),
    split: Annotated[str, typer.Option(help="Split to show.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="How many samples, spread over the split.")] = 6,
    layout: Layout = "auto",
    resize_masks: Resize = False,
    tolerant: Tolerant = False,
    set_: Reading = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    json: Json = False,
) -> None:
    """Write one picture of photos with their masks laid over them, or of clouds from above, to see that they fit."""
    from intarsia.datasets.checks.preview import contact_sheet
    from intarsia.errors import UsageError
    from intarsia.media.images import write_image

    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; give another name (-o), or --overwrite")
    dataset = _open(path, layout, resize_masks, tolerant, set_)
    chosen = dataset.split(split)
    write_image(out, contact_sheet(chosen, count=count))
    if json:
        emit({"split": split, "samples": min(count, len(chosen)), "picture": str(out)})
    else:
        typer.echo(f"{min(count, len(chosen))} of {counted(len(chosen), 'sample')} of {split!r}: {out}")


def _open(
    path: str | Path, layout: str, resize_masks: bool, tolerant: bool, reading: list[str] | None
) -> Dataset | CloudDataset:
    from intarsia.datasets import open_dataset
    from intarsia.datasets.layouts.clouds import holds_clouds, open_clouds
    from intarsia.errors import UsageError, suggest
    from intarsia.recipe import read_assignments

    reader = read_assignments(reading or ())
    if "columns" in reader or holds_clouds(path):
        if resize_masks or tolerant:
            raise UsageError(f"--resize-masks and --tolerant are about masks, and {path} holds point clouds")
        for name in reader:
            if name not in _CLOUD_OPTIONS:
                raise UsageError(f"point clouds have no option {name!r}.{suggest(name, _CLOUD_OPTIONS)}")
        columns, label = (None if reader.get(name) is None else str(reader[name]) for name in _CLOUD_OPTIONS)
        return open_clouds(path, layout=layout, columns=columns, label=label)
    return open_dataset(path, layout=layout, resize_masks=resize_masks, tolerant=tolerant, reader=reader)


def _sizes(sizes: list[dict[str, int]]) -> str:
    shown = [f"{size['width']}x{size['height']}" for size in sizes[:3]]
    return ", ".join(shown) + (f" and {len(sizes) - 3} more" if len(sizes) > 3 else "")

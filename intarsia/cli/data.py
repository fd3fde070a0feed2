"""`intarsia data`: look at labelled data before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from intarsia.cli.output import Json, emit, progress_bar, table

app = typer.Typer(help="Check, describe and show labelled data.", no_args_is_help=True)
Data = Annotated[Path, typer.Argument(help="Folder of images and masks (or LabelMe annotations).")]
Layout = Annotated[str, typer.Option(help="Folder layout; `intarsia data list` names them.")]
Resize = Annotated[bool, typer.Option("--resize-masks", help="Stretch masks of another size to their picture.")]


@app.command("list")
def list_data(json: Json = False) -> None:
    """List the kinds of data sets that are read."""
    from intarsia.datasets.catalogue import CATALOGUE

    if json:
        emit([vars(entry) for entry in CATALOGUE])
        return
    table(("Data set", "Layout", "What it is", "Files"), [(e.name, e.layout, e.about, e.folders) for e in CATALOGUE])
    typer.echo("Next:  intarsia data info FOLDER")


@app.command()
def info(path: Data, layout: Layout = "auto", resize_masks: Resize = False, json: Json = False) -> None:
    """Show how a folder is read: layout, splits, picture sizes, classes and how often they occur."""
    from intarsia.datasets import open_dataset
    from intarsia.datasets.statistics import description

    dataset = open_dataset(path, layout=layout, resize_masks=resize_masks)
    found = description(dataset)
    if json:
        emit(found)
        return
    typer.echo(f"{dataset.root}: {len(dataset)} labelled images, layout {dataset.layout}")
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
    shares = [[f"{100 * entry['share']:.2f}" for entry in split["classes"]] for split in splits.values()]
    table(
        ("Index", "Class", *(f"{name} %" for name in splits)),
        [
            (str(index), name, *(share[index] for share in shares))
            for index, name in enumerate(found["label_space"]["names"])
        ],
    )
    typer.echo(f"Next:  intarsia data check {path}")


@app.command()
def check(path: Data, layout: Layout = "auto", resize_masks: Resize = False, json: Json = False) -> None:
    """Look for everything that would spoil a training: damaged files, wrong masks, leakage, missing classes."""
    from intarsia.datasets import open_dataset
    from intarsia.datasets.integrity import check as examine

    with progress_bar("checking") as progress:
        report = examine(open_dataset(path, layout=layout, resize_masks=resize_masks), progress=progress)
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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    json: Json = False,
) -> None:
    """Write one picture of photos with their masks laid over them, to see that they fit."""
    from intarsia.datasets import open_dataset
    from intarsia.datasets.preview import contact_sheet
    from intarsia.errors import UsageError
    from intarsia.media.images import write_image

    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; give another name (-o), or --overwrite")
    chosen = open_dataset(path, layout=layout, resize_masks=resize_masks).split(split)
    write_image(out, contact_sheet(chosen, count=count))
    if json:
        emit({"split": split, "samples": min(count, len(chosen)), "picture": str(out)})
    else:
        typer.echo(f"{min(count, len(chosen))} of {len(chosen)} samples of {split!r}: {out}")


def _sizes(sizes: list[dict[str, int]]) -> str:
    shown = [f"{size['width']}x{size['height']}" for size in sizes[:3]]
    return ", ".join(shown) + (f" and {len(sizes) - 3} more" if len(sizes) > 3 else "")

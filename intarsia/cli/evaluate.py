"""`intarsia evaluate`: measure a model on labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intarsia.cli.output import Decide, Json, Options, Refine, RefineOptions, emit, progress_bar, read_refine
from intarsia.cli.reading import reads_data
from intarsia.cli.scores import Out, Overwrite, show, takes_measures
from intarsia.errors import counted
from intarsia.evaluation.measures import Measures

_NONE = Measures()

if TYPE_CHECKING:
    from intarsia.recipe import ReadOptions


@reads_data
@takes_measures()
def evaluate(
    path: Annotated[Path, typer.Argument(metavar="DATA", help="Folder of labelled images, a manifest, a table, ...")],
    model: Annotated[str, typer.Option("-m", "--model", help="Bundled model, bundle file or run folder.")],
    options: ReadOptions,
    split: Annotated[str | None, typer.Option(help="Split to measure on; default: val, else test, else all.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Official evaluation of a public data set: pascal-voc, cityscapes, ade20k, ...")
    ] = None,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average with the mirrored picture: slower, often better.")
    ] = False,
    measures: Measures = _NONE,
    out: Out = None,
    overwrite: Overwrite = False,
    refine: Refine = None,
    refine_set: RefineOptions = None,
    decide: Decide = "argmax",
    set_: Options = None,
    json: Json = False,
) -> None:
    """Measure a model on labelled images: IoU, F1 and more per class."""
    import intarsia
    from intarsia.recipe import read_assignments

    predictor = intarsia.load(
        model, options=read_assignments(set_ or ()), tta=tta, refine=read_refine(refine, refine_set), decide=decide
    )
    with progress_bar("evaluating") as progress:
        found = intarsia.evaluate(
            predictor,
            path,
            options=options,
            split=split,
            protocol=protocol,
            measures=measures,
            out=out,
            overwrite=overwrite,
            progress=progress,
        )
    if json:
        emit(found.to_json())
        return
    typer.echo(f"{found.model} on {counted(len(found.images), found.medium)} of the split {found.split!r}")
    if found.split == "all":
        typer.echo(
            "The folder is not divided: if the model was trained on pictures of it, these scores flatter it, and "
            "--split val measures on those that the training held out."
        )
    if found.unmatched:
        typer.echo(
            f"The model does not know {', '.join(found.unmatched)}: pixels of the data that are so called are not "
            f"counted (--remap gives the data's classes the model's names)."
        )
    show(found)
    if out is not None:
        typer.echo(f"Report:  {out / 'evaluation.html'}")

"""`intarsia evaluate`: measure a model on labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, Options, emit, table


def evaluate(
    path: Annotated[Path, typer.Argument(metavar="DATA", help="Folder of labelled images.")],
    model: Annotated[str, typer.Option("-m", "--model", help="Bundled model, bundle file or run folder.")],
    split: Annotated[str | None, typer.Option(help="Split to measure on; default: val, else test, else all.")] = None,
    layout: Annotated[str, typer.Option(help="Folder layout; `intarsia data list` names them.")] = "auto",
    resize_masks: Annotated[
        bool, typer.Option("--resize-masks", help="Stretch masks of another size to their picture.")
    ] = False,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average with the mirrored picture: slower, often better.")
    ] = False,
    set_: Options = None,
    json: Json = False,
) -> None:
    """Measure a model on labelled images: IoU, F1 and more per class."""
    import intarsia
    from intarsia.recipe import read_assignments

    predictor = intarsia.load(model, options=read_assignments(set_ or ()), tta=tta)
    found = intarsia.evaluate(predictor, path, split=split, layout=layout, resize_masks=resize_masks)
    if json:
        emit(found.to_json())
        return
    scores = found.scores
    typer.echo(f"{found.model} on {len(found.images)} pictures of the split {found.split!r}")
    if found.split == "all":
        typer.echo(
            "The folder is not divided: if the model was trained on pictures of it, these scores flatter it, and "
            "--split val measures on those that the training held out."
        )
    columns = (scores.iou, scores.f1, scores.accuracy, scores.precision)
    rows = [
        (name, *(_number(float(values[index])) for values in columns), f"{100 * scores.frequency[index]:.2f}")
        for index, name in enumerate(found.space.names)
    ]
    table(("Class", "IoU", "F1", "Recall", "Precision", "Pixels %"), rows)
    typer.echo(
        f"mIoU {_number(scores.miou)}   pixel accuracy {_number(scores.pixel_accuracy)}   "
        f"mean accuracy {_number(scores.mean_accuracy)}   mean F1 {_number(scores.mean_f1)}   "
        f"frequency-weighted IoU {_number(scores.fwiou)}"
    )


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"

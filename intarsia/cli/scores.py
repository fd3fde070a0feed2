"""Scores on the terminal, for `intarsia evaluate` and `intarsia metrics`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from intarsia.cli.output import table
from intarsia.errors import UsageError

if TYPE_CHECKING:
    from intarsia.evaluation import Evaluation
    from intarsia.evaluation.protocols import ProtocolScores
    from intarsia.metrics.arrays import Floats

_WORST = 3

Boundary = Annotated[
    bool, typer.Option("--boundary", help="Also measure boundary IoU, boundary F1 and the scores near boundaries.")
]
Spacing = Annotated[
    str | None,
    typer.Option(
        metavar="ROW,COLUMN",
        help="mm (or the like) per pixel: also measure surface distances in it. Of volumes: file, for their own mm.",
    ),
]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", help="Folder for the report: HTML, JSON, CSV, confusion matrix picture.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier report.")]


def read_spacing(text: str | None) -> tuple[float, ...] | Literal["file"] | None:
    """The numbers of --spacing; one number stands for both axes, the word "file" for what each volume says.

    Raises:
        UsageError: the text is neither, or more than three numbers.
    """
    if text is None:
        return None
    if text == "file":
        return "file"
    try:
        steps = tuple(float(part) for part in text.split(","))
    except ValueError:
        steps = ()
    if len(steps) not in (1, 2, 3):
        raise UsageError(
            f"--spacing is one number, or two with a comma between (row,column), of volumes three "
            f"(slice,row,column) or the word file, not {text!r}"
        )
    return steps * 2 if len(steps) == 1 else steps


def show(found: Evaluation) -> None:
    """Print what was measured: a row a class, then the means, then the worst pictures."""
    import numpy as np

    scores = found.scores
    names = found.space.names
    shares = [f"{100 * share:.2f}" for share in scores.frequency]
    columns = {"IoU": scores.iou, "F1": scores.f1, "Recall": scores.accuracy, "Precision": scores.precision}
    if found.medium == "volume":
        columns |= {"Dice per case": np.array(found.dice_per_case)}
    rows = _rows(names, columns)
    table(("Class", *columns, "Pixels %"), [(*row, share) for row, share in zip(rows, shares, strict=True)])
    more: dict[str, Floats] = {}
    if found.boundary is not None:
        more |= {"Boundary IoU": found.boundary.iou.per_class, "Boundary F1": found.boundary.f1.per_class}
    if found.surface is not None:
        more |= {"HD": found.surface.hausdorff, "HD95": found.surface.hd95, "ASSD": found.surface.assd}
    if found.ranking is not None:
        more["AP"] = found.ranking.ap
    if more:
        table(("Class", *more), _rows(names, more))
    means = {
        "mIoU": scores.miou,
        "pixel accuracy": scores.pixel_accuracy,
        "mean accuracy": scores.mean_accuracy,
        "mean F1": scores.mean_f1,
        "frequency-weighted IoU": scores.fwiou,
    }
    if found.boundary is not None:
        means |= {"boundary IoU": found.boundary.iou.mean, "boundary F1": found.boundary.f1.mean}
    if found.surface is not None:
        means |= {"mean HD95": found.surface.mean_hd95, "mean ASSD": found.surface.mean_assd}
    if found.ranking is not None and found.reliability is not None:
        means |= {"mean AP": found.ranking.mean_ap, "calibration error": found.reliability.ece}
    typer.echo("   ".join(f"{name} {_number(value)}" for name, value in means.items()))
    if found.surface is not None and found.surface.misses.any():
        total = int(found.surface.misses.sum())
        typer.echo(f"Classes found in only one of truth and prediction: {total}; each counts the picture's diagonal.")
    if found.groups:
        groups = [(name or "(no folder)", matrix.compute()) for name, matrix in found.groups.items()]
        table(
            ("Folder", "mIoU", "Pixel accuracy"),
            [(name, _number(one.miou), _number(one.pixel_accuracy)) for name, one in groups],
        )
    if found.protocol is not None:
        _show_protocol(found.protocol)
    if len(found.images) > 1:
        worst = [f"{row.id} {_number(row.miou)}" for row in found.images if row.miou == row.miou][:_WORST]
        typer.echo(f"Lowest mIoU: {', '.join(worst)}")


def _show_protocol(found: ProtocolScores) -> None:
    """Print an official evaluation: its tables, then its headline numbers."""
    for one in found.tables:
        if one.title != "classes":  # their IoU is told above
            table((one.title.capitalize(), *one.columns), [(name, *map(_number, row)) for name, row in one.rows])
    typer.echo(f"Protocol {found.protocol}:  " + "   ".join(f"{name} {_number(v)}" for name, v in found.values.items()))
    for note in found.notes:
        typer.echo(f"  {note}")


def _rows(names: Sequence[str], columns: Mapping[str, Floats]) -> list[tuple[str, ...]]:
    return [(name, *(_number(float(values[index])) for values in columns.values())) for index, name in enumerate(names)]


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"

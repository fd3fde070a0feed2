"""Scores on the terminal, for `intarsia evaluate` and `intarsia metrics`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia.cli.flags import Command, give_flags
from intarsia.cli.output import table
from intarsia.evaluation.measures import Measures, Option, options

if TYPE_CHECKING:
    from intarsia.datasets.public.protocol import ProtocolScores
    from intarsia.evaluation import Evaluation
    from intarsia.evaluation.measures.contract import Need
    from intarsia.metrics.arrays import Floats

_WORST = 3

Out = Annotated[
    Path | None, typer.Option("-o", "--out", help="Folder for the report: HTML, JSON, CSV, confusion matrix picture.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier report.")]


def takes_measures(*, without: Collection[Need] = ()) -> Callable[[Command], Command]:
    """Decorate a command with a parameter `measures`: it gets a flag for every measure there is instead.

    Args:
        without: what the command's data lack; measures that need it get no flag.
    """
    known = {name: option for name, option in options().items() if not set(without) & set(option.needs)}
    flags = {name: _flag(name, option) for name, option in known.items()}

    def make(given: dict[str, Any]) -> Measures:
        return Measures(**{name: _value(known[name], value) for name, value in given.items()})

    return lambda command: give_flags(command, "measures", flags, make)


def _value(option: Option, given: Any) -> Any:
    """The field of `Measures` that a flag means."""
    return given if given is None or option.read is None else option.read(given)


def _flag(name: str, option: Option) -> tuple[Any, Any]:
    told = typer.Option(f"--{name.replace('_', '-')}", metavar=option.metavar or None, help=option.about)
    if option.read is None:
        return Annotated[bool, told], False
    return Annotated[str | None, told], None


def show(found: Evaluation) -> None:
    """Print what was measured: a row a class, then the means, then the worst pictures."""
    import numpy as np

    scores = found.scores
    names = found.space.names
    shares = [f"{100 * share:.2f}" for share in scores.frequency]
    columns = {
        "IoU": scores.iou,
        "F1": scores.f1,
        "Dice per case": np.array(found.dice_per_case),
        "Recall": scores.accuracy,
        "Precision": scores.precision,
    }
    rows = _rows(names, columns)
    table(("Class", *columns, "Pixels %"), [(*row, share) for row, share in zip(rows, shares, strict=True)])
    more = {column.short: column.values for one in found.measured for column in one.columns if column.short}
    if more:
        table(("Class", *more), _rows(names, more))
    means = {
        "mIoU": scores.miou,
        "pixel accuracy": scores.pixel_accuracy,
        "mean accuracy": scores.mean_accuracy,
        "mean F1": scores.mean_f1,
        "frequency-weighted IoU": scores.fwiou,
        "micro IoU": scores.micro_iou,
    }
    if len(found.images) > 1:
        means |= {
            f"mean of the {found.medium}s' mIoU": found.image_miou,
            "and of their micro IoU": found.image_micro_iou,
        }
    if scores.present_miou != scores.miou:
        means["mIoU of the classes in the truth"] = scores.present_miou
    for one in found.measured:
        means |= one.means
    typer.echo("   ".join(f"{name} {_number(value)}" for name, value in means.items()))
    if found.hint:
        typer.echo(f"hint: {found.hint}")
    for one in found.measured:
        for note in one.notes:
            typer.echo(note)
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

"""`intarsia metrics`: compare two folders of masks, from whichever tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit, progress_bar
from intarsia.cli.scores import Out, Overwrite, show, takes_measures
from intarsia.errors import UsageError, counted
from intarsia.evaluation.measures import Measures
from intarsia.evaluation.measures.contract import Need

Classes = Annotated[
    str | None,
    typer.Option(help="Class names in the order of the values (road,car), with them (0:road,7:car), or their file."),
]
Ignore = Annotated[
    list[int] | None, typer.Option(metavar="VALUE", help="Stored value that means not labelled; repeatable.")
]

_MOST_SHOWN = 5
_NONE = Measures()
_LACKING: tuple[Need, ...] = ("probabilities",)  # of masks
PARTLY = 1


@takes_measures(without=_LACKING)
def metrics(
    prediction: Annotated[
        Path,
        typer.Argument(
            metavar="PRED", help="Predicted mask or label volume, folder of them, or an annotation export (COCO)."
        ),
    ],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="True mask, folder of them, or an annotation export.")],
    classes: Classes = None,
    ignore: Ignore = None,
    measures: Measures = _NONE,
    out: Out = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Score masks or annotations against others, paired by file name. Exits with 1 when some could not be compared."""
    from intarsia.classlists import classes_said
    from intarsia.evaluation import score_masks

    if out is not None:
        from intarsia.reports import require_free

        require_free(out, overwrite=overwrite)
        if out.resolve() in (prediction.resolve(), truth.resolve()):
            raise UsageError(
                f"the output folder {out} is one that is compared, where a later run would take results for masks; "
                "name another one"
            )
    with progress_bar("comparing") as progress:
        named = None if classes is None else classes_said(classes)
        found = score_masks(prediction, truth, classes=named, ignore=ignore or (), measures=measures, progress=progress)
    if out is not None:
        from intarsia.reports import worst_masks, write_evaluation

        about = [("Truth", str(truth)), *(("Note", note) for note in found.folders.notes)]
        write_evaluation(out, found.evaluation, worst_masks(found), facts=about)
    if json:
        emit(found.to_json())
    else:
        thing = found.folders.thing
        typer.echo(f"{counted(len(found.evaluation.images), thing)} of {prediction} against {truth}")
        for note in found.folders.notes:
            typer.echo(f"  {note}")
        show(found.evaluation)
        if out is not None:
            typer.echo(f"Report:  {out / 'evaluation.html'}")
    for name, reason in found.failures.items():
        typer.echo(f"failed: {name}: {reason}", err=True)
    _name_leftovers("true masks have no prediction and were not compared", found.folders.missing)
    _name_leftovers("predictions have no true mask", found.folders.extra)
    if not found.complete:
        raise typer.Exit(PARTLY)


def _name_leftovers(what: str, paths: tuple[Path, ...]) -> None:
    if paths:
        shown = ", ".join(str(path) for path in paths[:_MOST_SHOWN])
        typer.echo(f"{len(paths)} {what}: {shown}{', ...' if len(paths) > _MOST_SHOWN else ''}", err=True)

"""`intarsia export`: a model's network as a file for other runtimes, measured before it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intarsia.cli.output import Json, emit
from intarsia.cli.reading import reads_data
from intarsia.cli.target import Overwrite

if TYPE_CHECKING:
    from intarsia.exporting import Export
    from intarsia.recipe import ReadOptions


@reads_data
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Bundled model, bundle file or run folder.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="FILE.onnx, or FILE.xml for OpenVINO (and FILE.bin).")
    ],
    options: ReadOptions,
    precision: Annotated[
        str, typer.Option(metavar="fp32|fp16|bf16|int8", help="fp16 stores half the bytes; bf16 and int8 are for .xml.")
    ] = "fp32",
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="int8: labelled data; train sets the ranges, val measures what they cost."),
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Labelled data to measure what the export costs.")
    ] = None,
    max_drop: Annotated[
        float, typer.Option(min=0, help="Points of mIoU that it may cost there; what costs more is not written.")
    ] = 0.3,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write a model's network for ONNX Runtime or OpenVINO, once it gives the same labels."""
    import intarsia

    made = intarsia.export(
        model,
        out,
        precision=precision,
        calibrate=calibrate,
        verify=verify,
        options=options,
        max_drop=max_drop,
        overwrite=overwrite,
        stage=lambda what: typer.echo(f"{what} ...", err=True),
    )
    if json:
        emit(made.to_json())
        return
    _show(made)


def _show(made: Export) -> None:
    told, record = made.exported, made.exported.record
    typer.echo(
        f"{told.precision}: {100 * told.agreement:.3f} % of the labels are those of the original network, logits "
        f"differ by up to {record['difference']:.2g} ({record['compared']} inputs)"
    )
    if "miou" in record.get("verification", {}):
        miou = record["verification"]["miou"]
        typer.echo(
            f"mIoU {miou['exported']:.2f}, of the original {miou['original']:.2f} "
            f"({record['verification']['items']} labelled items)"
        )
    for note in made.notes:
        typer.echo(note)
    typer.echo(f"Written to {made.file}")
    typer.echo(f"Next:  intarsia segment PHOTO -m {made.file}")

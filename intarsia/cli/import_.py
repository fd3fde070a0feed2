"""`intarsia import`: from another library's checkpoint to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit
from intarsia.cli.target import Overwrite, require_new
from intarsia.errors import counted


def import_(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="Checkpoint (.pth, .pt, .safetensors), or a save_pretrained folder.")
    ],
    source: Annotated[str, typer.Option("--from", metavar="torchvision|smp", help="The library that wrote it.")],
    model: Annotated[
        str | None, typer.Option(help="The library's name of the model; default: recognised, as fcn_resnet50 or Unet.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="smp: the encoder's name; needed for those of timm, as tu-resnet50.")
    ] = None,
    output_stride: Annotated[
        int | None, typer.Option(help="smp's DeepLabs: encoder_output_stride, if it was not the default.")
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(help="What stands before the names of the model's tensors, if the file holds several models."),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Names in the order of the outputs: a,b,c or a class file (.txt, .csv, .json).")
    ] = None,
    long_side: Annotated[
        int | None, typer.Option(min=1, help="Working size of the longer side in pixels; default: each picture's own.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Bundle to write; default: FILE's name here, as .safetensors.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Make a bundle of a checkpoint of torchvision or segmentation-models-pytorch, with identical logits."""
    from intarsia.classlists import classes_said
    from intarsia.errors import UsageError
    from intarsia.models import build
    from intarsia.models.cost import parameters
    from intarsia.models.importers import import_checkpoint
    from intarsia.models.shapes import shapes_only

    target = out or Path(path.resolve().name).with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise UsageError(f"{target}: a bundle's name ends in .safetensors")
    require_new(target, overwrite=overwrite)
    bundle = import_checkpoint(
        path,
        source,
        model=model,
        encoder=encoder,
        output_stride=output_stride,
        prefix=prefix,
        space=classes_said(classes).in_order_of_values() if classes else None,
        long_side=long_side,
    )
    bundle.save(target)
    with shapes_only():
        count = parameters(build(bundle.architecture, classes=len(bundle.space), **bundle.options))
    if json:
        emit(
            {
                "bundle": str(target),
                "architecture": bundle.architecture,
                "options": bundle.options,
                "classes": list(bundle.space.names),
                "parameters": count,
                "card": bundle.card,
            }
        )
        return
    typer.echo(bundle.card["origin"])
    options = ", ".join(f"{key}={value}" for key, value in bundle.options.items())
    typer.echo(f"  as {bundle.architecture}({options}), {count / 1e6:.1f} million parameters")
    typer.echo(f"  {counted(len(bundle.space), 'class', 'classes')}: {', '.join(bundle.space.names)}")
    for key in ("assumed", "left_out", "beside", "others"):
        if key in bundle.card:
            typer.echo(f"  {key.replace('_', ' ')}: {bundle.card[key]}")
    typer.echo(f"Written to {target}")
    typer.echo(f"Next:  intarsia segment PHOTO -m {target}")

"""`intarsia segment`: from pictures to masks and overlays."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intarsia import DEFAULT_CLOUD_MODEL, DEFAULT_MODEL
from intarsia.cli.clouds import segment_clouds
from intarsia.cli.output import (
    Json,
    Options,
    Refine,
    RefineOptions,
    emit,
    progress_bar,
    read_refine,
    seconds,
    table,
)

if TYPE_CHECKING:
    from intarsia.bundle import Bundle
    from intarsia.inference import FolderResult

_MOST_SHOWN = 10
PARTLY = 1


def segment(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Pictures or point clouds, folders or glob patterns.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help=f"Bundled model, bundle file or run folder; default: {DEFAULT_MODEL}, for point clouds "
            f"{DEFAULT_CLOUD_MODEL}.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for the results, or the file of one cloud (out.laz); default: here."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted job (finished pictures are always skipped).")
    ] = False,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over the mirrored picture: slower, often better.")
    ] = False,
    long_side: Annotated[
        int | None, typer.Option(min=0, help="Working size in pixels of the longer side; 0: each picture's own.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Clouds in plain tables: the columns, as in 'x y z _ intensity'."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Clouds: also views from the top and the side, and a page in 3D.")
    ] = False,
    tile: Annotated[int, typer.Option(min=64, help="Side in pixels of the tiles of large pictures.")] = 512,
    refine: Refine = None,
    refine_set: RefineOptions = None,
    set_: Options = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    json: Json = False,
) -> None:
    """Give every pixel its class: writes NAME.mask.png and NAME.overlay.jpg for each picture.

    Of a point cloud, every point gets its class: writes the cloud with its labels (-o scan-labelled.laz).
    """
    import intarsia
    from intarsia.errors import DataError, UsageError
    from intarsia.inference import find_images, plan_tasks, segment_folder
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.inference.clouds.folder import holds_only_clouds
    from intarsia.recipe import read_assignments

    points = holds_only_clouds(sources)
    name = model or (DEFAULT_CLOUD_MODEL if points else DEFAULT_MODEL)
    load = partial(
        intarsia.load, name, options=read_assignments(set_ or ()), tta=tta, tile=tile, long_side=long_side,
        refine=read_refine(refine, refine_set),
    )  # fmt: skip
    label_clouds = partial(
        segment_clouds, sources=sources, out=out, model=name, columns=columns, pictures=pictures,
        overwrite=overwrite, dry_run=dry_run, json=json,
    )  # fmt: skip
    if points or columns is not None:
        found = load()
        if not isinstance(found, CloudPredictor):
            raise UsageError(f"{name} labels pictures, and {sources[0]} is a point cloud; name a model of clouds (-m)")
        label_clouds(found)
        return
    if out is None and any(find_images(source) is not None for source in sources):
        raise UsageError("folders and patterns need a folder for the results: -o OUT")
    target = Path(".") if out is None else out
    if overwrite and resume:
        raise UsageError("--overwrite does everything again, --resume continues; choose one")
    if dry_run:
        planned = [
            {"source": str(task.source), "mask": str(target / task.mask), "overlay": str(target / task.overlay)}
            for task in plan_tasks(sources)
        ]
        if json:
            emit({"planned": planned})
        else:
            table(("Picture", "Mask", "Overlay"), [tuple(entry.values()) for entry in planned])
        return
    predictor = load()
    if isinstance(predictor, CloudPredictor):
        label_clouds(predictor)
        return
    with progress_bar("segmenting") as progress:
        result = segment_folder(
            predictor, sources, target, overwrite=overwrite, progress=lambda done, total, _: progress(done, total)
        )
    if json:
        emit({"out": str(target), "model": name, "records": result.records, "skipped": result.skipped})
    else:
        _show(result, predictor.bundle, name)
    if result.failures:
        every = len(result.failures) == len(result.records) and not result.skipped
        raise typer.Exit(DataError.exit_code if every else PARTLY)


def _show(result: FolderResult, bundle: Bundle, model: str) -> None:
    done = [record for record in result.records if record["status"] == "done"]
    for record in done[:_MOST_SHOWN]:
        areas = [f"{name} {100 * share:.1f} %" for name, share in record["areas"].items()]
        typer.echo(f"{record['source']}  ({record['size'][0]}x{record['size'][1]}, {seconds(record['seconds'])})")
        typer.echo(f"  {', '.join(areas)}")
        typer.echo(f"  {result.out / record['mask']}  {result.out / record['overlay']}")
    if len(done) > _MOST_SHOWN:
        typer.echo(f"... and {len(done) - _MOST_SHOWN} more; all of them in {result.out / 'manifest.jsonl'}")
    for source, reason in result.failures.items():
        typer.echo(f"failed: {source}: {reason}", err=True)
    counts = [f"{len(done)} done"]
    counts += [f"{len(result.skipped)} were done before"] if result.skipped else []
    counts += [f"{len(result.failures)} failed"] if result.failures else []
    terms = bundle.card.get("license") or bundle.card.get("terms") or "no terms stated"
    typer.echo(f"{', '.join(counts)}. Model {model} ({bundle.architecture}, {len(bundle.space)} classes): {terms}")
    if done:
        typer.echo("Next:  intarsia segment FOLDER/ -o out/   or   intarsia train YOUR-DATA/")

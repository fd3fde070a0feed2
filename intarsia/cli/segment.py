"""`intarsia segment`: from pictures to masks and overlays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia import DEFAULT_CLOUD_MODEL, DEFAULT_MODEL
from intarsia.cli.clouds import is_cloud_job, segment_clouds
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
from intarsia.cli.video import Fps, Keep, Limit, Video, VideoOptions, Write, is_video_job, segment_videos
from intarsia.errors import DataError, UsageError, counted

if TYPE_CHECKING:
    from intarsia.bundle import Bundle
    from intarsia.jobs import FolderResult

_MOST_SHOWN = 10
_TILE = 512
PARTLY = 1

_PICTURES, _VIDEO, _CLOUDS = "pictures", "video", "point clouds"
# What takes the options that are not for everything; rasters and volumes are pictures here.
_TAKEN_BY = {
    **dict.fromkeys(("--resume", "--tta", "--dry-run"), (_PICTURES, _CLOUDS)),
    "--long-side": (_PICTURES, _VIDEO),
    **dict.fromkeys(("--columns", "--category", "--pictures"), (_CLOUDS,)),
    **dict.fromkeys(("--tile", "--bands", "--window", "--polygons", "--confidence", "--series"), (_PICTURES,)),
    **dict.fromkeys(("--refine", "--refine-set", "--annotations"), (_PICTURES,)),
    **dict.fromkeys(("--video", "--video-set", "--write", "--keep", "--limit"), (_VIDEO,)),
}


def segment(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Pictures, videos, camera:0, GeoTIFFs, NIfTI files, DICOM folders, point clouds, folders or glob "
            "patterns.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help=f"Bundled model, bundle file or run folder; default: {DEFAULT_MODEL}, for point clouds "
            f"{DEFAULT_CLOUD_MODEL}. Or kmeans, which needs no training and no labels (--set clusters=6).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for the results (for single pictures default: here), or for one source the result's own name, "
            "ending in .png, .tif or .nii.gz, of a cloud in .laz, .las, .ply, ...",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted job (what is finished is always skipped).")
    ] = False,
    tta: Annotated[
        bool,
        typer.Option("--tta", help="Average over the mirrored picture, or the turned cloud: slower, often better."),
    ] = False,
    long_side: Annotated[
        int | None, typer.Option(min=0, help="Working size in pixels of the longer side; 0: each picture's own.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Clouds in plain tables: the columns, as in 'x y z _ intensity'."),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Clouds: what the object is (chair, mug, ...), for models of parts."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Clouds: also views from the top and the side, and a page in 3D.")
    ] = False,
    tile: Annotated[
        int | None, typer.Option(min=64, help=f"Side in pixels of the tiles of large pictures; default: {_TILE}.")
    ] = None,
    bands: Annotated[
        str | None, typer.Option(metavar="B,B,B", help="GeoTIFF: bands that the network sees, from 1.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="LOW,HIGH", help="GeoTIFF, volumes: values that become black and white.")
    ] = None,
    polygons: Annotated[
        bool, typer.Option("--polygons", help="GeoTIFF: also write the outlines as GeoJSON in map coordinates.")
    ] = False,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="GeoTIFF, with -o NAME.tif: also write NAME.confidence.tif (per cent).")
    ] = False,
    series: Annotated[
        str | None, typer.Option(metavar="UID", help="DICOM: the series to take, or the end of its UID.")
    ] = None,
    refine: Refine = None,
    refine_set: RefineOptions = None,
    set_: Options = None,
    annotations: Annotated[
        str | None,
        typer.Option(
            metavar="TOOL",
            help="Also write the outlines as an annotation tool's export, to correct them there: labelme, cvat, via, "
            "coco, labelbox, rectlabel or another of `intarsia annotations tools`.",
        ),
    ] = None,
    video: Video = None,
    video_set: VideoOptions = None,
    write: Write = None,
    keep: Keep = None,
    fps: Fps = None,
    limit: Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    json: Json = False,
) -> None:
    """Give every pixel its class: writes NAME.mask.png and NAME.overlay.jpg for each picture.

    The masks of GeoTIFFs are GeoTIFFs (.mask.tif), those of volumes are NIfTI files (.mask.nii.gz). Of videos,
    NAME.overlay.mp4 is written. Of a point cloud, every point gets its class: NAME.labels.laz is written.
    """
    import intarsia
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.inference.sources import find_images
    from intarsia.jobs import names_file, plan_tasks, segment_file, segment_folder
    from intarsia.jobs.preannotation import preannotation_path, write_preannotations
    from intarsia.media.rasters import check_bands
    from intarsia.media.video import is_video
    from intarsia.recipe import read_assignments

    given = {
        "--resume": resume, "--tta": tta, "--dry-run": dry_run, "--long-side": long_side, "--columns": columns,
        "--category": category, "--pictures": pictures, "--tile": tile, "--bands": bands, "--window": window,
        "--polygons": polygons, "--confidence": confidence, "--series": series, "--refine": refine,
        "--refine-set": refine_set, "--annotations": annotations, "--video": video, "--video-set": video_set,
        "--write": write, "--keep": keep, "--limit": limit,
    }  # fmt: skip
    if overwrite and resume:
        raise UsageError("--overwrite does everything again, --resume continues; choose one")
    clouds = is_cloud_job(sources, bool(columns or category or pictures))
    model = model or (DEFAULT_CLOUD_MODEL if clouds else DEFAULT_MODEL)
    changes, refinement = read_assignments(set_ or ()), read_refine(refine, refine_set)
    label_clouds = partial(
        segment_clouds, sources=sources, out=out, model=model, columns=columns, category=category,
        pictures=pictures, overwrite=overwrite, dry_run=dry_run, json=json,
    )  # fmt: skip
    if clouds:
        _check_options(given, _CLOUDS)
        label_clouds(intarsia.load(model, options=changes, tta=tta))
        return
    if is_video_job(sources, fps):
        _check_options(given, _VIDEO)
        if out is not None and is_video(out):
            raise UsageError(f"{out} is one file: name a folder, in which the results are called NAME.overlay.mp4, ...")
        on_video = intarsia.load(model, options=changes, long_side=long_side)
        raise typer.Exit(
            segment_videos(
                on_video, sources, out or Path("."), model=model, method=video, assignments=video_set or [],
                outputs=write or ["overlay"], keep=keep or [], fps=fps, limit=limit, overwrite=overwrite, json=json,
            )
        )  # fmt: skip
    _check_options(given, _PICTURES)
    single = out is not None and names_file(out)
    if single and (len(sources) > 1 or dry_run or annotations is not None):
        raise UsageError(f"{out} is one file: name a folder (-o OUT) for several sources, --annotations or --dry-run")
    if not single and (confidence or series is not None):
        raise UsageError("--confidence and --series are for one source and one output: -o NAME.tif or -o NAME.nii.gz")
    if out is None and any(find_images(source) is not None for source in sources):
        raise UsageError("folders and patterns need a folder for the results: -o OUT")
    target = Path(".") if out is None else out
    if annotations is not None:
        preannotation_path(target, annotations, overwrite=overwrite)  # refused before the work, not after it
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
    if intarsia.is_clustering(model):
        if bands is not None or window is not None:
            raise UsageError("--bands and --window are for trained models; kmeans clusters pictures")
        with progress_bar("clustering") as progress:
            predictor = intarsia.cluster(
                sources,
                changes.pop("clusters", 5),
                options=changes,
                tta=tta,
                tile=tile or _TILE,
                long_side=long_side,
                scores=confidence,
                refine=refinement,
                progress=lambda _, done, total: progress(done, total),
            )
    else:
        loaded = intarsia.load(
            model,
            options=changes,
            tta=tta,
            tile=tile or _TILE,
            long_side=long_side,
            bands=None if bands is None else check_bands(bands),
            window=None if window is None else read_pair(window),
            scores=confidence,
            refine=refinement,
        )
        if isinstance(loaded, CloudPredictor):
            _check_options(given, _CLOUDS)
            label_clouds(loaded)
            return
        predictor = loaded
    if single and out is not None:
        with progress_bar("segmenting") as bar:
            record = segment_file(
                predictor, sources[0], out, overwrite=overwrite, polygons=polygons, confidence=confidence,
                series=series, progress=bar,
            )  # fmt: skip
        if json:
            emit({"model": model, **record})
        else:
            show_record(record, record["files"])
        return
    with progress_bar("segmenting") as progress:
        result = segment_folder(
            predictor, sources, target, overwrite=overwrite, polygons=polygons,
            progress=lambda done, total, _: progress(done, total),
        )  # fmt: skip
    written = None
    if annotations is not None and (result.skipped or len(result.failures) < len(result.records)):
        space = predictor.bundle.space
        written = write_preannotations(target, sources, space, annotations, overwrite=overwrite)
    if json:
        outcome = {"out": str(target), "model": model, "records": result.records, "skipped": result.skipped}
        emit(outcome | ({"annotations": str(written.path), "lost": written.lost.to_json()} if written else {}))
    else:
        _show(result, predictor.bundle, model)
        if written is not None:
            typer.echo(f"{written.path}: outlines of {counted(written.images, 'picture')} for {annotations}")
            for line in written.lost.lines():
                typer.echo(f"  {line}")
    if result.failures:
        every = len(result.failures) == len(result.records) and not result.skipped
        raise typer.Exit(DataError.exit_code if every else PARTLY)


def _check_options(given: Mapping[str, object], medium: str) -> None:
    """Raise a UsageError if an option was given that is for another medium."""
    wrong = [
        f"{name} is for {' and '.join(_TAKEN_BY[name])}"
        for name, value in given.items()
        if value is not None and value is not False and medium not in _TAKEN_BY[name]
    ]
    if wrong:
        frames = "; a folder of frames becomes a video by --fps" if "video" in " ".join(wrong) else ""
        raise UsageError(f"{', '.join(wrong)}, not for {medium}{frames}")


def read_pair(text: str) -> tuple[float, float]:
    """The numbers of --window.

    Raises:
        UsageError: they are not two, the lower one first.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise UsageError(f"--window is two numbers with a comma between, the lower one first, not {text!r}")
    return low, high


def show_record(record: dict[str, Any], files: Sequence[object]) -> None:
    """Print what became of one source."""
    took = f", {seconds(record['seconds'])}" if "seconds" in record else ""
    typer.echo(f"{record['source']}  ({'x'.join(map(str, record['size']))}{took})")
    areas = [f"{name} {100 * share:.1f} %" for name, share in record["areas"].items()]
    typer.echo(f"  {', '.join(areas)}")
    if "millilitres" in record:
        typer.echo(f"  {', '.join(f'{name} {value:,.0f} ml' for name, value in record['millilitres'].items())}")
    if "polygons" in record:
        typer.echo(f"  {counted(record['polygons'], 'polygon')}")
    for note in record.get("notes", ()):
        typer.echo(f"  note: {note}")
    typer.echo("  " + "  ".join(map(str, files)))


def _show(result: FolderResult, bundle: Bundle, model: str) -> None:
    done = [record for record in result.records if record["status"] == "done"]
    for record in done[:_MOST_SHOWN]:
        show_record(record, [result.out / record["mask"], result.out / record["overlay"]])
    if len(done) > _MOST_SHOWN:
        typer.echo(f"... and {len(done) - _MOST_SHOWN} more; all of them in {result.out / 'manifest.jsonl'}")
    for source, reason in result.failures.items():
        typer.echo(f"failed: {source}: {reason}", err=True)
    counts = [f"{len(done)} done"]
    counts += [f"{len(result.skipped)} were done before"] if result.skipped else []
    counts += [f"{len(result.failures)} failed"] if result.failures else []
    terms = bundle.card.get("license") or bundle.card.get("terms") or "no terms stated"
    classes = counted(len(bundle.space), "class", "classes")
    typer.echo(f"{', '.join(counts)}. Model {model} ({bundle.architecture}, {classes}): {terms}")
    if done:
        typer.echo("Next:  intarsia segment FOLDER/ -o out/   or   intarsia train YOUR-DATA/")

"""`intarsia segment`: from sources of any medium to labels, drawings and records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia import DEFAULT_MODEL, DEFAULT_MODELS
from intarsia.cli.flags import give_flags
from intarsia.cli.output import Decide, Json, Options, Refine, RefineOptions, emit, progress_bar, read_refine
from intarsia.cli.planned import On, read_on, run_job
from intarsia.cli.preannotations import Exports, listed, read_exports
from intarsia.cli.records import hint_at_masks, show_job, show_plan
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both
from intarsia.cli.things import FLAGS, Things, read_things
from intarsia.errors import UsageError, counted

if TYPE_CHECKING:
    from intarsia.inference import Predictor
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.jobs import JobResult, Plan

PAGES = "handwriting"
"""The bundled model of scanned pages."""
_NONE = Things()
_GRIDS, _VIDEO, _CLOUDS = "GeoTIFFs and volumes", "Video", "Point clouds"


def segment(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Pictures, videos, camera:0, GeoTIFFs, NIfTI files, DICOM folders, point clouds, folders or glob "
            "patterns, prefixes in a store (s3://BUCKET/...); - for standard input.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help=f"Bundled model, bundle file or run folder; default: what a look at some pictures says (people, a "
            f"page, else {DEFAULT_MODEL}), for point clouds {DEFAULT_MODELS['cloud']}. Or kmeans, which needs no "
            "training and no labels (--set clusters=6).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for the results (for single sources default: here), or for one source the labels' own name, "
            "ending in .png, .tif or .nii.gz, of a cloud in .laz, .las, .ply, ..., of a video the overlay's in .mp4, "
            ".mov, .mkv or .webm; - for standard output. Only folders are continued.",
        ),
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="What is written; repeatable, or with commas. labels (PNG, GeoTIFF, NIfTI, lossless MKV, cloud), "
            "overlay, colors, outlines, alpha (the classes of --keep on a transparent ground), confidence, "
            "probabilities (of all classes: .npy, of maps GeoTIFF, of volumes NIfTI), polygons "
            "(GeoJSON) and geopackage (of maps), masks (of a video, a folder), top, side and page (of a cloud). "
            "Default: labels and overlay; of videos overlay, of clouds labels.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="A class of alpha, or of the polygons; repeatable."),
    ] = None,
    annotations: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOOL",
            help="Pictures: also write the labels as an annotation tool's export, to correct them there: one of "
            "`intarsia annotations tools`; repeatable.",
        ),
    ] = None,
    things: Things = _NONE,
    outline_tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="DISTANCE",
            help="How far outlines may be simplified; 0 keeps every corner. For --annotations in pixels (default 1; "
            "COCO's masks are exact), of a map's polygons in map units (default 0).",
        ),
    ] = None,
    outline_least_area: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="AREA",
            help="Smaller pieces are left out: for --annotations in pixels (default 16; COCO's masks have all), of a "
            "map's polygons in squared map units (default 0).",
        ),
    ] = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    tta: Annotated[
        bool,
        typer.Option("--tta", help="Average over the mirrored picture, or the turned cloud: slower, often better."),
    ] = False,
    long_side: Annotated[
        int | None, typer.Option(min=0, help="Working size in pixels of the longer side; 0: each picture's own.")
    ] = None,
    tile: Annotated[
        int | None, typer.Option(min=64, help="Side in pixels of the tiles of large pictures; default: 512.")
    ] = None,
    refine: Refine = None,
    refine_set: RefineOptions = None,
    decide: Decide = "argmax",
    set_: Options = None,
    runtime: Annotated[
        str,
        typer.Option(
            help="What computes: torch, onnx, openvino, or auto: an exported network with the same labels, else torch."
        ),
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(help="Arithmetic: fp32, bf16, or auto: bf16 where it is faster; a job keeps what it began with."),
    ] = "auto",
    bands: Annotated[
        str | None,
        typer.Option(metavar="B,B,B", rich_help_panel=_GRIDS, help="GeoTIFF: bands that the network sees, from 1."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="LOW,HIGH", rich_help_panel=_GRIDS, help="Stored values that become black and white."),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(metavar="UID", rich_help_panel=_GRIDS, help="DICOM: the series to take, or the end of its UID."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", rich_help_panel=_CLOUDS, help="Plain tables: the columns, as in 'x y z _ intensity'."
        ),
    ] = None,
    codes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=CODE",
            rich_help_panel=_CLOUDS,
            help="LAS: the code of a class, in place of the standard one (or 64, 65, ...); repeatable.",
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", rich_help_panel=_CLOUDS, help="What the object is (chair, mug, ...), for models of parts."
        ),
    ] = None,
    video: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            rich_help_panel=_VIDEO,
            help="How work is saved between frames: every-frame, flow (key frames moved along the motion), clockwork, "
            "flow-features; default: every frame, or what the model was made for.",
        ),
    ] = None,
    video_set: Annotated[
        list[str] | None,
        typer.Option(
            "--video-set",
            metavar="KEY=VALUE",
            rich_help_panel=_VIDEO,
            help="Change the schedule: every=3 (key frames), ratio=0.3 (share of key frames, those that changed most), "
            "threshold, max_gap, delay, stage, smooth=0.5 (less flicker); repeatable.",
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_VIDEO,
            help="Take a folder or pattern of pictures as a video of this many frames a second.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, rich_help_panel=_VIDEO, help="Stop after so many frames.")] = None,
    on: On = None,
    dry_run: JobDryRun = False,
    json: Json = False,
) -> None:
    """Give every pixel (voxel, point) its class: writes NAME.mask.png and NAME.overlay.jpg for each picture.

    The masks of GeoTIFFs are GeoTIFFs (.mask.tif), those of volumes are NIfTI files (.mask.nii.gz). Of videos,
    NAME.overlay.mp4 is written. Of a point cloud, every point gets its class: NAME.labels.laz is written.
    """
    import intarsia
    from intarsia.cli.pipes import piped
    from intarsia.jobs import JobOptions, forecast, plan
    from intarsia.jobs.outputs import OUTLINED
    from intarsia.jobs.said import read_codes
    from intarsia.jobs.schedule import read_schedule
    from intarsia.media.medium import check_options

    refuse_both(overwrite=overwrite, resume=resume)
    engine = read_on(on)
    asked = {
        "keep": keep, "annotations": annotations, "tta": tta, "long_side": long_side, "tile": tile,
        "refine": refine or refine_set, "decide": decide != "argmax", "bands": bands, "window": window,
        "series": series, "columns": columns, "codes": codes, "category": category, "video": video,
        "video_set": video_set, "fps": fps, "limit": limit, "instances": things.asked,
    }  # fmt: skip
    given = [name for name, value in asked.items() if value is not None and value is not False]
    write = listed(write)
    exports = read_exports(annotations, outline_tolerance, outline_least_area, polygons=bool(OUTLINED & set(write)))
    things.check(exports.tools)
    with piped(sources, out, write, as_json=json) as (sources, out):
        planned = plan(sources, out, outputs=things.outputs(write), given=given)
        for medium in planned.media():
            check_options(medium, given, spell=lambda name: f"--{name.replace('_', '-')}")
        if exports.tools and planned.store is not None:
            raise UsageError("--annotations are written into folders, not into stores")
        if exports.tools and not planned.keeps_manifest:
            raise UsageError(f"{out} is one file: name a folder (-o OUT) for --annotations")
        exports.check(planned.folder, overwrite=overwrite)
        schedule = read_schedule(video, video_set or ())
        options = JobOptions(
            keep=tuple(keep or ()), columns=columns, codes=read_codes(codes or ()), category=category, series=series,
            fps=fps, limit=limit, schedule=schedule, instances=things.options, **exports.of_maps(write),
        )  # fmt: skip
        named = model
        if named is None:
            from intarsia.apps.choosing import choose_model  # with the networks that look for people

            named, planned = choose_model(planned)
        settings = {
            "long_side": long_side, "bands": bands, "window": window, "tile": tile, "tta": tta, "runtime": runtime,
            "precision": precision, "confidence": "confidence" in write, "decide": decide,
            "refine": read_refine(refine, refine_set),
        }  # fmt: skip
        if dry_run and intarsia.is_clustering(named):  # which begins by reading all of them
            show_plan(planned, None, json=json)
            return
        predictor, make = _load(named, sources, set_ or [], settings, shared=engine is not None)
        if dry_run:
            show_plan(
                planned, forecast(predictor, planned, options, workers=1 if engine is None else engine.here), json=json
            )
            return
        result = run_job(predictor, planned, options, overwrite=overwrite, engine=engine, make=make)
        _finish(predictor, planned, result, named, exports, things, overwrite=overwrite, json=json)


segment = give_flags(segment, "things", FLAGS, read_things)


def _load(
    model: str, sources: list[str], assignments: list[str], settings: dict[str, Any], *, shared: bool
) -> tuple[Predictor | CloudPredictor, Callable[[], Predictor | CloudPredictor] | None]:
    """Load the model, and say how others do; or cluster the pictures, which nobody else can do again."""
    import intarsia
    from intarsia.jobs.said import read_window
    from intarsia.media.rasters import check_bands
    from intarsia.recipe import read_assignments

    changes = read_assignments(assignments)
    if intarsia.is_clustering(model):
        if shared:
            raise UsageError(
                "kmeans is fitted in this process, and other workers do not have it; fit it in a run (intarsia train "
                "PICTURES/ --recipe kmeans), and name its folder (-m)"
            )
        if settings["bands"] is not None or settings["window"] is not None:
            raise UsageError("--bands and --window are for trained models; kmeans clusters pictures")
        rest = {
            name: value for name, value in settings.items() if name not in ("bands", "window", "runtime", "precision")
        }
        with progress_bar("clustering") as progress:
            found = intarsia.cluster(
                sources, changes.pop("clusters", 5), options=changes, **rest,
                progress=lambda _, done, total: progress(done, total),
            )  # fmt: skip
        return found, None
    read = {
        "bands": None if settings["bands"] is None else check_bands(settings["bands"]),
        "window": None if settings["window"] is None else read_window(settings["window"]),
    }
    make = partial(intarsia.load, model, options=changes, **settings | read)
    return make(), make


def _finish(
    predictor: Any,
    plan: Plan,
    result: JobResult,
    model: str,
    exports: Exports,
    things: Things,
    *,
    overwrite: bool,
    json: bool,
) -> None:
    """Write the export that was asked for, tell what was done, and end with the job's exit code."""
    written = {}
    if not result.stopped and (result.skipped or result.done):
        written = exports.write(plan, predictor, of=things.of, overwrite=overwrite)
    if model != PAGES:  # which are two-coloured, too
        hint_at_masks(result)
    if not json:
        show_job(result, plan, predictor.bundle, model)
    elif not result.stopped:  # of which the command itself tells, in JSON too
        outcome: Mapping[str, Any] = {
            "out": str(plan.place), "model": model, "notes": list(plan.notes), **result.to_json(),
        }  # fmt: skip
        more = {
            tool: {"path": str(one.path), "lost": one.lost.to_json(), "pixels_changed": one.changed}
            for tool, one in written.items()
        }
        emit({**outcome, **({"annotations": more} if more else {})})
    for tool, one in {} if json else written.items():
        exactly = " (--outline-tolerance 0 --outline-least-area 0: none)" if one.changed else ""
        typer.echo(f"{one.path}: shapes of {counted(one.images, 'picture')} for {tool}; {one.form}{exactly}")
        for line in one.lost.lines():
            typer.echo(f"  {line}")
    if result.exit_code:
        raise typer.Exit(result.exit_code)

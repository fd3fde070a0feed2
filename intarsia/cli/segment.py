"""`intarsia segment`: from sources of any medium to labels, drawings and records."""

from __future__ import annotations

from intarsia.cli.flags import give_flags
from intarsia.cli.loading import load_or_cluster
from intarsia.cli.output import Decide, Json, Options, Refine, RefineOptions, read_refine
from intarsia.cli.planned import On, end_job, read_on, run_job
from intarsia.cli.preannotations import listed, read_exports
from intarsia.cli.records import hint_at_masks, show_plan
from intarsia.cli.segmentoptions import (
    Bands,
    Category,
    Codes,
    Columns,
    Fps,
    Keep,
    Limit,
    LongSide,
    Model,
    Out,
    OutlineLeastArea,
    OutlineTolerance,
    Precision,
    RuntimeName,
    Series,
    Sources,
    Tile,
    Tools,
    Tta,
    Video,
    VideoSet,
    Window,
    Write,
)
from intarsia.cli.target import JobDryRun, Overwrite, Resume, refuse_both
from intarsia.cli.things import FLAGS, Things, read_things
from intarsia.errors import UsageError

PAGES = "handwriting"
"""The bundled model of scanned pages."""
_NONE = Things()


def segment(
    sources: Sources,
    model: Model = None,
    out: Out = None,
    write: Write = None,
    keep: Keep = None,
    annotations: Tools = None,
    things: Things = _NONE,
    outline_tolerance: OutlineTolerance = None,
    outline_least_area: OutlineLeastArea = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    tta: Tta = False,
    long_side: LongSide = None,
    tile: Tile = None,
    refine: Refine = None,
    refine_set: RefineOptions = None,
    decide: Decide = "argmax",
    set_: Options = None,
    runtime: RuntimeName = "auto",
    precision: Precision = "auto",
    bands: Bands = None,
    window: Window = None,
    series: Series = None,
    columns: Columns = None,
    codes: Codes = None,
    category: Category = None,
    video: Video = None,
    video_set: VideoSet = None,
    fps: Fps = None,
    limit: Limit = None,
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
    with piped(sources, out, things.outputs(write), given=given, as_json=json) as (sources, out):
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
        predictor, make = load_or_cluster(named, sources, set_ or [], settings, shared=engine is not None)
        if dry_run:
            show_plan(
                planned, forecast(predictor, planned, options, workers=1 if engine is None else engine.here), json=json
            )
            return
        result = run_job(predictor, planned, options, overwrite=overwrite, engine=engine, make=make)
        written = exports.write(planned, result, predictor, of=things.of, overwrite=overwrite)
        if named != PAGES:  # which are two-coloured, too
            hint_at_masks(result)
        end_job(predictor, planned, result, named, written=written, json=json)


segment = give_flags(segment, "things", FLAGS, read_things)

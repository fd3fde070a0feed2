"""The options that `intarsia segment` alone has, with what their help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia import DEFAULT_MODEL, DEFAULT_MODELS

_GRIDS, _VIDEO, _CLOUDS = "GeoTIFFs and volumes", "Video", "Point clouds"

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Pictures, videos, camera:0, GeoTIFFs, NIfTI files, DICOM folders, point clouds, folders or glob "
        "patterns, prefixes in a store (s3://BUCKET/...); - for standard input.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        help=f"Bundled model, bundle file or run folder; default: what a look at some pictures says (people, a "
        f"page, else {DEFAULT_MODEL}), for point clouds {DEFAULT_MODELS['cloud']}. Or kmeans, which needs no "
        "training and no labels (--set clusters=6).",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        help="Folder for the results (for single sources default: here), or for one source the labels' own name, "
        "ending in .png, .tif or .nii.gz, of a cloud in .laz, .las, .ply, ..., of a video the overlay's in .mp4, "
        ".mov, .mkv or .webm; - for standard output. Only folders are continued.",
    ),
]
Write = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND",
        help="What is written; repeatable, or with commas. labels (PNG, GeoTIFF, NIfTI, lossless MKV, cloud), "
        "overlay, colors, outlines, alpha (the classes of --keep on a transparent ground), confidence, "
        "probabilities (of all classes: .npy, of maps GeoTIFF, of volumes NIfTI), polygons "
        "(GeoJSON) and geopackage (of maps), masks (of a video, a folder), top, side and page (of a cloud). "
        "Default: labels and overlay; of videos overlay, of clouds labels.",
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="CLASS", help="A class of alpha, or of the polygons; repeatable."),
]
Tools = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TOOL",
        help="Pictures: also write the labels as an annotation tool's export, to correct them there: one of "
        "`intarsia annotations tools`; repeatable.",
    ),
]
OutlineTolerance = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="DISTANCE",
        help="How far outlines may be simplified; 0 keeps every corner. For --annotations in pixels (default 1; "
        "COCO's masks are exact), of a map's polygons in map units (default 0).",
    ),
]
OutlineLeastArea = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="AREA",
        help="Smaller pieces are left out: for --annotations in pixels (default 16; COCO's masks have all), of a "
        "map's polygons in squared map units (default 0).",
    ),
]
Tta = Annotated[
    bool,
    typer.Option("--tta", help="Average over the mirrored picture, or the turned cloud: slower, often better."),
]
LongSide = Annotated[
    int | None, typer.Option(min=0, help="Working size in pixels of the longer side; 0: each picture's own.")
]
Tile = Annotated[int | None, typer.Option(min=64, help="Side in pixels of the tiles of large pictures; default: 512.")]
RuntimeName = Annotated[
    str,
    typer.Option(
        help="What computes: torch, onnx, openvino, or auto: an exported network with the same labels, else torch."
    ),
]
Precision = Annotated[
    str,
    typer.Option(help="Arithmetic: fp32, bf16, or auto: bf16 where it is faster; a job keeps what it began with."),
]
Bands = Annotated[
    str | None,
    typer.Option(metavar="B,B,B", rich_help_panel=_GRIDS, help="GeoTIFF: bands that the network sees, from 1."),
]
Window = Annotated[
    str | None,
    typer.Option(metavar="LOW,HIGH", rich_help_panel=_GRIDS, help="Stored values that become black and white."),
]
Series = Annotated[
    str | None,
    typer.Option(metavar="UID", rich_help_panel=_GRIDS, help="DICOM: the series to take, or the end of its UID."),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES", rich_help_panel=_CLOUDS, help="Plain tables: the columns, as in 'x y z _ intensity'."
    ),
]
Codes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS=CODE",
        rich_help_panel=_CLOUDS,
        help="LAS: the code of a class, in place of the standard one (or 64, 65, ...); repeatable.",
    ),
]
Category = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", rich_help_panel=_CLOUDS, help="What the object is (chair, mug, ...), for models of parts."
    ),
]
Video = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        rich_help_panel=_VIDEO,
        help="How work is saved between frames: every-frame, flow (key frames moved along the motion), clockwork, "
        "flow-features; default: every frame, or what the model was made for.",
    ),
]
VideoSet = Annotated[
    list[str] | None,
    typer.Option(
        "--video-set",
        metavar="KEY=VALUE",
        rich_help_panel=_VIDEO,
        help="Change the schedule: every=3 (key frames), ratio=0.3 (share of key frames, those that changed most), "
        "threshold, max_gap, delay, stage, smooth=0.5 (less flicker); repeatable.",
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=_VIDEO,
        help="Take a folder or pattern of pictures as a video of this many frames a second.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, rich_help_panel=_VIDEO, help="Stop after so many frames.")]

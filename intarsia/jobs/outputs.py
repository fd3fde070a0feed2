"""What is written for one source of a job: a mask in the source's own format, and an overlay to look at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError
from intarsia.inference.sources import open_source
from intarsia.inference.volumes import segment_volume
from intarsia.jobs.overlay import OverlayWriter
from intarsia.jobs.rasters import segment_raster
from intarsia.media.images import write_image
from intarsia.media.png import MaskWriter
from intarsia.media.rasters import RASTER_SUFFIXES, is_raster
from intarsia.media.source import Medium
from intarsia.media.volumes import VOLUME_SUFFIXES, is_volume

if TYPE_CHECKING:
    from intarsia.inference.pictures.predictor import Predictor

SUFFIXES: dict[Medium, str] = {"picture": ".mask.png", "raster": ".mask.tif", "volume": ".mask.nii.gz"}
"""How the names of masks end."""


def medium_of(path: Path) -> Medium:
    """What a file or folder holds."""
    if is_volume(path):
        return "volume"
    return "raster" if is_raster(path) else "picture"


@dataclass(frozen=True)
class Target:
    """Where the results of one source go.

    Attributes:
        medium: what the source is.
        mask: the labels.
        overlay: the labels over the picture; of a volume, of one slice.
        polygons: of a raster, the outlines on the map; None writes none.
        confidence: of a raster, the winner's probability; None writes none.
        series: of a DICOM folder with several series, the one to take.
    """

    medium: Medium
    mask: Path
    overlay: Path | None = None
    polygons: Path | None = None
    confidence: Path | None = None
    series: str | None = None


def write_outputs(
    predictor: Predictor,
    source: Path,
    target: Target,
    *,
    opacity: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Segment one source and write all of its results, or none of them.

    Returns:
        Plain JSON: size ([width, height], or the three sides of a volume's grid), areas (share of pixels by class),
        seconds, and, where there are some, notes, polygons (how many) and millilitres (by class).

    Raises:
        DataError: the source cannot be read, is nothing that the model is for, or a file cannot be written.
    """
    write = {"picture": _write_picture, "raster": _write_raster, "volume": _write_volume}[target.medium]
    paths = (target.mask, target.overlay, target.polygons, target.confidence)
    fresh = [path for path in paths if path is not None and not path.exists()]
    start = time.perf_counter()
    try:
        found = write(predictor, source, target, opacity, progress)
    except BaseException:
        for path in fresh:
            path.unlink(missing_ok=True)
        raise
    return found | {"seconds": round(time.perf_counter() - start, 3)}


def names_file(out: Path) -> bool:
    """Whether an output is one mask file, by its suffix, rather than a folder."""
    return not out.is_dir() and out.name.lower().endswith((".png", *RASTER_SUFFIXES, *VOLUME_SUFFIXES))


def segment_file(
    predictor: Predictor,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    polygons: bool = False,
    confidence: bool = False,
    series: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Segment one source into one file, whose suffix says how the labels are stored.

    Args:
        predictor: the model.
        source: a picture, a GeoTIFF, a NIfTI file, or the folder of a DICOM series.
        out: target ending in .png (pictures), .tif (rasters) or .nii.gz (volumes).
        overwrite: replace what is there.
        polygons: of a raster, also write the outlines on the map beside `out`, as .geojson.
        confidence: of a raster, also write the winner's probability beside `out`, as .confidence.tif.
        series: of a DICOM folder with several series, the end of the UID of the one to take.
        progress: called with the rows or slices done and all of them.

    Returns:
        As `write_outputs`, and what was written.

    Raises:
        UsageError: a suffix that does not suit the source, or files that exist already.
        DataError: see `write_outputs`.
    """
    path, target = Path(source), Path(out)
    found = medium_of(path)
    name = target.name.lower()
    medium: Medium = "volume" if name.endswith(VOLUME_SUFFIXES) else "picture" if name.endswith(".png") else "raster"
    if (medium == "volume") != (found == "volume"):
        fitting = "a volume is written as .nii.gz" if found == "volume" else "pictures are written as .png or .tif"
        raise UsageError(f"cannot write the labels of {path} to {target}: {fitting}")
    if medium != "raster" and (polygons or confidence):
        raise UsageError("polygons and a confidence map are written of GeoTIFFs; end the output's name in .tif")
    if path.suffix.lower() not in RASTER_SUFFIXES and medium == "raster":
        raise UsageError(f"cannot write the labels of {path} as GeoTIFF: it is none itself; end the name in .png")
    goal = Target(
        medium,
        target,
        polygons=target.with_suffix(".geojson") if polygons else None,
        confidence=target.with_suffix(".confidence.tif") if confidence else None,
        series=series,
    )
    written = [one for one in (goal.mask, goal.polygons, goal.confidence) if one is not None]
    existing = [one for one in written if one.exists()]
    if existing and not overwrite:
        raise UsageError(f"{existing[0]} exists already; overwrite it (--overwrite), or choose another name")
    record = write_outputs(predictor, path, goal, progress=progress)
    return {"source": str(path), **record, "files": [str(one) for one in written]}


_Progress = Callable[[int, int], None] | None


def _write_picture(
    predictor: Predictor, source: Path, target: Target, opacity: float, progress: _Progress
) -> dict[str, Any]:
    reader = open_source(source, predictor.preprocessing)
    space = predictor.space
    counts: NDArray[np.int64] = np.zeros(space.ignore_index + 1, dtype=np.int64)
    overlay = None if target.overlay is None else OverlayWriter(reader.width, reader.height, space, opacity)
    with MaskWriter(target.mask, reader.width, reader.height, space) as mask:
        for band in predictor.bands(reader):
            mask.write(band.labels)
            if overlay is not None:
                overlay.add(band.image, band.labels)
            counts += np.bincount(band.labels.ravel(), minlength=len(counts))
    if overlay is not None and target.overlay is not None:
        overlay.save(target.overlay)
    pixels = reader.width * reader.height
    shares = {name: int(counts[index]) / pixels for index, name in enumerate(space.names) if counts[index]}
    areas = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return {"size": [reader.width, reader.height], "areas": areas}


def _write_raster(
    predictor: Predictor, source: Path, target: Target, opacity: float, progress: _Progress
) -> dict[str, Any]:
    result = segment_raster(
        predictor, source, target.mask,
        polygons=target.polygons, confidence=target.confidence, overlay=target.overlay, progress=progress,
    )  # fmt: skip
    found: dict[str, Any] = {"size": list(result.size), "areas": result.areas}
    found |= {"notes": list(result.notes)} if result.notes else {}
    return found | ({} if result.polygons is None else {"polygons": result.polygons})


def _write_volume(
    predictor: Predictor, source: Path, target: Target, opacity: float, progress: _Progress
) -> dict[str, Any]:
    result = segment_volume(predictor, source, series=target.series, progress=progress)
    result.save(target.mask)
    if target.overlay is not None:
        write_image(target.overlay, result.overlay(opacity))
    found: dict[str, Any] = {"size": list(result.grid.shape), "areas": result.areas()}
    found["millilitres"] = {name: round(value, 3) for name, value in result.millilitres().items() if value}
    return found | ({"notes": list(result.volume.notes)} if result.volume.notes else {})

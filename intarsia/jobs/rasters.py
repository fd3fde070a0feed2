"""Rasters: segmented in rows of tiles straight into a GeoTIFF, so that memory does not grow with the map."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.inference.sources import open_source
from intarsia.jobs.overlay import OverlayWriter
from intarsia.media.geotiff import GeoTiffWriter, write_outlines
from intarsia.media.rasters import RasterReader

if TYPE_CHECKING:
    from intarsia.inference.pictures.predictor import Predictor

_UNKNOWN = 255  # of confidences in per cent


@dataclass(frozen=True)
class RasterResult:
    """What was written for one raster.

    Attributes:
        size: (width, height).
        areas: share of all pixels of each class that occurs, largest first.
        polygons: how many were written; None if none were asked for.
        notes: what was decided, in sentences.
    """

    size: tuple[int, int]
    areas: dict[str, float]
    polygons: int | None
    notes: tuple[str, ...]


def segment_raster(
    predictor: Predictor,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    polygons: str | os.PathLike[str] | None = None,
    confidence: str | os.PathLike[str] | None = None,
    overlay: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RasterResult:
    """Segment a GeoTIFF of any size into a GeoTIFF of labels on the same grid.

    Pixels without data become unlabelled: the label space's ignore index, which is the file's nodata value.

    Args:
        predictor: a model for pictures or rasters.
        source: the raster.
        out: target ending in .tif: tiled, compressed, with the classes' colours and names.
        polygons: also write the outlines of all regions here, as GeoJSON in map coordinates.
        confidence: also write the winner's softmax probability in per cent here, as GeoTIFF. The predictor must have
            been made with ``scores=True``.
        overlay: also write a picture of labels over raster here, reduced to 4096 pixels.
        progress: called after each band of rows with the number of rows done and of all.

    Raises:
        UsageError: a wrong suffix, `source` and `out` are the same file, or a confidence without scores.
        DataError: the raster cannot be read, has not the bands that the model needs, or has no georeference although
            polygons are wanted; or a file cannot be written.
    """
    reader = open_source(source, predictor.preprocessing, raster=True)
    if not isinstance(reader, RasterReader):
        raise UsageError(f"{source} is no GeoTIFF")
    _check(reader, Path(source), Path(out), polygons is not None)
    if confidence is not None and not predictor.scores:
        raise UsageError("a confidence map needs a predictor with scores=True")
    space, counts = predictor.space, np.zeros(predictor.space.ignore_index + 1, dtype=np.int64)
    picture = None if overlay is None else OverlayWriter(reader.width, reader.height, space, 0.5)
    with ExitStack() as stack:
        writer = GeoTiffWriter(out, reader.frame, dtype=space.dtype, nodata=space.ignore_index, space=space)
        labels_file = stack.enter_context(writer)
        scores_file = None
        if confidence is not None:
            map_writer = GeoTiffWriter(confidence, reader.frame, dtype=np.dtype(np.uint8), nodata=_UNKNOWN)
            scores_file = stack.enter_context(map_writer)
        for band in predictor.bands(reader):
            rows, labels = len(band.labels), band.labels
            holes = reader.holes(band.top, 0, rows, reader.width)
            if holes is not None:
                labels = np.where(holes, labels.dtype.type(space.ignore_index), labels)
            labels_file.write(labels)
            if scores_file is not None and band.scores is not None:
                scores_file.write(_percent(band.scores, holes))
            if picture is not None:
                picture.add(band.image, labels)
            counts += np.bincount(labels.ravel(), minlength=len(counts))
            if progress is not None:
                progress(band.top + rows, reader.height)
    if picture is not None and overlay is not None:
        picture.save(overlay)
    written = None if polygons is None else write_outlines(polygons, out, space)
    pixels = reader.width * reader.height
    shares = {name: int(counts[index]) / pixels for index, name in enumerate(space.names) if counts[index]}
    areas = dict(sorted(shares.items(), key=lambda item: -item[1]))
    notes, side = reader.notes, predictor.preprocessing.long_side
    if side is not None and side < max(reader.width, reader.height):
        notes += (
            f"the model sees the map reduced to {side} pixels, as it was trained; --long-side 0 keeps its own size.",
        )
    return RasterResult((reader.width, reader.height), areas, written, notes)


def _check(reader: RasterReader, source: Path, out: Path, polygons: bool) -> None:
    if out.exists() and out.resolve() == source.resolve():
        raise UsageError(f"the labels of {source} would be written over it; choose another name")
    if polygons and not reader.frame.known:
        raise DataError(
            f"{source} has no georeference, so its regions have no map coordinates; georeference it first "
            "(gdal_translate -a_srs ... -a_ullr ...), or do without polygons"
        )


def _percent(scores: NDArray[np.float16], holes: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    percent = np.rint(scores.astype(np.float32) * 100).astype(np.uint8)
    return percent if holes is None else np.where(holes, np.uint8(_UNKNOWN), percent)

"""Whether two rasters lie in the same place, and reading one on the other's grid."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, require
from intarsia.media.maskfile import hidden_in
from intarsia.media.rasters import IDENTITY, GeoFrame, are_rasters, opened_raster

BY_PIXELS = "if they fit pixel by pixel, take the mask's georeference away (gdal_edit.py -unsetgt MASK)"

_NODES = 64
_FAR = 1e9
NEAR = 0.5
"""Pixels by which two rasters of one place may differ: rounded coordinates differ by less."""

Place = tuple[int, int, int, int]
"""(top, left, height, width)."""


def apart(frame: GeoFrame, other: GeoFrame) -> float | None:
    """Measure how far the corners of another raster lie from those of the first, in pixels of the first.

    Corners are compared one by one, so that rasters stored from south to north, turned or mirrored are apart too.

    Args:
        frame: the first.
        other: the other; of another size, the same place at another resolution is 0 apart.

    Returns:
        None where one of them does not say by a transform where it lies.
    """
    if IDENTITY in (frame.transform, other.transform):
        return None
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], dtype=np.float64)
    columns, rows = _moved(frame, other, *(corners * (other.width, other.height)).T)
    distances = np.stack([columns, rows], axis=1) - corners * (frame.width, frame.height)
    far = float(np.hypot(*distances.T).max())
    return far if np.isfinite(far) else float("inf")


def misfit(frame: GeoFrame, other: GeoFrame) -> str:
    """Say in words that a mask lies elsewhere than its image; "" if it does not, or does not say where.

    Args:
        frame: the image's.
        other: the mask's.

    Raises:
        DataError: the mask covers nothing of the image.
    """
    far = apart(frame, other)
    if far is None or far <= NEAR:
        return ""
    said = "in another place" if not np.isfinite(far) else f"up to {far * _pixel(frame):,.4g} map units"
    turned = " (stored from south to north)" if _is_flipped(frame) != _is_flipped(other) else ""
    said = f"by its georeference it lies {said} ({far:,.4g} pixels) from its image{turned}"
    if not _covers(frame, other):
        raise DataError(f"{said}, and covers nothing of it; {BY_PIXELS}")
    return said


def _covers(frame: GeoFrame, other: GeoFrame) -> bool:
    """Tell whether another raster lies on the first one at all, both having a transform."""
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], dtype=np.float64) * (other.width, other.height)
    columns, rows = _moved(frame, other, *corners.T)
    return bool(
        columns.max() > NEAR
        and rows.max() > NEAR
        and columns.min() < frame.width - NEAR
        and rows.min() < frame.height - NEAR
    )


def _pixel(frame: GeoFrame) -> float:
    """The side of a pixel in map units."""
    a, b, _, d, e, _ = frame.transform
    return float(np.sqrt(abs(a * e - b * d)))


def _is_flipped(frame: GeoFrame) -> bool:
    a, b, _, d, e, _ = frame.transform
    return a * e - b * d > 0


def on_grid(file: Any, frame: GeoFrame, place: Place) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read an opened raster (rasterio's dataset) on the grid of another one, each pixel from the nearest.

    Returns:
        Values (bands, h, w) of a part of the other raster, and where there are any (h, w).
    """
    columns, rows = _sampled(GeoFrame.of(file), frame, place)
    covered = (columns >= 0) & (columns < file.width) & (rows >= 0) & (rows < file.height)
    values = np.zeros((file.count, *covered.shape), dtype=file.dtypes[0])
    if covered.any():
        left, top = int(columns[covered].min()), int(rows[covered].min())
        width, height = int(columns[covered].max()) + 1 - left, int(rows[covered].max()) + 1 - top
        window = require("rasterio.windows", "geo").Window(left, top, width, height)
        stored, hidden = file.read(window=window), hidden_in(file, window)
        values[:, covered] = stored[:, rows[covered] - top, columns[covered] - left]
        if hidden is not None:
            covered[covered] = ~hidden[rows[covered] - top, columns[covered] - left]
    return values, covered


def _sampled(own: GeoFrame, frame: GeoFrame, place: Place) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The column and row (h, w) of `own` in which the middles of the pixels of `frame` lie; -1 far outside."""
    top, left, height, width = place
    if own.crs and frame.crs and own.crs != frame.crs:
        # Between systems, exact at nodes that lie this close and linear between them: far better than a pixel.
        nodes = [np.unique(np.append(np.arange(0, length, _NODES), length)) for length in (height, width)]
    else:
        nodes = [np.array([0, length]) for length in (height, width)]
    x, y = np.meshgrid(left + nodes[1], top + nodes[0])
    places = _moved(own, frame, x.ravel().astype(np.float64), y.ravel().astype(np.float64))
    middles = np.arange(height) + 0.5, np.arange(width) + 0.5
    found = []
    for values in places:
        across = np.array([np.interp(middles[1], nodes[1], line) for line in values.reshape(x.shape)])
        down = np.array([np.interp(middles[0], nodes[0], line) for line in across.T]).T
        inside = np.isfinite(down) & (np.abs(down) < _FAR)
        found.append(np.where(inside, np.floor(np.where(inside, down, -1)), -1).astype(np.int64))
    return found[0], found[1]


def _moved(own: GeoFrame, frame: GeoFrame, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[Any, Any]:
    """Places in pixels of `frame` as places in pixels of `own`."""
    affine = require("rasterio", "geo").Affine
    x, y = affine(*frame.transform) @ (columns, rows)
    if own.crs and frame.crs and own.crs != frame.crs:
        x, y = (
            np.array(one)
            for one in require("rasterio.warp", "geo").transform(frame.crs, own.crs, x.tolist(), y.tolist())
        )
    moved: tuple[Any, Any] = ~affine(*own.transform) @ (x, y)
    return moved


def misplaced(pairs: Iterable[tuple[object, object]]) -> tuple[list[str], list[str]]:
    """Find TIFF masks that lie elsewhere than what they belong to; those that cover nothing of it apart, in words."""
    elsewhere, beside = [], []
    for image, mask in pairs:
        if not are_rasters(image, mask):
            continue
        with opened_raster(Path(str(image))) as first, opened_raster(Path(str(mask))) as second:
            frames = GeoFrame.of(first), GeoFrame.of(second)
        try:
            elsewhere += [f"{mask}: {said}" for said in (misfit(*frames),) if said]
        except DataError as error:
            beside.append(f"{mask}: {error}")
    return elsewhere, beside

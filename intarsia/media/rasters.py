"""Rasters (GeoTIFF, JPEG 2000) of any number of bands and any size, read by window through rasterio (GDAL)."""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, IntarsiaError, UsageError, require
from intarsia.files import is_text, require_room
from intarsia.media.pixels import RGB
from intarsia.media.shades import is_inverted, shades_of
from intarsia.media.source import Pixels, as_rgb

TIFF_SUFFIXES = (".tif", ".tiff")
RASTER_SUFFIXES = (*TIFF_SUFFIXES, ".jp2")

MAX_SIDE = 400_000
"""Rasters with longer sides are refused, because some rows of tiles have to fit into memory."""

CACHE_MB = 64  # of GDAL's decoded blocks, by default a share of the machine's memory
_COLOURS = ("red", "green", "blue")
# Only these: other formats of GDAL can name further files and servers.
_DRIVERS = {b"II*\0": "GTiff", b"MM\0*": "GTiff", b"II+\0": "GTiff", b"MM\0+": "GTiff", b"\0\0\0\f": "JP2OpenJPEG"}
_KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_PERCENTILES = (0.5, 99.5)
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_SAMPLES = 16  # windows from which a raster's value range is found

Windows = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class GeoFrame:
    """Where a raster lies on the map.

    Attributes:
        width: columns.
        height: rows.
        transform: (a, b, c, d, e, f) of x = a column + b row + c, y = d column + e row + f, from pixel corners to map
            coordinates.
        crs: the coordinate reference system as WKT, of the ground control points where there are any; "" when there is
            none.
        gcps: ground control points (rasterio's), of scenes that have no transform.
        rpcs: rational polynomial coefficients (rasterio's) of a scene; None when there are none.
    """

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]
    crs: str
    gcps: tuple[Any, ...] = ()
    rpcs: Any = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def straight(self) -> bool:
        """Tell whether map coordinates follow from columns and rows by the transform."""
        return self.transform != IDENTITY or (bool(self.crs) and not self.gcps)

    @property
    def known(self) -> bool:
        """Tell whether the raster says where it lies."""
        return self.straight or bool(self.gcps) or self.rpcs is not None

    @classmethod
    def of(cls, file: Any) -> GeoFrame:
        """The frame of an opened raster (rasterio's dataset)."""
        a, b, c, d, e, f = (float(value) for value in tuple(file.transform)[:6])
        points, system = file.gcps
        crs = file.crs or (system if points else None)
        return cls(
            int(file.width), int(file.height), (a, b, c, d, e, f), crs.to_wkt() if crs else "", tuple(points), file.rpcs
        )


class RasterReader:
    """One opened raster, a source of pixels for prediction like `ImageReader`. Made by `open_raster`.

    Attributes:
        name: path of the file, for messages.
        width: columns.
        height: rows.
        frame: where it lies on the map.
        bands_used: the bands, from 1, that are its channels.
        stored_bytes: of one stored value of those bands, at most.
        block_bytes: of one block of the file, decoded.
        notes: what was decided about the file, in sentences.
        medium: "raster".
    """

    medium: Pixels = "raster"

    def __init__(self, path: Path, bands: Sequence[int] | None, windows: Windows | None) -> None:
        self.name = str(path)
        self._path = path
        with self.opened() as file:
            self.frame = GeoFrame.of(file)
            self.width, self.height = self.frame.width, self.frame.height
            kinds, colours = list(file.dtypes), [colour.name for colour in file.colorinterp]
            blocks = [height * width for height, width in file.block_shapes]
            self._inverted = is_inverted(file)
            self._has_holes = any("all_valid" not in {flag.name for flag in flags} for flags in file.mask_flag_enums)
        if max(self.width, self.height) > MAX_SIDE:
            raise DataError(
                f"refused {path}: {self.width}x{self.height} pixels, the longest side may have {MAX_SIDE:,}"
            )
        self.bands_used = _choose_bands(self.name, bands, colours)
        with self.opened() as file:
            self._shades = shades_of(file, self.bands_used[0]) if bands is None and windows is None else None
        odd = [kinds[band - 1] for band in self.bands_used if kinds[band - 1] not in _KINDS]
        if odd:
            raise DataError(f"cannot use {path}: its values are {odd[0]}; save it with integers or floats")
        if windows is None and self._shades is None and any(kinds[band - 1] != "uint8" for band in self.bands_used):
            kind = kinds[self.bands_used[0] - 1]
            raise DataError(
                f"cannot use {path}: its values are {kind}, and nothing says which of them are "
                "black and white; name the range (--window 0,3000; recipe: input.window)"
            )
        sizes = {band: np.dtype(kinds[band - 1]).itemsize for band in self.bands_used}
        self.stored_bytes = max(sizes.values())
        self.block_bytes = sum(blocks[band - 1] * size for band, size in sizes.items())
        self._has_floats = any(kinds[band - 1].startswith("float") for band in self.bands_used)
        self._windows = windows
        self.notes: tuple[str, ...] = ()
        if not self.frame.known:
            self.notes = (f"{path} has no georeference: results are in pixels, not in map coordinates.",)
        elif not self.frame.straight:
            kept = "ground control points" if self.frame.gcps else "rational polynomial coefficients (RPC)"
            self.notes = (f"{path} lies on the map by {kept}, which the results keep; gdalwarp makes a straight map.",)

    @property
    def has_gaps(self) -> bool:
        """Whether it may lack data somewhere; see `holes`."""
        return self._has_holes or self._has_floats

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """The file as rasterio's dataset, with GDAL's cache bounded and its errors as ours."""
        with opened_raster(self._path) as file:
            yield file

    def read(self) -> NDArray[np.uint8]:
        """The whole raster, (height, width, C) uint8."""
        return self.window(0, 0, self.height, self.width)

    def window(self, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        """A part of it, (height, width, C) uint8; only the blocks that it touches are decoded.

        Raises:
            DataError: the file is truncated or corrupt.
        """
        with self.opened() as file:
            return self._samples(file, (top, left, height, width))

    def bands(self, edges: Iterable[tuple[int, int]]) -> Iterator[NDArray[np.uint8]]:
        """Windows of rows (top, bottom), (bottom - top, width, C) uint8."""
        with self.opened() as file:
            for top, bottom in edges:
                yield self._samples(file, (top, 0, bottom - top, self.width))

    def thumbnail(self, width: int, height: int) -> NDArray[np.uint8]:
        """The whole raster at another size, averaged."""
        enums = require("rasterio.enums", "geo")
        with self.opened() as file:
            shape = (len(self.bands_used), height, width)
            # Numbers of shades have no average.
            how = enums.Resampling.average if self._shades is None else enums.Resampling.nearest
            values = file.read(list(self.bands_used), out_shape=shape, resampling=how)
            return self._stretched(values)

    def holes(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_] | None:
        """Find where a part of it has no data, (height, width); None if nowhere.

        A pixel has none where no band that is used has any: each holds the nodata value or no number (NaN), or the mask
        or alpha band says so. The nodata value in some of the bands only is a value like others, as for GDAL's mask of
        the dataset.
        """
        if not self.has_gaps:
            return None
        empty = np.ones((height, width), dtype=np.bool_)
        with self.opened() as file:
            window = require("rasterio.windows", "geo").Window(left, top, width, height)
            for band in dict.fromkeys(self.bands_used):
                lacking = file.read_masks(band, window=window) == 0
                if self._has_floats:
                    lacking |= ~np.isfinite(file.read(band, window=window))
                empty &= lacking
        return empty if empty.any() else None

    def ranges(self) -> tuple[tuple[float, float], ...]:
        """The percentiles 0.5 and 99.5 of each band used, of windows spread over the raster."""
        side = 256
        places = np.random.default_rng(0).random((_SAMPLES, 2))
        parts = []
        with self.opened() as file:
            for down, across in places:
                top, left = int(down * max(1, self.height - side)), int(across * max(1, self.width - side))
                window = require("rasterio.windows", "geo").Window(
                    left, top, min(side, self.width), min(side, self.height)
                )
                values = file.read(list(self.bands_used), window=window, masked=True)
                parts.append(np.ma.filled(values.astype(np.float32), np.nan).reshape(len(self.bands_used), -1))
        found = []
        for band in np.concatenate(parts, axis=1):
            known = band[np.isfinite(band)]
            low, high = np.percentile(known, _PERCENTILES).tolist() if known.size else (0.0, 1.0)
            found.append((low, high if high > low else low + 1.0))
        return tuple(found)

    def picture(self, samples: NDArray[np.uint8]) -> RGB:
        """Channels (h, W, C) as a picture to look at."""
        return as_rgb(samples, self.medium)

    def _samples(self, file: Any, part: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        top, left, height, width = part
        window = require("rasterio.windows", "geo").Window(left, top, width, height)
        return self._stretched(file.read(list(self.bands_used), window=window))

    def _stretched(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """(C, h, w) stored values -> (h, w, C) uint8."""
        if self._shades is not None and self._shades.ndim == 2:
            return np.ascontiguousarray(self._shades[values[0]])
        if self._windows is None:
            stored = values if self._shades is None else self._shades[values]
            return np.ascontiguousarray(stored.transpose(1, 2, 0))
        samples = np.empty((*values.shape[1:], len(values)), dtype=np.uint8)
        windows = list(self._windows) * (len(values) if len(self._windows) == 1 else 1)
        for channel, (low, high) in enumerate(windows):
            plane = (values[channel].astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
            samples[..., channel] = np.rint(np.clip(np.nan_to_num(plane, nan=0.0), 0, 255))
        return 255 - samples if self._inverted else samples


def open_raster(
    path: str | os.PathLike[str], *, bands: Sequence[int] | None = None, windows: Windows | None = None
) -> RasterReader:
    """Open a GeoTIFF or JPEG 2000 by its header.

    Args:
        path: the file.
        bands: the bands (from 1) that become channels; None takes red, green and blue, or a single band three times.
        windows: (low, high) stored values that become 0 and 255, once or for each band; None takes 8-bit values.

    Raises:
        DataError: missing, damaged, no raster, too large, or without the bands or values that are needed.
        UsageError: rasterio is not installed.
    """
    return RasterReader(Path(path), bands, windows)


def are_rasters(*files: object) -> bool:
    """Whether all of them are files of rasters."""
    return all(isinstance(one, Path) and is_raster(one) for one in files)


def is_raster(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a map rather than a photo: georeferenced, or with bands that are no colours.

    Ground control points and RPCs are a georeference, too. More than four bands are no colours, nor are those that the
    file calls neither a colour nor transparency: of a photo they would be left out. Without rasterio nothing is a map.
    """
    file = Path(path)
    if file.suffix.lower() not in RASTER_SUFFIXES or importlib.util.find_spec("rasterio") is None:
        return False
    if not is_text(file):  # opening it says so; to take a map for a photo would lose where it lies
        return True
    try:
        with opened_raster(file) as raster:
            colours = is_inverted(raster) or all(band.name != "undefined" for band in raster.colorinterp)
            return GeoFrame.of(raster).known or raster.count > 4 or not colours
    except DataError:
        return False


@contextmanager
def opened_raster(path: Path, mode: str = "r", **profile: Any) -> Iterator[Any]:
    """A raster as rasterio's dataset, to be written a TIFF; what goes wrong in the block becomes a `DataError`."""
    rasterio = require("rasterio", "geo")
    driver = _driver_of(path) if mode == "r" else "GTiff"
    if not is_text(path):
        raise DataError(f"cannot open {path}: GDAL takes no names that are no text (UTF-8); rename it")
    options = {"GDAL_CACHEMAX": CACHE_MB, "GDAL_NUM_THREADS": "1"}
    try:
        with rasterio.Env(**options), warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(path, mode, driver=driver, **profile) as file:
                yield file
    except IntarsiaError:
        raise
    except (rasterio.errors.RasterioError, rasterio._err.CPLE_BaseError) as error:
        reason = " ".join(str(error.__cause__ or error).split()).strip(". ")
        if mode == "w":
            require_room(path)
            raise DataError(f"cannot write {path}: {reason}") from error
        raise DataError(f"cannot read {path}: the file is truncated or corrupt ({reason}); copy it again") from error


def _driver_of(path: Path) -> str:
    """GDAL's name for the format of a file, by its first bytes."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except FileNotFoundError:
        raise DataError(f"cannot read {path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"cannot read {path}: it is a folder, not a raster") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if magic not in _DRIVERS:
        raise DataError(f"cannot read {path}: it is neither TIFF nor JPEG 2000; convert it (gdal_translate IN OUT.tif)")
    return _DRIVERS[magic]


def _choose_bands(name: str, bands: Sequence[int] | None, colours: list[str]) -> tuple[int, ...]:
    count = len(colours)
    if bands is not None:
        if max(bands) > count:
            raise DataError(
                f"cannot use {name}: it has {count} band{'s' if count > 1 else ''}, and band {max(bands)} is wanted "
                f"(bands {', '.join(map(str, bands))}); use the kind of raster that the model was trained on"
            )
        return tuple(bands)
    if all(colour in colours for colour in _COLOURS):
        return tuple(colours.index(colour) + 1 for colour in _COLOURS)
    kept = [index + 1 for index, colour in enumerate(colours) if colour != "alpha"]
    if len(kept) == 1:
        return (kept[0],) * 3
    if len(kept) == 3:
        return tuple(kept)
    raise DataError(
        f"cannot use {name}: it has {count} bands, and none of them is said to be red, green or blue; choose three "
        "(--bands 4,3,2; recipe: input.bands)"
    )


def grid_windows(height: int, width: int, side: int) -> list[tuple[int, int, int, int]]:
    """(top, left, height, width) of windows that cover a raster once, at most `side` large and about equal."""
    rows, columns = (
        np.linspace(0, length, math.ceil(length / side) + 1).round().astype(int).tolist() for length in (height, width)
    )
    return [
        (top, left, bottom - top, right - left)
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]


def check_bands(text: str) -> list[int]:
    """Band numbers as a user writes them, "4,3,2".

    Raises:
        UsageError: they are no numbers from 1.
    """
    try:
        bands = [int(part) for part in text.split(",")]
    except ValueError:
        bands = []
    if not bands or min(bands) < 1:
        raise UsageError(f"bands are numbers from 1 with commas between, for instance 4,3,2, not {text!r}")
    return bands

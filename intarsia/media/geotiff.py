"""Labels on the map: GeoTIFF written row by row."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, require
from intarsia.files import atomic_path, require_room
from intarsia.labels import LabelSpace
from intarsia.media.rasters import TIFF_SUFFIXES, GeoFrame, opened_raster

_BLOCK = 256


class GeoTiffWriter:
    """Write a tiled, compressed GeoTIFF, some rows after the other, whole or not at all.

    Args:
        path: target ending in .tif or .tiff.
        frame: size and place on the map.
        dtype: of the values.
        nodata: the value of pixels without one.
        space: of labels, the classes: their colours become the colour table (8 bit), their names the tags
            ``CLASS_0=...``; None for other values.
        bands: names of its bands; None: there is one, without a name.

    Raises:
        UsageError: another suffix, or rasterio is not installed.
        DataError: too few or too many rows, or the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frame: GeoFrame,
        *,
        dtype: np.dtype[Any],
        nodata: float,
        space: LabelSpace | None = None,
        bands: Sequence[str] | None = None,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in TIFF_SUFFIXES:
            raise UsageError(f"cannot write {self.path} as GeoTIFF: end its name in .tif")
        self.frame, self._dtype, self._nodata, self._space = frame, dtype, nodata, space
        self._bands = bands
        self._waiting: NDArray[Any] = np.empty((*(() if bands is None else (len(bands),)), 0, frame.width), dtype)
        self._rows = self._sum = 0
        self._stack = ExitStack()
        self._file: Any

    def __enter__(self) -> GeoTiffWriter:
        frame = self.frame
        profile = {
            "width": frame.width, "height": frame.height, "count": len(self._bands or ("",)),
            "dtype": str(self._dtype), "nodata": self._nodata, "tiled": True,
            "blockxsize": _BLOCK, "blockysize": _BLOCK, "compress": "deflate", "BIGTIFF": "IF_SAFER",
        }  # fmt: skip
        if self._bands is not None:
            profile["interleave"] = "band"
        if frame.straight:
            profile["transform"] = require("rasterio", "geo").Affine(*frame.transform)
        if frame.crs and not frame.gcps:
            profile["crs"] = frame.crs
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            stack.enter_context(self._read_back(temporary))
            self._file = stack.enter_context(opened_raster(temporary, "w", **profile))
            if frame.gcps:
                system = require("rasterio.crs", "geo").CRS
                self._file.gcps = list(frame.gcps), system.from_wkt(frame.crs) if frame.crs else system()
            if frame.rpcs is not None:
                self._file.rpcs = frame.rpcs
            for number, name in enumerate(self._bands or (), start=1):
                self._file.set_band_description(number, name)
            if self._space is not None:
                self._file.update_tags(**{f"CLASS_{index}": name for index, name in enumerate(self._space.names)})
                if self._dtype == np.uint8:
                    colors = self._space.colors().tolist()
                    table = {index: (*color, 255) for index, color in enumerate(colors[: len(self._space)])}
                    self._file.write_colormap(1, {**table, int(self._nodata): (0, 0, 0, 0)})
            self._stack = stack.pop_all()
        return self

    def write(self, rows: NDArray[Any]) -> None:
        """Append rows (h, width), of several bands (bands, h, width), below those written so far."""
        waiting = np.concatenate([self._waiting, rows], axis=-2) if self._waiting.size else rows
        height = waiting.shape[-2]
        if self._rows + height > self.frame.height:
            raise DataError(f"too many rows for {self.path} of height {self.frame.height}")
        # Whole blocks at a time: a block that is written in parts would be compressed anew each time.
        ready = height // _BLOCK * _BLOCK
        for top in range(0, ready, _BLOCK):
            self._put(waiting[..., top : top + _BLOCK, :])
        self._waiting = waiting[..., ready:, :].copy()

    def _put(self, rows: NDArray[Any]) -> None:
        height = rows.shape[-2]
        if height:
            values = np.ascontiguousarray(rows, self._dtype)
            self._file.write(values, self._numbers, window=self._window(self._rows, height))
            self._rows += height
            self._sum = zlib.crc32(values.data, self._sum)

    @property
    def _numbers(self) -> int | list[int]:
        """What rasterio calls the bands."""
        return 1 if self._bands is None else list(range(1, len(self._bands) + 1))

    def _window(self, top: int, height: int) -> Any:
        return require("rasterio.windows", "geo").Window(0, top, self.frame.width, height)

    @contextmanager
    def _read_back(self, temporary: Path) -> Iterator[None]:
        """Compare what arrived with what was written: GDAL keeps it to itself when the last of it found no room."""
        yield
        found = 0
        with suppress(DataError), opened_raster(temporary) as file:
            for top in range(0, self.frame.height, _BLOCK):
                window = self._window(top, min(_BLOCK, self.frame.height - top))
                found = zlib.crc32(np.ascontiguousarray(file.read(self._numbers, window=window)).data, found)
        if found != self._sum:
            require_room(temporary)
            raise DataError(f"cannot write {self.path}: it does not hold what was written; is the disk sound?")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._put(self._waiting)
            if self._rows != self.frame.height:
                raise DataError(f"too few rows for {self.path}: {self._rows} of {self.frame.height}")

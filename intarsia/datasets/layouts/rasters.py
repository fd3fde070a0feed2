"""Labelled rasters as data sets: trained in windows that are read straight from the files, evaluated whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.datasets.coding import RawMask
from intarsia.datasets.pictures import PictureSplit, painted_mask, plain_mask
from intarsia.datasets.sizes import mismatch
from intarsia.datasets.splits import Item, Size
from intarsia.errors import DataError, UsageError, require
from intarsia.labels import LabelArray
from intarsia.media.maskfile import raster_mask
from intarsia.media.rasters import RASTER_SUFFIXES, RasterReader, grid_windows, is_raster, open_raster, opened_raster
from intarsia.media.source import Pixels
from intarsia.preprocessing import CloudPreprocessing, Preprocessing

_SIDE = 1024
"""Training and validation see rasters in windows of at most this side."""

_LOOKED_AT = 3  # rasters that decide for a split

Place = tuple[int, int, int, int]
"""(top, left, height, width)."""


@dataclass(frozen=True)
class Raster:
    """A whole GeoTIFF, shown by its first three bands (or its only one) in their own ranges of values.

    Attributes:
        path: the file.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def load(self) -> Image.Image:
        """The raster as an 8-bit RGB picture; 8-bit values are shown as they are."""
        with opened_raster(self.path) as file:
            count, plain = file.count, set(file.dtypes) == {"uint8"}
        bands = None if plain and count <= 4 else (1, 2, 3) if count >= 3 else (1, 1, 1)
        windows = None if plain else open_raster(self.path, bands=bands, windows=((0, 1),)).ranges()
        return Image.fromarray(open_raster(self.path, bands=bands, windows=windows).read())


@dataclass(frozen=True)
class WindowItem(Item):
    """A part of a labelled raster.

    Attributes:
        window: the part.
    """

    window: Place = (0, 0, 0, 0)


@dataclass(frozen=True)
class RasterSplit(PictureSplit):
    """A split of rasters, which are read by window, with any bands. Pixels without data are not labelled.

    Args:
        preprocessing: the model's, once there is one: bands and value ranges.
    """

    preprocessing: Preprocessing | None = None

    medium: ClassVar[Pixels] = "raster"
    plural: ClassVar[str] = "rasters"
    options: ClassVar[frozenset[str]] = frozenset({"tolerant", "reader"})
    in_parts: ClassVar[bool] = True

    def for_input(self, preprocessing: Preprocessing | CloudPreprocessing) -> RasterSplit:
        """The split with the bands that a model wants."""
        preprocessing = self.seen(preprocessing)
        if preprocessing.slices is not None:
            raise UsageError(f"the data in {self.root} are rasters, and the model is for volumes")
        return replace(self, preprocessing=preprocessing)

    def for_training(self, preprocessing: Preprocessing | CloudPreprocessing, *, foreground: float) -> RasterSplit:
        """Windows that cover the rasters once, as items of their own.

        Raises:
            UsageError: the model resizes its input.
        """
        if self.seen(preprocessing).long_side is not None:
            raise UsageError("input.long_side: rasters are trained at their own resolution; set it to null")
        bound = self.for_input(preprocessing)
        items: list[Item] = []
        for item in self.items:
            reader = bound.open(item)
            for window in grid_windows(reader.height, reader.width, _SIDE):
                name = f"{item.id}/{window[0]}-{window[1]}"
                items.append(WindowItem(name, item.input, item.target, item.instances, window=window))
        return replace(bound, items=tuple(items))

    def open(self, item: Item) -> RasterReader:
        """An item's raster, by its header."""
        chosen = self.preprocessing or Preprocessing()
        return open_raster(_file(item), bands=chosen.bands, windows=chosen.windows)

    def read(self, index: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """Samples (H, W, C) and target (H, W) of an item: a whole raster, or the window that it stands for.

        Raises:
            DataError: a file is damaged, the sizes differ, or the mask holds values outside the label space.
        """
        if self.preprocessing is None:
            return super().read(index)
        item = self.items[index]
        reader = self.open(item)
        return self._part(item, reader, _window(item) or (0, 0, reader.height, reader.width))

    def draw(self, index: int, reach: Size, seed: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """A random part of the raster of the size of `reach`, whose middle lies in the item's window."""
        item = self.items[index]
        reader = self.open(item)
        random = np.random.default_rng(seed)
        window = _window(item) or (0, 0, reader.height, reader.width)
        place = []
        for axis, length in enumerate((reader.height, reader.width)):
            size = min(reach[axis], length)
            middle = window[axis] + random.random() * window[axis + 2]
            place.append((int(np.clip(middle - size / 2, 0, length - size)), size))
        (top, height), (left, width) = place
        return self._part(item, reader, (top, left, height, width))

    def stored(self, item: Item, size: Size | None = None) -> RawMask:
        """The stored mask of an item, of its window if it stands for one."""
        window = _window(item)
        return super().stored(item, size) if window is None else self._stored(item, None, window)

    def channels(self) -> tuple[tuple[int, ...], tuple[tuple[float, float], ...]] | None:
        """All bands of the rasters and the range of values of each; None where they are 8-bit colours."""
        paths = [_file(item) for item in self.items[:: max(1, len(self) // _LOOKED_AT)]]
        with opened_raster(paths[0]) as file:
            colours = [colour.name for colour in file.colorinterp]
            bands = tuple(index + 1 for index, colour in enumerate(colours) if colour != "alpha")
            if set(file.dtypes) == {"uint8"} and len(bands) in (1, 3):
                return None
        found = [open_raster(path, bands=bands, windows=((0, 1),)).ranges() for path in paths]
        return bands, tuple(
            (min(low for low, _ in every), max(high for _, high in every)) for every in zip(*found, strict=True)
        )

    def prepare(self) -> bool:
        """Nothing to do: every window is read where it is needed."""
        return True

    def _part(self, item: Item, reader: RasterReader, place: Place) -> tuple[NDArray[np.uint8], LabelArray]:
        target = self.decode(item, self._stored(item, (reader.height, reader.width), place), place[2:])
        holes = reader.holes(*place)
        if holes is not None:
            target = np.where(holes, target.dtype.type(self.space.ignore_index), target)
        return reader.window(*place), target

    def _stored(self, item: Item, size: Size | None, place: Place) -> RawMask:
        """A window of the stored mask; without decoding the rest of it, where it is a TIFF."""
        mask = item.target
        plain = self.reader in (plain_mask, painted_mask)
        if plain and isinstance(mask, Path) and mask.suffix.lower() in RASTER_SUFFIXES:
            return _read_window(mask, size, place, colors=self.reader is painted_mask)
        top, left, height, width = place
        every = self.reader(item, size)
        if size is not None and every.shape[:2] != size:
            raise DataError(f"{mask}: {mismatch((every.shape[0], every.shape[1]), size)}")
        part: RawMask = every[top : top + height, left : left + width]
        return part


def _file(item: Item) -> Path:
    if not isinstance(item.input, Raster):
        raise DataError(f"{item.input}: is no raster")
    return item.input.path


def _window(item: Item) -> Place | None:
    return item.window if isinstance(item, WindowItem) else None


def _read_window(mask: Path, size: Size | None, place: Place, *, colors: bool) -> RawMask:
    """A window of a mask file: (h, w) values (of a palette too, unless by `colors`), or (h, w, 3) colours."""
    top, left, height, width = place
    with opened_raster(mask) as file:
        if size is not None and (file.height, file.width) != size:
            raise DataError(f"{mask}: {mismatch((file.height, file.width), size)}")
        window = require("rasterio.windows", "geo").Window(left, top, width, height)
        return raster_mask(file, str(mask), window).shown(colors=colors)


def by_window(split: PictureSplit) -> PictureSplit:
    """The split, as a `RasterSplit` where its images are GeoTIFFs (and rasterio is there to read them)."""
    some = [item.input for item in split.items[:: max(1, len(split) // _LOOKED_AT)]]
    if not some or not all(isinstance(image, Path) and is_raster(image) for image in some):
        return split
    items = tuple(
        replace(item, input=Raster(item.input)) if isinstance(item.input, Path) else item for item in split.items
    )
    return RasterSplit(**{**vars(split), "items": items})

"""Labelled rasters as data sets: trained in windows that are read straight from the files, evaluated whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Preprocessing
from intarsia.datasets.coding import RawMask
from intarsia.datasets.splits import Item, Size, Split, mismatch, plain_mask
from intarsia.errors import DataError, UsageError, require
from intarsia.labels import LabelArray
from intarsia.media.rasters import RASTER_SUFFIXES, RasterReader, grid_windows, is_raster, open_raster, opened_raster
from intarsia.media.source import Medium

_SIDE = 1024
"""Training and validation see rasters in windows of at most this side."""

_LOOKED_AT = 3  # rasters that decide for a split

Place = tuple[int, int, int, int]
"""(top, left, height, width)."""


@dataclass(frozen=True)
class WindowItem(Item):
    """A part of a labelled raster.

    Attributes:
        window: the part.
    """

    window: Place = (0, 0, 0, 0)


@dataclass(frozen=True)
class RasterSplit(Split):
    """A split of rasters, which are read by window, with any bands. Pixels without data are not labelled.

    Args:
        preprocessing: the model's, once there is one: bands and value ranges.
    """

    preprocessing: Preprocessing | None = None

    medium: ClassVar[Medium] = "raster"

    def for_input(self, preprocessing: Preprocessing) -> RasterSplit:
        """The split with the bands that a model wants."""
        if preprocessing.slices is not None:
            raise UsageError(f"the data in {self.root} are rasters, and the model is for volumes")
        return replace(self, preprocessing=preprocessing)

    def for_training(self, preprocessing: Preprocessing, *, foreground: float) -> RasterSplit:
        """Windows that cover the rasters once, as items of their own.

        Raises:
            UsageError: the model resizes its input.
        """
        if preprocessing.long_side is not None:
            raise UsageError("input.long_side: rasters are trained at their own resolution; set it to null")
        bound = self.for_input(preprocessing)
        items: list[Item] = []
        for item in self.items:
            reader = bound.open(item)
            for window in grid_windows(reader.height, reader.width, _SIDE):
                name = f"{item.id}/{window[0]}-{window[1]}"
                items.append(WindowItem(name, item.image, item.mask, item.instances, window=window))
        return replace(bound, items=tuple(items))

    def open(self, item: Item) -> RasterReader:
        """An item's raster, by its header."""
        if not isinstance(item.image, Path):
            raise DataError(f"{item.image}: a raster is a file of its own")
        chosen = self.preprocessing or Preprocessing()
        return open_raster(item.image, bands=chosen.bands, windows=chosen.windows)

    def read(self, index: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """Samples (H, W, C) and target (H, W) of an item: a whole raster, or the window that it stands for.

        Raises:
            DataError: a file is damaged, the sizes differ, or the mask holds values outside the label space.
        """
        item = self.items[index]
        reader = self.open(item)
        place = item.window if isinstance(item, WindowItem) else (0, 0, reader.height, reader.width)
        return self._part(item, reader, place)

    def draw(self, index: int, reach: Size, seed: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """A random part of the raster of the size of `reach`, whose middle lies in the item's window."""
        item = self.items[index]
        reader = self.open(item)
        random = np.random.default_rng(seed)
        window = item.window if isinstance(item, WindowItem) else (0, 0, reader.height, reader.width)
        place = []
        for axis, length in enumerate((reader.height, reader.width)):
            size = min(reach[axis], length)
            middle = window[axis] + random.random() * window[axis + 2]
            place.append((int(np.clip(middle - size / 2, 0, length - size)), size))
        (top, height), (left, width) = place
        return self._part(item, reader, (top, left, height, width))

    def prepare(self) -> bool:
        """Nothing to do: every window is read where it is needed."""
        return True

    def _part(self, item: Item, reader: RasterReader, place: Place) -> tuple[NDArray[np.uint8], LabelArray]:
        target = self._labels(item, (reader.height, reader.width), place)
        holes = reader.holes(*place)
        if holes is not None:
            target = np.where(holes, target.dtype.type(self.space.ignore_index), target)
        return reader.window(*place), target

    def _labels(self, item: Item, size: Size, place: Place) -> LabelArray:
        top, left, height, width = place
        whole = place == (0, 0, *size)
        if whole or not isinstance(item.mask, Path) or item.mask.suffix.lower() not in RASTER_SUFFIXES:
            return self.target(item, size)[top : top + height, left : left + width]
        if self.reader is not plain_mask or self.resize_masks:
            return self.target(item, size)[top : top + height, left : left + width]
        return self.decode(item, _stored(item.mask, size, place), (height, width))


def _stored(mask: Path, size: Size, place: Place) -> RawMask:
    """A window of a mask file: (h, w) values, or (h, w, 3) colours."""
    top, left, height, width = place
    with opened_raster(mask) as file:
        if (file.height, file.width) != size:
            raise DataError(f"{mask}: {mismatch((file.height, file.width), size)}")
        if set(file.dtypes) - {"uint8", "uint16"} or file.count not in (1, 3):
            raise DataError(f"{mask}: a mask has one band of whole numbers, or three of colours, with 8 or 16 bits")
        values = file.read(window=require("rasterio.windows", "geo").Window(left, top, width, height))
        return values[0] if file.count == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))


def by_window(split: Split) -> Split:
    """The split, as a `RasterSplit` where its images are GeoTIFFs (and rasterio is there to read them)."""
    images = [item.image for item in split.items[:: max(1, len(split) // _LOOKED_AT)]]
    if not images or not all(isinstance(image, Path) and is_raster(image) for image in images):
        return split
    return RasterSplit(**vars(split))

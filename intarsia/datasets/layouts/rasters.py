"""Labelled rasters as data sets: trained in windows that are read straight from the files, evaluated whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.datasets.coding import RawMask
from intarsia.datasets.parts import File, path_of
from intarsia.datasets.pictures import PictureSplit, painted_mask, plain_mask
from intarsia.datasets.sizes import mismatch
from intarsia.datasets.splits import Item, Size
from intarsia.errors import DataError, UsageError, require
from intarsia.labels import LabelArray
from intarsia.media.maskfile import hidden_in, mask_of_bands
from intarsia.media.places import BY_PIXELS, Place, apart, misfit, misplaced, on_grid
from intarsia.media.rasters import (
    RASTER_SUFFIXES,
    GeoFrame,
    RasterReader,
    are_rasters,
    grid_windows,
    open_raster,
    opened_raster,
)
from intarsia.media.source import Pixels
from intarsia.preprocessing import AnyPreprocessing, Preprocessing

_SIDE = 1024
"""Training and validation see rasters in windows of at most this side."""

_LOOKED_AT = 3  # rasters that decide for a split


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
            count = file.count
            colours = [band.name for band in file.colorinterp if band.name != "alpha"]
            plain = set(file.dtypes) == {"uint8"} or colours == ["palette"]
        shown = len(colours) in (1, 3) or {"red", "green", "blue"} <= set(colours)
        bands = None if plain and shown else (1, 2, 3) if count >= 3 else (1, 1, 1)
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

    A mask that has a georeference is read on the grid of its image; what it does not cover is not labelled.

    Args:
        preprocessing: the model's, once there is one: bands and value ranges.
    """

    preprocessing: Preprocessing | None = None

    medium: ClassVar[Pixels] = "raster"
    plural: ClassVar[str] = "rasters"
    options: ClassVar[frozenset[str]] = frozenset({"masks", "tolerant", "reader"})
    fits_shards: ClassVar[bool] = False
    in_parts: ClassVar[bool] = True

    def for_input(self, preprocessing: AnyPreprocessing) -> RasterSplit:
        """The split with the bands that a model wants."""
        preprocessing = self.seen(preprocessing)
        if not preprocessing.is_for(self.medium):
            raise UsageError(f"the data in {self.root} are rasters, and the model is for volumes")
        return replace(self, preprocessing=preprocessing)

    def for_training(self, preprocessing: AnyPreprocessing, *, foreground: float) -> RasterSplit:
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
        return open_raster(path_of(item.input), bands=chosen.bands, windows=chosen.windows)

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
        """The stored mask of an item on its own grid, of its window if it stands for one."""
        window = _window(item)
        return super().stored(item, size) if window is None else self._stored(item, None, window)[0]

    def count_item(self, item: Item, raw: RawMask) -> tuple[NDArray[np.int64], dict[int, int]]:
        """Labels on the raster's own grid: what its mask does not cover, or where it has no data, is not labelled."""
        counts, values = super().count_item(item, raw)
        gaps = not counts[-1] and _with_all_bands(path_of(item.input)).has_gaps
        if counts[-1] or not (gaps or self._on_other_grid(item)):
            return counts, values
        labels = np.minimum(self.target(item), len(self.space))
        return np.bincount(labels.ravel(), minlength=len(counts)), values

    def _on_other_grid(self, item: Item) -> bool:
        if not (self._has_place(item) and isinstance(item.target, Path)):
            return False
        with opened_raster(item.target) as drawn, opened_raster(path_of(item.input)) as raster:
            frame, own = GeoFrame.of(raster), GeoFrame.of(drawn)
        return apart(frame, own) is not None and (bool(_misfit(item.target, frame, own)) or own.size != frame.size)

    def target(self, item: Item, size: Size | None = None) -> LabelArray:
        """The target of one item on the grid of its raster."""
        reader = self.open(item) if self.preprocessing is not None else _with_all_bands(path_of(item.input))
        return self._target(item, reader.frame, _window(item) or (0, 0, *reader.frame.size), reader)

    def misplaced(self, item: Item) -> str:
        """Say in words that the mask lies elsewhere than its raster; "" if it does not."""
        if not (self._has_place(item) and isinstance(item.target, Path)):
            return ""
        with opened_raster(item.target) as mask, opened_raster(path_of(item.input)) as image:
            return misfit(GeoFrame.of(image), GeoFrame.of(mask))

    def fits(self, item: Item, mask: tuple[int, int], image: tuple[int, int]) -> bool:
        """Tell whether a mask of one size becomes a target: of any size where both say where they lie."""
        if super().fits(item, mask, image):
            return True
        if not (self._has_place(item) and isinstance(item.target, Path)):
            return False
        with opened_raster(item.target) as drawn, opened_raster(path_of(item.input)) as raster:
            return apart(GeoFrame.of(raster), GeoFrame.of(drawn)) is not None

    def channels(self) -> tuple[tuple[int, ...], tuple[tuple[float, float], ...]] | None:
        """All bands of the rasters and the range of values of each; None where they are colours as they are."""
        paths = [path_of(item.input) for item in self.items[:: max(1, len(self) // _LOOKED_AT)]]
        with opened_raster(paths[0]) as file:
            colours = [colour.name for colour in file.colorinterp]
            bands = tuple(index + 1 for index, colour in enumerate(colours) if colour != "alpha")
            if colours[0] == "palette" or (set(file.dtypes) == {"uint8"} and len(bands) in (1, 3)):
                return None
        found = [open_raster(path, bands=bands, windows=((0, 1),)).ranges() for path in paths]
        return bands, tuple(
            (min(low for low, _ in every), max(high for _, high in every)) for every in zip(*found, strict=True)
        )

    def prepare(self) -> bool:
        """Nothing to do: every window is read where it is needed."""
        return True

    def _part(self, item: Item, reader: RasterReader, place: Place) -> tuple[NDArray[np.uint8], LabelArray]:
        return reader.window(*place), self._target(item, reader.frame, place, reader)

    def _target(self, item: Item, frame: GeoFrame, place: Place, reader: RasterReader | None = None) -> LabelArray:
        """The target of a part of a raster; with a reader, pixels are left out that have no data in its bands."""
        raw, covered = self._stored(item, frame, place)
        target = self.decode(item, raw, place[2:])
        for empty in (None if reader is None else reader.holes(*place), None if covered is None else ~covered):
            if empty is not None:
                target = np.where(empty, target.dtype.type(self.space.ignore_index), target)
        return target

    def _has_place(self, item: Item) -> bool:
        """Whether an item's mask is a TIFF that is read as it is."""
        mask = item.target
        plain = self.reader in (plain_mask, painted_mask)
        return plain and isinstance(mask, Path) and mask.suffix.lower() in RASTER_SUFFIXES

    def _stored(self, item: Item, frame: GeoFrame | None, place: Place) -> tuple[RawMask, NDArray[np.bool_] | None]:
        """A window of the stored mask, and what of it the mask covers (None for all of it).

        Of a TIFF, the rest is not decoded. Without a frame, the window is one of the mask's own grid.
        """
        mask = item.target
        if self._has_place(item) and isinstance(mask, Path):
            return _read_window(mask, frame, place, colors=self.reader is painted_mask)
        top, left, height, width = place
        size = None if frame is None else (frame.height, frame.width)
        every = self.reader(item, size)
        if size is not None and every.shape[:2] != size:
            raise DataError(f"{mask}: {mismatch((every.shape[0], every.shape[1]), size)}")
        part: RawMask = every[top : top + height, left : left + width]
        return part, None


def _with_all_bands(path: Path) -> RasterReader:
    """A raster before a model says which bands and values it sees."""
    with opened_raster(path) as file:
        colours = [colour.name for colour in file.colorinterp]
    bands = [band for band, colour in enumerate(colours, start=1) if colour != "alpha"]
    return open_raster(path, bands=bands or [1], windows=((0, 1),))


def _window(item: Item) -> Place | None:
    return item.window if isinstance(item, WindowItem) else None


def _read_window(
    mask: Path, frame: GeoFrame | None, place: Place, *, colors: bool
) -> tuple[RawMask, NDArray[np.bool_] | None]:
    """A window of a mask file on a raster's grid, and what it covers of it.

    Values are (h, w), of a palette too unless by `colors`; colours (h, w, 3).
    """
    top, left, height, width = place
    covered: NDArray[np.bool_] | None
    with opened_raster(mask) as file:
        own = GeoFrame.of(file)
        if (
            frame is not None
            and apart(frame, own) is not None
            and (_misfit(mask, frame, own) or own.size != frame.size)
        ):
            values, covered = on_grid(file, frame, place)
        elif frame is not None and own.size != frame.size:
            raise DataError(f"{mask}: {mismatch(own.size, frame.size)}")
        else:
            window = require("rasterio.windows", "geo").Window(left, top, width, height)
            hidden = hidden_in(file, window)
            values, covered = file.read(window=window), None if hidden is None else ~hidden
        return mask_of_bands(file, values, str(mask)).shown(colors=colors), covered


def _misfit(mask: Path, frame: GeoFrame, own: GeoFrame) -> str:
    try:
        return misfit(frame, own)
    except DataError as error:
        raise DataError(f"{mask}: {error}") from None


def said_of_places(pairs: Sequence[tuple[File, File]]) -> tuple[str, ...]:
    """Say which of these TIFF masks lie elsewhere than their images, and what is done about it."""
    elsewhere, beside = misplaced(pairs)
    notes = [f"Masks that cannot be used: {len(beside)}; the first, {beside[0]}."] if beside else []
    if elsewhere:
        notes.append(
            f"Masks that lie elsewhere than their images: {len(elsewhere)}; the first, {elsewhere[0]}. They are read "
            f"by their georeference, and what they do not cover is not labelled; {BY_PIXELS}."
        )
    return tuple(notes)


def by_window(split: PictureSplit) -> PictureSplit:
    """The split, as a `RasterSplit` where its images are GeoTIFFs (and rasterio is there to read them)."""
    some = [item.input for item in split.items[:: max(1, len(split) // _LOOKED_AT)]]
    if not some or not are_rasters(*some):
        return split
    items = tuple(
        replace(item, input=Raster(item.input)) if isinstance(item.input, Path) else item for item in split.items
    )
    return RasterSplit(**{**vars(split), "items": items})

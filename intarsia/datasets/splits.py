"""Item, Split, Dataset: which image belongs to which mask, and reading the pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Preprocessing
from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.parts import File, open_picture, read_picture, read_stored
from intarsia.errors import DataError, UsageError, suggest
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.source import Pixels

Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Item:
    """One labelled image.

    Attributes:
        id: unique in its data set: its relative name without suffix.
        image: the picture.
        mask: the mask or annotation.
        instances: a map of instance numbers, where the data set has one.
    """

    id: str
    image: File
    mask: File
    instances: Path | None = None

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Distances of neighbours along each axis, where the file says them: of volumes, in mm."""
        return None


MaskReader: TypeAlias = Callable[[Item, Size | None], RawMask]
"""From an item to the values that its mask stores. The image's (H, W) is given where it is known; readers that draw
look it up otherwise. It can be pickled, because loading processes call it."""


def plain_mask(item: Item, size: Size | None) -> RawMask:
    """The reader of mask files that hold one picture."""
    return read_stored(item.mask)


def image_size(item: Item) -> Size:
    """(H, W) of an item's upright image, from its header."""
    reader = open_picture(item.image)
    return reader.height, reader.width


@dataclass(frozen=True)
class Split:
    """The items of one split, and how to read them.

    Args:
        name: "train", "val", "test", or "all" when the data set was not divided.
        space: label space of the targets.
        coding: rule from stored mask values to class indices.
        items: the labelled images, in a fixed order.
        root: the data set's folder; annotation files may not point outside it.
        resize_masks: stretch a mask of another size, but the same shape, to its image (nearest neighbour).
        reader: how a mask becomes stored values.
        weights: of a split that was merged from several data sets, for each in order: how many of the items are its
            own, and how often one of them is drawn compared with the others'. `()` draws all alike.
    """

    name: str
    space: LabelSpace
    coding: MaskCoding
    items: tuple[Item, ...]
    root: Path
    resize_masks: bool = False
    reader: MaskReader = plain_mask
    weights: tuple[tuple[int, float], ...] = ()

    medium: ClassVar[Pixels] = "picture"

    def __len__(self) -> int:
        return len(self.items)

    def read(self, index: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """Image (H, W, 3) uint8 RGB and target (H, W) of `space.dtype`.

        Raises:
            DataError: a file is damaged, the sizes differ, or the mask holds values outside the label space;
                the message names the file.
        """
        item = self.items[index]
        image = read_picture(item.image)
        return image, self.target(item, (image.shape[0], image.shape[1]))

    def remapped(self, space: LabelSpace, table: LabelArray) -> Split:
        """The same images with other classes: label `table[label]` of `space` where it is `label` now."""
        return replace(self, space=space, coding=self.coding.mapped(table))

    def for_input(self, preprocessing: Preprocessing) -> Split:
        """The split as a model sees it, through its preprocessing.

        Raises:
            UsageError: the model is for another medium.
        """
        if preprocessing.slices is not None or preprocessing.bands is not None:
            made_for = "volumes" if preprocessing.slices is not None else "rasters with certain bands"
            raise UsageError(f"the data in {self.root} are pictures, and the model is for {made_for}")
        return self

    def for_training(self, preprocessing: Preprocessing, *, foreground: float) -> Split:
        """The split as training sees it: items of a size that fits into memory.

        Args:
            preprocessing: the model's.
            foreground: of volumes, the share of slices that are drawn among those with a foreground class.
        """
        return self.for_input(preprocessing)

    def draw(self, index: int, reach: Size, seed: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """What a training crop is cut from: an item, or a random part of it that is no smaller than `reach` (H, W)."""
        return self.read(index)

    def prepare(self) -> bool:
        """Make random access cheap before a training; False leaves that to whoever reads."""
        return False

    def wholes(self) -> list[tuple[Item, list[int]]]:
        """What is evaluated, and the items that it consists of: itself, or the slices of a volume."""
        return [(item, [index]) for index, item in enumerate(self.items)]

    def shown(self, name: str) -> int:
        """The index of the item that shows what `wholes` calls by this id."""
        return next(index for index, item in enumerate(self.items) if item.id == name)

    def target(self, item: Item, size: Size | None = None) -> LabelArray:
        """Only the target of one item, checked against (and, with `resize_masks`, stretched to) `size` (H, W)."""
        size = size or image_size(item)
        return self.decode(item, self.stored(item, size), size)

    def stored(self, item: Item, size: Size | None = None) -> RawMask:
        """The mask as stored: raw values, colours, or a drawn annotation. `size` (H, W) of the image, where known."""
        return self.reader(item, size)

    def decode(self, item: Item, raw: RawMask, size: Size) -> LabelArray:
        """Stored values to the target of an image of `size` (H, W)."""
        height, width = raw.shape[:2]
        if (height, width) != size and not (self.resize_masks and same_shape((height, width), size)):
            raise DataError(f"{item.mask}: {mismatch((height, width), size)}")
        try:
            labels = self.coding.decode(raw, self.space)
        except DataError as error:
            raise DataError(f"{item.mask}: {error}") from error
        return labels if labels.shape == size else stretch(labels, size)


@dataclass(frozen=True)
class Dataset:
    """A labelled data set on disk.

    Args:
        root: its folder.
        layout: the layout it was read as.
        space: its label space, shared by all splits.
        splits: "train", "val" and "test" as far as they exist; only "all" when it has none and was not divided.
        notes: plain sentences on everything that was decided automatically.
        unpaired_images: images without mask, left out.
        unpaired_masks: masks without image, left out.
        faults: what is wrong with annotation files that had to be left out.
    """

    root: Path
    layout: str
    space: LabelSpace
    splits: dict[str, Split]
    notes: tuple[str, ...] = ()
    unpaired_images: tuple[Path, ...] = ()
    unpaired_masks: tuple[Path, ...] = ()
    faults: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(len(split) for split in self.splits.values())

    def split(self, name: str) -> Split:
        """One split by name.

        Raises:
            UsageError: the data set has no such split.
        """
        if name not in self.splits:
            raise UsageError(f"{self.root} has no split {name!r}.{suggest(name, self.splits)}")
        return self.splits[name]


def same_shape(mask: Size, image: Size) -> bool:
    """Whether two (H, W) sizes are the same picture at another scale: the sides differ by rounding only."""
    (mask_height, mask_width), (height, width) = mask, image
    scale = max(height, width) / max(mask_height, mask_width)
    slack = 1.0 + max(scale, 1.0)
    return abs(mask_height * scale - height) <= slack and abs(mask_width * scale - width) <= slack


def mismatch(mask: Size, image: Size) -> str:
    """What differs between the (H, W) sizes of a mask and its image, and what to do."""
    said = f"the mask is {mask[1]}x{mask[0]} pixels, its image {image[1]}x{image[0]}"
    if mask == image[::-1]:
        return (
            f"{said}: one of them is turned on its side. If the photo carries an EXIF rotation, save it rotated "
            f"(without the tag), or turn the mask"
        )
    if same_shape(mask, image):
        return (
            f"{said}, the same shape at another scale: stretch such masks with --resize-masks (train: --set "
            f"data.resize_masks=true; Python: resize_masks=True), or export them again"
        )
    return f"{said}: they do not belong together, or one was cropped; export the mask at the image's own size"


def stretch(labels: LabelArray, size: Size) -> LabelArray:
    """Labels at another (H, W), nearest neighbour."""
    # Pixel centres, as in every area-true resize; cv2's and Pillow's nearest modes differ from it and each other.
    rows = ((np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]).astype(np.intp)
    columns = ((np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]).astype(np.intp)
    stretched: LabelArray = labels[rows[:, None], columns[None, :]]
    return stretched

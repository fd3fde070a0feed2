"""PictureSplit: which image belongs to which mask, and reading the pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.datasets.coding import MaskCoding, RawMask, gray_plane
from intarsia.datasets.counts import ClassCounts, SplitFacts
from intarsia.datasets.layouts.survey import threaded
from intarsia.datasets.parts import open_picture, read_picture, read_stored, runs
from intarsia.datasets.sizes import mismatch, same_shape
from intarsia.datasets.splits import Dataset, Item, Look, Progress, Size, Split
from intarsia.errors import DataError, UsageError
from intarsia.labels import Color, LabelArray, LabelSpace
from intarsia.media.source import Pixels, as_rgb
from intarsia.preprocessing import AnyPreprocessing, Preprocessing, expect
from intarsia.result.renders import blend

if TYPE_CHECKING:
    from intarsia.datasets.checks.report import Report

MaskReader: TypeAlias = Callable[[Item, Size | None], RawMask]
"""From an item to the values that its mask stores. The image's (H, W) is given where it is known; readers that draw
look it up otherwise. It can be pickled, because loading processes call it."""

_SHOWN_SIZES = 3
_LOOKED_AT = 32  # pictures whose range of values decides for a split


def plain_mask(item: Item, size: Size | None) -> RawMask:
    """The reader of mask files that hold one picture."""
    return read_stored(item.target)


def painted_mask(item: Item, size: Size | None) -> RawMask:
    """As `plain_mask`, but palette files are read by their colours, not by their indices."""
    return read_stored(item.target, colors=True)


def image_size(item: Item) -> Size:
    """(H, W) of an item's upright image, from its header."""
    reader = open_picture(item.input)
    return reader.height, reader.width


@dataclass(frozen=True)
class PictureSplit(Split):
    """The labelled images of one split, and how to read them.

    Args:
        coding: rule from stored mask values to class indices.
        resize_masks: stretch a mask of another size, but the same shape, to its image (nearest neighbour).
        reader: how a mask becomes stored values.
        weights: of a split that was merged from several data sets, for each in order: how many of the items are its
            own, and how often one of them is drawn compared with the others'. `()` draws all alike.
        windows: stored values of 16-bit and float pictures that become black and white; None takes the depth that each
            picture fills.
    """

    coding: MaskCoding
    resize_masks: bool = False
    reader: MaskReader = plain_mask
    weights: tuple[tuple[int, float], ...] = ()
    windows: tuple[tuple[float, float], ...] | None = None

    medium: ClassVar[Pixels] = "picture"
    plural: ClassVar[str] = "pictures"
    thing: ClassVar[str] = "image"
    unit: ClassVar[str] = "pixel"
    extent: ClassVar[str] = "Sizes"
    options: ClassVar[frozenset[str]] = frozenset({"masks", "resize_masks", "tolerant", "reader"})
    learners: ClassVar[frozenset[str]] = frozenset({"image", "video"})
    unlabelled: ClassVar[Color] = (255, 255, 255)
    has_maps: ClassVar[bool] = True
    makes_clips: ClassVar[bool] = True
    fits_shards: ClassVar[bool] = True
    in_parts: ClassVar[bool] = False
    """Whether training reads a random part of an item (`draw`) instead of all of it, which may be too large."""

    @property
    def shards(self) -> tuple[int, ...]:
        """How many items in a row each shard holds that is best read in one go; `()` where any order is as quick."""
        return runs(item.input for item in self.items)

    def read(self, index: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """Image (H, W, 3) uint8 RGB and target (H, W) of `space.dtype`.

        Raises:
            DataError: a file is damaged, the sizes differ, or the mask holds values outside the label space;
                the message names the file.
        """
        item = self.items[index]
        image = read_picture(item.input, self.windows)
        return image, self.target(item, (image.shape[0], image.shape[1]))

    def count(self) -> ClassCounts:
        """How many pixels each class has, from the masks alone. Masks that cannot be read are left out.

        Raises:
            DataError: none can be read; says why the first cannot.
        """
        return self._counted()[0]

    def count_stored(self, raw: RawMask) -> tuple[NDArray[np.int64], dict[int, int]]:
        """Counts of one stored mask: `len(space) + 2` labels (see `ClassCounts.add`), and pixels per stored value.

        The second is empty for colour-coded masks.

        Raises:
            DataError: colours that have no class.
        """
        plane = gray_plane(raw)
        histogram = np.bincount(plane.ravel()) if plane is not None else np.zeros(0, np.int64)
        values = {int(value): int(histogram[value]) for value in np.flatnonzero(histogram)}
        if plane is not None and not self.coding.colors:
            return self.coding.count(histogram, self.space), values
        size = len(self.space)
        labels = np.minimum(self.coding.decode(raw, self.space), size)
        return np.bincount(labels.ravel(), minlength=size + 2), {} if plane is None else values

    def count_item(self, item: Item, raw: RawMask) -> tuple[NDArray[np.int64], dict[int, int]]:
        """As `count_stored`, of the stored mask of an item; the labels are those that its picture gets.

        Raises:
            DataError: as `count_stored`.
        """
        return self.count_stored(raw)

    def describe(self) -> SplitFacts:
        """Count the classes, and how many images there are of each size; reads the images' headers and the masks."""
        found: Counter[Size] = Counter()
        unreadable = 0
        for size in threaded(_size_or_none, self.items):
            if size is None:
                unreadable += 1
            else:
                found[size] += 1
        sizes = [(width, height, number) for (height, width), number in found.most_common()]
        extent = ", ".join(f"{width}x{height}" for width, height, _ in sizes[:_SHOWN_SIZES])
        counts, wrong = self._counted()
        more = f" and {len(sizes) - _SHOWN_SIZES} more" if len(sizes) > _SHOWN_SIZES else ""
        return SplitFacts(
            counts, len(self), extent + more,
            {
                "sizes": [{"width": w, "height": h, "images": n} for w, h, n in sizes],
                "unreadable": unreadable,
                "unreadable_masks": len(wrong),
            },
        )  # fmt: skip

    def picture(self, index: int, side: int, *, opacity: float = 0.5) -> Look:
        """The image, and the labels laid over it."""
        image, target = self.read(index)
        photo, small = _shrink(as_rgb(image, self.medium), target, side)
        return Look(photo, blend(photo, small, self.space, opacity), frozenset(np.unique(target).tolist()))

    def check(self, dataset: Dataset, progress: Progress | None = None) -> Report:
        """Read every image and mask once; see `intarsia.datasets.checks.integrity`."""
        from intarsia.datasets.checks.integrity import check_pictures

        return check_pictures(dataset, progress)

    def remapped(self, space: LabelSpace, table: LabelArray) -> PictureSplit:
        """The same images with other classes."""
        return replace(self, space=space, coding=self.coding.mapped(table))

    def for_input(self, preprocessing: AnyPreprocessing) -> PictureSplit:
        """The split as a model for pictures sees it: in its range of values."""
        seen = self.seen(preprocessing)
        if seen.slices is not None or seen.bands is not None:
            made_for = "volumes" if seen.slices is not None else "rasters with certain bands"
            raise UsageError(f"the data in {self.root} are pictures, and the model is for {made_for}")
        return self if seen.windows == self.windows else replace(self, windows=seen.windows)

    def window(self) -> tuple[float, float] | None:
        """The range of values that the 16-bit pictures fill, of a sample of them; None where 8 bits or all 16 are."""
        bits = [bits for bits in threaded(_deep_bits, self.items[:: max(1, len(self) // _LOOKED_AT)]) if bits]
        return (0.0, float((1 << max(bits)) - 1)) if bits and max(bits) < 16 else None

    def for_training(self, preprocessing: AnyPreprocessing, *, foreground: float) -> PictureSplit:
        """As `for_input`."""
        return self.for_input(preprocessing)

    def seen(self, preprocessing: AnyPreprocessing) -> Preprocessing:
        """A preprocessing, which has to be for pixels."""
        refusal = UsageError(f"the data in {self.root} are {self.plural}, and the model is for point clouds")
        return expect(preprocessing, Preprocessing, refusal)

    def draw(self, index: int, reach: Size, seed: int) -> tuple[NDArray[np.uint8], LabelArray]:
        """What a training crop is cut from: an item, or a random part of it that is no smaller than `reach` (H, W)."""
        return self.read(index)

    def misplaced(self, item: Item) -> str:
        """Say in words that a mask lies elsewhere than its image; pictures do not say where they lie."""
        return ""

    def fits(self, item: Item, mask: Size, image: Size) -> bool:
        """Tell whether a mask of one size (H, W) becomes a target for its image of another."""
        return mask == image or (self.resize_masks and same_shape(mask, image))

    def prepare(self) -> bool:
        """Make random access cheap before a training; False leaves that to whoever reads."""
        return False

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
            raise DataError(f"{item.target}: {mismatch((height, width), size)}")
        try:
            labels = self.coding.decode(raw, self.space)
        except DataError as error:
            raise DataError(f"{item.target}: {error}") from error
        return labels if labels.shape == size else stretch(labels, size)

    def _counted(self) -> tuple[ClassCounts, list[str]]:
        """Pixels of each class, and what is wrong with the masks that cannot be counted."""
        counts, wrong = ClassCounts(self.space), list[str]()
        for one in threaded(self._count_one, self.items):
            if isinstance(one, str):
                wrong.append(one)
            else:
                counts.add(one)
        if wrong and len(wrong) == len(self.items):
            raise DataError(f"none of the {len(wrong)} masks of {self.name} can be used; the first: {wrong[0]}")
        return counts, wrong

    def _count_one(self, item: Item) -> NDArray[np.int64] | str:
        try:
            counts = self.count_item(item, self.stored(item))[0]
        except DataError as error:
            return str(error) if str(item.target) in str(error) else f"{item.target}: {error}"
        return f"{item.target}: it holds values that no class has" if counts[-1] == counts.sum() else counts


def _deep_bits(item: Item) -> int:
    """The bits that a 16-bit picture fills; 0 of others, and where it cannot be read."""
    try:
        reader = open_picture(item.input)
        return reader.bits if reader.is_deep else 0
    except DataError:
        return 0


def _size_or_none(item: Item) -> Size | None:
    try:
        return image_size(item)
    except DataError:
        return None


def _shrink(image: NDArray[np.uint8], target: LabelArray, side: int) -> tuple[NDArray[np.uint8], LabelArray]:
    """An image and its target at a longer side of so many pixels."""
    height, width = target.shape
    scale = side / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    rows = ((np.arange(size[0]) + 0.5) * height / size[0]).astype(np.intp)[:, None]
    columns = ((np.arange(size[1]) + 0.5) * width / size[1]).astype(np.intp)
    labels: LabelArray = target[rows, columns]
    if scale >= 1:
        return image[rows, columns], labels
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX)), labels


def stretch(labels: LabelArray, size: Size) -> LabelArray:
    """Labels at another (H, W), nearest neighbour."""
    # Pixel centres, as in every area-true resize; cv2's and Pillow's nearest modes differ from it and each other.
    rows = ((np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]).astype(np.intp)
    columns = ((np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]).astype(np.intp)
    stretched: LabelArray = labels[rows[:, None], columns[None, :]]
    return stretched

"""Counting: how often each class occurs, and what a data set looks like in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.coding import RawMask, gray_plane
from intarsia.datasets.layouts.survey import threaded
from intarsia.datasets.parts import open_picture
from intarsia.datasets.splits import Dataset, Item, Split
from intarsia.errors import DataError
from intarsia.labels import LabelSpace


@dataclass
class ClassCounts:
    """Pixels per class, summed over images.

    Args:
        space: the classes.
        pixels: (C,) pixels of each class.
        context: (C,) labelled pixels of the images in which the class occurs.
        images: (C,) images in which the class occurs.
        ignored: pixels without a label.
        outside: pixels whose stored value has no class (counted from the stored values).
        counted: number of images.
    """

    space: LabelSpace
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    context: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    images: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    ignored: int = 0
    outside: int = 0
    counted: int = 0

    def __post_init__(self) -> None:
        if not len(self.pixels):
            self.pixels, self.context, self.images = (np.zeros(len(self.space), np.int64) for _ in range(3))

    def add(self, pixels: NDArray[np.int64]) -> None:
        """Add one image's `len(space) + 2` counts: classes, ignored, outside."""
        size = len(self.space)
        seen = pixels[:size] > 0
        self.pixels += pixels[:size]
        self.context += np.where(seen, pixels[:size].sum(), 0)
        self.images += seen
        self.ignored += int(pixels[size])
        self.outside += int(pixels[size + 1])
        self.counted += 1

    def __add__(self, other: ClassCounts) -> ClassCounts:
        return ClassCounts(
            self.space,
            self.pixels + other.pixels,
            self.context + other.context,
            self.images + other.images,
            self.ignored + other.ignored,
            self.outside + other.outside,
            self.counted + other.counted,
        )

    @property
    def shares(self) -> NDArray[np.float64]:
        """(C,) each class's share of all labelled pixels."""
        return np.asarray(self.pixels / max(int(self.pixels.sum()), 1))

    @property
    def ignored_share(self) -> float:
        """Share of all pixels that carry no label."""
        return self.ignored / max(int(self.pixels.sum()) + self.ignored + self.outside, 1)

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """(C,) a class's share of the labelled pixels of the images in which it occurs; 0 for classes never seen."""
        return np.asarray(self.pixels / np.maximum(self.context, 1))

    def median_frequency_weights(self, power: float = 1.0) -> NDArray[np.float64]:
        """(C,) class weights: median frequency over frequency (Eigen & Fergus, ICCV 2015), to a power.

        A power of 0.5 is the gentler square root. Classes that never occur get 0.
        """
        frequencies = self.frequencies
        seen = frequencies > 0
        weights = np.zeros(len(frequencies))
        if seen.any():
            weights[seen] = (np.median(frequencies[seen]) / frequencies[seen]) ** power
        return weights

    def enet_weights(self) -> NDArray[np.float64]:
        """(C,) class weights 1 / ln(1.02 + share) (Paszke et al. 2016, ENet, arXiv:1606.02147), 1.4 to 50.

        Classes that never occur get 0.
        """
        shares = self.shares
        return np.where(shares > 0, 1 / np.log(1.02 + shares), 0.0)

    def to_json(self, thing: str = "image", unit: str = "pixel") -> dict[str, Any]:
        """Plain JSON form, one entry per class; the words are for what was counted."""
        weights, gentle = self.median_frequency_weights(), self.median_frequency_weights(0.5)
        return {
            f"{thing}s": self.counted,
            "ignored_share": round(self.ignored_share, 6),
            f"outside_{unit}s": self.outside,
            "classes": [
                {
                    "name": name,
                    f"{unit}s": int(self.pixels[i]),
                    "share": round(float(self.shares[i]), 6),
                    f"{thing}s": int(self.images[i]),
                    "weight": round(float(weights[i]), 4),
                    "sqrt_weight": round(float(gentle[i]), 4),
                }
                for i, name in enumerate(self.space.names)
            ],
        }


def count_stored(split: Split, raw: RawMask) -> tuple[NDArray[np.int64], dict[int, int]]:
    """Counts of one stored mask: `len(space) + 2` labels (see `ClassCounts.add`), and pixels per stored value.

    The second is empty for colour-coded masks.

    Raises:
        DataError: colours that have no class.
    """
    plane = gray_plane(raw)
    histogram = np.bincount(plane.ravel()) if plane is not None else np.zeros(0, np.int64)
    values = {int(value): int(histogram[value]) for value in np.flatnonzero(histogram)}
    if plane is not None and not split.coding.colors:
        return split.coding.count(histogram, split.space), values
    size = len(split.space)
    labels = np.minimum(split.coding.decode(raw, split.space), size)
    return np.bincount(labels.ravel(), minlength=size + 2), {} if plane is None else values


def count_classes(split: Split) -> ClassCounts:
    """Class counts of one split, from its masks alone. Masks that cannot be read are left out."""
    counts = ClassCounts(split.space)
    for one in threaded(lambda item: _count_or_none(split, item), split.items):
        if one is not None:
            counts.add(one)
    return counts


def _count_or_none(split: Split, item: Item) -> NDArray[np.int64] | None:
    try:
        return count_stored(split, split.stored(item))[0]
    except DataError:
        return None


@dataclass(frozen=True)
class SplitFacts:
    """One split in numbers: images per (width, height), images whose header is unreadable, class counts."""

    sizes: Mapping[tuple[int, int], int]
    unreadable: int
    counts: ClassCounts


def describe(dataset: Dataset) -> dict[str, SplitFacts]:
    """Sizes and class counts of every split; reads the images' headers and the masks."""
    facts = {}
    for name, split in dataset.splits.items():
        sizes: Counter[tuple[int, int]] = Counter()
        unreadable = 0
        for size in threaded(_size_or_none, split.items):
            if size is None:
                unreadable += 1
            else:
                sizes[size] += 1
        facts[name] = SplitFacts(dict(sizes.most_common()), unreadable, count_classes(split))
    return facts


def description(dataset: Dataset) -> dict[str, Any]:
    """`describe` and the data set's own facts as plain JSON."""
    return {
        "root": str(dataset.root),
        "layout": dataset.layout,
        "label_space": dataset.space.to_json(),
        "notes": list(dataset.notes),
        "unpaired_images": len(dataset.unpaired_images),
        "unpaired_masks": len(dataset.unpaired_masks),
        "splits": {
            name: {
                "sizes": [{"width": w, "height": h, "images": n} for (w, h), n in facts.sizes.items()],
                "unreadable": facts.unreadable,
                **facts.counts.to_json(),
                "images": len(dataset.splits[name]),
            }
            for name, facts in describe(dataset).items()
        },
    }


def _size_or_none(item: Item) -> tuple[int, int] | None:
    try:
        reader = open_picture(item.image)
    except DataError:
        return None
    return reader.width, reader.height

"""Class counts: how often each class occurs in a split, and what else a split is in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelSpace

NO_CODES = "it has no class codes; name the field that holds them (--label NAME, train: --set data.label=NAME)"
"""What is said of a cloud whose points have no class."""


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


@dataclass(frozen=True)
class SplitFacts:
    """One split in numbers.

    Attributes:
        counts: how often each class occurs.
        items: how many items it has, readable or not.
        extent: how large they are, in words for people.
        more: further facts by name, as plain JSON.
    """

    counts: ClassCounts
    items: int
    extent: str
    more: Mapping[str, Any]

    def to_json(self, thing: str, unit: str) -> dict[str, Any]:
        """Plain JSON form; the words are for what was counted."""
        return {**self.more, **self.counts.to_json(thing, unit), f"{thing}s": self.items}

"""The contract of every result: labels with their classes, whatever the medium."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.errors import DataError
from intarsia.instances import NECK, Instance, Numbers, countable_classes, measure_instances, number_instances
from intarsia.labels import LabelArray, LabelSpace

MOST_NUMBERED = 50_000_000  # elements in which things are told apart; each takes some 40 bytes meanwhile
_COUNTED = 1 << 24  # OpenCV counts in single precision, which holds whole numbers up to here


class Instances(NamedTuple):
    """The things of a result.

    Attributes:
        numbers: of the labels' shape: each thing's number from 1, 0 elsewhere.
        things: class, size, centre and box of each, in the order of their numbers.
    """

    numbers: Numbers
    things: tuple[Instance, ...]


class Result(ABC):
    """Labels of one source.

    Attributes:
        labels: class indices of `space.dtype`, in the source's own shape; `space.ignore_index` where nothing is known.
        space: the classes.
        confidence: the winning class's probability (0..1) per element, float16; None if it was not asked for.
        medium: what was segmented.
    """

    labels: LabelArray
    space: LabelSpace
    confidence: NDArray[np.float16] | None
    medium: ClassVar[str]

    @property
    @abstractmethod
    def source(self) -> str:
        """Path or display name of what was segmented."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, ...]:
        """Sides as people say them: width and height, the sides of a volume's grid, the number of points."""

    @abstractmethod
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels in a format that suits the medium; the suffix says which."""

    @abstractmethod
    def render(self, kind: str) -> Image.Image:
        """Draw the labels, for instance as "overlay", or of clouds from the "top".

        Raises:
            UsageError: no such render, or it needs something that is not there.
        """

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        """Where a class is, by its name; `UsageError` with a suggestion when there is no such class."""
        return np.equal(self.labels, self.space.index(name))

    def counts(self) -> NDArray[np.int64]:
        """Count the elements of each label, `ignore_index` included."""
        return count(self.labels, self.space)

    def areas(self) -> dict[str, float]:
        """Compute the share of all elements (0..1) of each class that occurs, largest first."""
        return areas(self.counts(), self.space)

    def instances(self, of: Sequence[str] = (), *, least: int = 1, neck: float | None = NECK) -> Instances:
        """Tell the things of some classes apart: connected regions, cut where two touch by a narrow neck.

        Args:
            of: names of the classes; () for all but the background, and what is known to be no things (sky, road, ...).
            least: smallest number of elements.
            neck: see `intarsia.instances.number_instances`; None cuts nothing.

        Raises:
            UsageError: there is no such class, none has things, or a number is out of range.
            DataError: it is no picture and no volume, or has more than 50 million elements.
        """
        if self.labels.size > MOST_NUMBERED:
            raise DataError(
                f"{self.source}: things are told apart in up to {MOST_NUMBERED / 1e6:.0f} million elements, these are "
                f"{self.labels.size / 1e6:.0f}; cut it into parts"
            )
        classes = countable_classes(self.space.names, of)
        numbers = number_instances(self.labels, classes, least=least, neck=neck)
        return Instances(numbers, measure_instances(numbers, self.labels))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form, without the labels themselves."""
        return {
            "source": self.source, "medium": self.medium, "size": list(self.size), "areas": self.areas(),
            "classes": list(self.space.names),
        }  # fmt: skip


def count(labels: LabelArray, space: LabelSpace) -> NDArray[np.int64]:
    """Count the elements of each label, (`space.ignore_index` + 1,)."""
    size = space.ignore_index + 1
    if labels.dtype != np.uint8:
        return np.bincount(labels.ravel(order="K"), minlength=size)
    flat, found = labels.reshape(-1, 1), np.zeros((256, 1), np.int64)
    for start in range(0, len(flat), _COUNTED):
        part = cv2.calcHist([flat[start : start + _COUNTED]], [0], None, [256], [0, 256])
        found += part.reshape(256, 1).astype(np.int64)
    return found[:size, 0]


def areas(counts: NDArray[np.int64], space: LabelSpace) -> dict[str, float]:
    """Turn counts into shares of all elements (0..1) of each class that occurs, largest first."""
    total = max(1, int(counts.sum()))
    shares = {name: int(number) / total for name, number in zip(space.names, counts, strict=False) if number}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))

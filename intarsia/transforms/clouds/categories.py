"""Objects of a known category: the sixteen of ShapeNet part, and which classes are parts of which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from intarsia.errors import DataError, UsageError, suggest
from intarsia.media.clouds.cloud import PointCloud
from intarsia.transforms.clouds.geometry import Floats

PARTS = {
    "airplane": 4, "bag": 2, "cap": 2, "car": 4, "chair": 4, "earphone": 3, "guitar": 3, "knife": 2, "lamp": 4,
    "laptop": 2, "motorbike": 6, "mug": 2, "pistol": 3, "rocket": 3, "skateboard": 3, "table": 3,
}  # fmt: skip
"""How many parts each category has (Yi et al. 2016, doi:10.1145/2980179.2980238), in the order of their numbers."""

CATEGORIES = tuple(PARTS)
FIELD = "category"
"""The field of a `PointCloud` that holds the index of its category, the same for all points."""
_LEAST = 1e-12


def part_names(category: str) -> tuple[str, ...]:
    """Class names of a category's parts; the data set numbers them and has no words for them."""
    return tuple(f"{category}_{number}" for number in range(PARTS[category]))


def category_index(name: str) -> int:
    """Index of a category.

    Raises:
        UsageError: there is no such category; the message suggests the closest, or lists all.
    """
    if name not in CATEGORIES:
        raise UsageError(f"no category of objects is named {name!r}.{suggest(name, CATEGORIES)}")
    return CATEGORIES.index(name)


def category_of(cloud: PointCloud) -> int | None:
    """Index of a cloud's category; None where it says nothing.

    Raises:
        DataError: its points are of several categories, or of one that does not exist.
    """
    values = cloud.fields.get(FIELD)
    if values is None or not len(values):
        return None
    first = values[0]
    if (values != first).any():
        raise DataError(f"{cloud.source}: its points are of several categories; a cloud is one object")
    if first not in range(len(CATEGORIES)):
        raise DataError(f"{cloud.source}: its category is {first}; categories are 0 to {len(CATEGORIES) - 1}")
    return int(first)


def parts_among(names: Sequence[str], category: int) -> list[int]:
    """Indices of those class names that are parts of a category."""
    parts = part_names(CATEGORIES[category])
    return [index for index, name in enumerate(names) if name in parts]


def only_parts(probabilities: Floats, names: Sequence[str], category: int | None) -> Floats:
    """Probabilities (N, C) when it is known what the object is: classes that are no parts of it get 0.

    Where no class is a part of the category, or there is no category, nothing changes.
    """
    parts = [] if category is None else parts_among(names, category)
    if not parts:
        return probabilities
    found = np.zeros_like(probabilities)
    found[:, parts] = probabilities[:, parts] + _LEAST  # where all of them were 0, one of them is still the answer
    found /= found.sum(axis=1, keepdims=True)
    return found

"""What is found in one tile of a cloud."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray


class TileLabels(NamedTuple):
    """The labels of one tile, or of a small cloud as a whole.

    Attributes:
        start: how many points lie in the tiles before it.
        places: (n,) places of its points in the file.
        labels: (n,) their class indices.
        confidence: (n,) float16, the winning class's probability.
        looks: what `Doubts` wants to know about it, see `clouds.doubts.look`.
        filled: names of the fields of the whole cloud that hold anything but 0.
    """

    start: int
    places: NDArray[np.int64]
    labels: LabelArray
    confidence: NDArray[np.float16]
    looks: NDArray[np.float64]
    filled: frozenset[str]

    @classmethod
    def of(
        cls, start: int, places: NDArray[np.int64], found: NDArray[Any], looks: NDArray[np.float64],
        filled: set[str], dtype: np.dtype[Any],
    ) -> TileLabels:  # fmt: skip
        """Take the likeliest class of each point, by probabilities (n, C)."""
        labels, confidence = found.argmax(axis=1).astype(dtype), found.max(axis=1).astype(np.float16)
        return cls(start, places, labels, confidence, looks, frozenset(filled))

"""Trust: whether what a network would move is more right than wrong, told by what it looks like."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import ModelError
from intarsia.inference.clicks.view import Likely, Mask, View

KEY = "intarsia.trust"
"""Of the metadata of a bundle."""
_COLORS = 50.0  # of 255, that count as far apart


@dataclass(frozen=True)
class Trust:
    """A logistic regression on what `traits` tells of a region.

    Attributes:
        middle: of each trait.
        weights: of each trait, once its middle is subtracted.
        bias: added to their sum.
        least: the probability of being more right than wrong from which on a region may move.
    """

    middle: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    least: float

    def probability(self, traits: NDArray[np.float64]) -> float:
        """How likely a region is more right than wrong."""
        total = float((traits - np.array(self.middle)) @ np.array(self.weights)) + self.bias
        return float(1 / (1 + np.exp(-np.clip(total, -50, 50))))

    def to_text(self) -> str:
        """The form in which bundles carry it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Trust:
        """Read `to_text`'s form.

        Raises:
            ModelError: it is none.
        """
        try:
            said: dict[str, Any] = json.loads(text)
            middle, weights = (tuple(float(value) for value in said[name]) for name in ("middle", "weights"))
            return cls(middle, weights, float(said["bias"]), float(said["least"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"a bundle's trust in its clicks cannot be read: {error!r}") from error


class Traits:
    """Tells what regions of a view look like.

    Args:
        view: that was looked at.
        likely: (S, S), what the network said.
        cell: (column, row) of the click.
    """

    def __init__(self, view: View, likely: Likely, cell: tuple[int, int]) -> None:
        self._view, self._likely, self._cell = view, likely, cell
        column, row = cell
        smooth = cv2.GaussianBlur(view.pixels, (5, 5), 0).astype(np.float32)
        self._apart = np.sqrt(np.square(smooth - smooth[row, column]).mean(axis=2)) / _COLORS
        self._steep = np.hypot(*np.gradient(likely))

    def of(self, part: Mask) -> NDArray[np.float64]:
        """Tell of a region (S, S), which holds the click, what it looks like, (11,).

        How likely it is on average; its size; how deep inside of it the click lies, and how thick it is, by its size;
        how much of it has one class now; how far its colours are from the clicked one, and how they vary; how steeply
        the likelihood ends at its border; how much of its border has the class already; how likely the click itself
        is; and how much of the view has the class already.
        """
        column, row = self._cell
        size = np.sqrt(part.sum())
        depth = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        ring = (cv2.dilate(part.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~part
        open_ring = ring & ~self._view.same
        apart = self._apart[part]
        told = (
            self._likely[part].mean(), np.log(size / len(part)), depth[row, column] / size, depth.max() / size,
            self._view.source[part].mean(), apart.mean(), apart.std(),
            self._steep[open_ring].mean() if open_ring.any() else 0.0,
            1 - open_ring.sum() / max(ring.sum(), 1), self._likely[row, column], self._view.same.mean(),
        )  # fmt: skip
        return np.array(told, np.float64)

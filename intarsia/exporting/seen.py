"""What a network sees of labelled data: the same pixels, preprocessing and tiles as in a prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intarsia.bundle import Description
from intarsia.datasets import Split
from intarsia.datasets.splits import MediumName
from intarsia.evaluation import evaluate
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.inference.kinds import predictor_for
from intarsia.media.source import ArraySource, Place
from intarsia.runtimes.contract import Floats, Runtime

MOST = 128
"""Items that a calibration looks at; more change its ranges little."""
_BATCHES = 4  # of blocks of a cloud: a large one has hundreds


class Like:
    """A runtime that answers as another one, but computes logits by a function.

    Args:
        other: whose stride, margin, ... it has.
        compute: from (N, C, H, W) to logits.
    """

    name, precision = "like", "fp32"

    def __init__(self, other: Runtime, compute: Callable[[Floats], Floats]) -> None:
        self.processor, self.in_channels, self.stride = other.processor, other.in_channels, other.stride
        self.align_corners, self.margin = other.align_corners, other.margin
        self._compute = compute

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        return self._compute(x)


@dataclass(frozen=True)
class Seen:
    """The inputs (1, C, H, W) or (N, C, P) that predicting a split gives a network, made anew whenever asked for.

    Attributes:
        description: of the model.
        split: pictures, rasters, slices or clouds, as the model sees them.
        like: a runtime of the network.
        most: items, spread over the split.
    """

    description: Description
    split: Split
    like: Runtime
    most: int = MOST

    @property
    def chosen(self) -> list[int]:
        """Indices of the items."""
        count = len(self.split)
        return sorted({round(index) for index in np.linspace(0, count - 1, min(count, self.most))})

    def __iter__(self) -> Iterator[Floats]:
        noted: list[Floats] = []

        def note(x: Floats) -> Floats:
            if x.ndim > 3 or len(noted) < _BATCHES:
                noted.append(x)
            cells = (-(-side // self.like.stride) for side in x.shape[2:])
            return np.zeros((len(x), len(self.description.space), *cells), dtype=np.float32)

        predictor = _predictor(self.description, Like(self.like, note))
        for index in self.chosen:
            for _ in _STEPS[self.split.medium](predictor, self.split, index):
                yield from noted
                noted.clear()


def _rows(predictor: Any, split: Any, index: int) -> Iterator[Any]:
    """Predict a picture or slice some rows at a time."""
    yield from predictor.rows(ArraySource(split.read(index)[0], split.items[index].id, split.medium))


def _cloud(predictor: Any, split: Any, index: int) -> Iterator[Any]:
    """Predict a cloud."""
    yield predictor.segment(split.read(index)[0])


_STEPS: dict[MediumName, Callable[[Any, Any, int], Iterator[Any]]] = {
    "picture": _rows,
    "raster": _rows,
    "volume": _rows,
    "cloud": _cloud,
}
"""How an item of each medium is predicted, step by step."""


def _predictor(description: Description, runtime: Runtime) -> Predictor | CloudPredictor:
    """What predicts with a network, without the refinement that its recipe may ask for."""
    return predictor_for(description).with_options(description, {"runtime": runtime, "refine": "none"})


def hashes(split: Split, indices: Sequence[int]) -> list[str]:
    """Compute the SHA-256 of what each item shows, whatever its file is called."""
    found = []
    for index in indices:
        found.append(hashlib.sha256(np.ascontiguousarray(split.shows(index)).data).hexdigest())
    return found


def checksum(of: Sequence[str]) -> str:
    """Compute one SHA-256 of many, in any order."""
    return hashlib.sha256("".join(sorted(of)).encode()).hexdigest()


def points(
    description: Description, runtime: Runtime, split: Split, progress: Callable[[int, int], None] | None = None
) -> float:
    """Measure the mIoU of a network, in points of 100, without the refinement that its recipe may ask for.

    Args:
        description: of the model.
        runtime: of the network.
        split: labelled items.
        progress: see `evaluate`.
    """
    return 100 * evaluate(_predictor(description, runtime), split, progress=progress).scores.miou

"""How much an exported network's logits and labels differ from those of the network it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.runtimes.contract import Floats, Runtime
from intarsia.runtimes.upsampling import upsampled_labels
from intarsia.transforms.clouds.blocks import block_sizes

_SIZES = ((96, 128), (67, 45), (33, 31), (32, 32), (5, 9), (1, 1))
_DEVIATIONS = 2.0  # of normalised pixels, about


@dataclass(frozen=True)
class Comparison:
    """What comparing two runtimes found.

    Attributes:
        difference: the largest of two logits.
        agreement: share of pixels whose labels are the same, at the input's own size.
        inputs: how many were compared.
    """

    difference: float
    agreement: float
    inputs: int


def random_inputs(channels: int, sizes: Sequence[tuple[int, int]] | None = None) -> list[Floats]:
    """Draw inputs (1, channels, H, W), the same every time: of `sizes`, or of odd and even sides down to one pixel."""
    generator = np.random.default_rng(0)
    return [generator.normal(0, _DEVIATIONS, (1, channels, *size)).astype(np.float32) for size in sizes or _SIZES]


def random_blocks(channels: int, points: int, width: float) -> list[Floats]:
    """Draw blocks of points (N, channels, P), the same every time: of all sizes that a network of `points` sees.

    Args:
        channels: x, y and z, and features.
        points: of the largest block.
        width: of a block, in the unit of the coordinates.
    """
    generator = np.random.default_rng(0)
    drawn = []
    for size in block_sizes(points):
        block = generator.normal(0, 1, (2, channels, size)).astype(np.float32)
        block[:, :3] = generator.uniform(-width / 2, width / 2, (2, 3, size))
        drawn.append(block)
    return drawn


def compare(made: Runtime, original: Runtime, inputs: Iterable[Floats], classes: int) -> Comparison:
    """Compare an exported network with the one it was made from.

    Args:
        made: the exported one.
        original: the one it was made from.
        inputs: (1, C, H, W) or (N, C, P) each.
        classes: number of channels of the logits.
    """
    difference, same, pixels, count = 0.0, 0, 0, 0
    dtype = np.dtype(np.uint8 if classes <= 255 else np.uint16)
    for x in inputs:
        wanted, found = original.logits(x), made.logits(x)
        if wanted.shape != found.shape:
            return Comparison(float("inf"), 0.0, count)
        with np.errstate(invalid="ignore"):  # of infinities: those that are equal are none
            apart = np.where(wanted == found, 0, np.abs(wanted - found))
        difference = max(difference, float(np.nan_to_num(apart.max(), nan=np.inf, posinf=np.inf)))
        labels = [_labels(logits, x, original.align_corners, dtype) for logits in (wanted, found)]
        same += int(np.count_nonzero(labels[0] == labels[1]))
        pixels += labels[0].size
        count += 1
    return Comparison(difference, same / max(pixels, 1), count)


def _labels(logits: Floats, x: Floats, align_corners: bool, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The labels of all pixels of a picture, or of all points."""
    if x.ndim == 3:
        points: NDArray[Any] = logits.argmax(axis=1)
        return points
    return upsampled_labels(logits, (x.shape[2], x.shape[3]), align_corners=align_corners, dtype=dtype)

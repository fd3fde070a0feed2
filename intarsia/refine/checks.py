"""What refinement takes: probabilities and a picture that belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError

Floats = NDArray[np.float32]

# Probabilities in float16 or from a sum of many add up to 1 no better than this.
_TOLERANCE = 5e-3
_MOST = 4_000_000


def check_probabilities(probs: NDArray[Any]) -> None:
    """Raise a DataError unless (C, *S) holds a distribution over C classes for each element."""
    if probs.ndim < 2 or not probs.size:
        raise DataError(f"probabilities are an array (C, ...) of classes and elements, not {probs.shape}")
    if probs.dtype.kind != "f":
        raise DataError(f"probabilities are floating-point numbers from 0 to 1, not {probs.dtype}")
    flat = probs.reshape(len(probs), -1)
    step = max(1, _MOST // len(flat))
    for first in range(0, flat.shape[1], step):
        part = flat[:, first : first + step]
        low, off = float(part.min()), float(np.abs(part.sum(0, dtype=np.float32) - 1).max())
        if np.isnan(low) or np.isnan(off):
            raise DataError("probabilities hold NaN; the network that made them has diverged")
        if low < -_TOLERANCE or off > _TOLERANCE:
            raise DataError(
                "probabilities must not be negative and must sum to 1 over the classes, axis 0; here the lowest is "
                f"{low:.4g} and a sum is off by {off:.4g}; apply softmax to logits, or move the class axis to the front"
            )


def check_image(image: NDArray[Any], size: tuple[int, ...]) -> None:
    """Raise a DataError unless this is an 8-bit RGB picture of this (height, width)."""
    if image.ndim != 3 or image.shape[2] != 3:
        raise DataError(
            f"the picture is an array (H, W, 3) of RGB pixels, not {image.shape}; repeat a grey one three times"
        )
    if image.dtype != np.uint8:
        raise DataError(
            f"the picture's pixels are uint8 from 0 to 255, not {image.dtype}; "
            "for 0..1 use (image * 255).round().astype('uint8')"
        )
    if image.shape[:2] != size:
        raise DataError(
            f"the picture has {image.shape[0]}x{image.shape[1]} pixels and the map {'x'.join(map(str, size))}; "
            "resize the map's probabilities, not its labels, to the picture"
        )

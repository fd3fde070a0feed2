"""How labels are drawn: from pixels and labels to pixels, rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelArray, LabelSpace, check_labels, check_values

# Rows are handled in bands of this many, so that temporary arrays stay small next to the picture.
_BAND_ROWS = 64


def blend(image: NDArray[np.uint8], labels: LabelArray, space: LabelSpace, opacity: float = 0.5) -> NDArray[np.uint8]:
    """Blend the labels' colours over a photo, band by band.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) of `space.dtype`.
        space: gives the colours; pixels that are no class keep the photo's colour.
        opacity: 0 (photo) to 1 (colour).

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: `opacity` is out of range.
        DataError: photo and labels do not fit together.
    """
    if not 0 <= opacity <= 1:
        raise UsageError(f"opacity is between 0 (photo only) and 1 (colours only), not {opacity}")
    check_labels(labels, space)
    check_photo(image, labels)
    color_weight = round(opacity * 256)
    table = space.colors().astype(np.uint16) * np.uint16(color_weight) + np.uint16(128)
    result = np.empty_like(image)
    for top in range(0, len(labels), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        check_values(labels[rows], space, "the overlay")
        mixed = image[rows] * np.uint16(256 - color_weight)
        mixed += table[labels[rows]]
        mixed >>= 8
        result[rows] = mixed
        unknown = labels[rows] >= len(space)
        if unknown.any():
            result[rows][unknown] = image[rows][unknown]
    return result


def check_photo(image: NDArray[Any], labels: NDArray[Any]) -> None:
    """Raise a DataError unless a photo is (H, W, 3) uint8 of its labels' size."""
    if image.dtype != np.uint8 or image.shape != (*labels.shape, 3):
        raise DataError(
            f"the photo must be {(*labels.shape, 3)} uint8 like its labels, this one is {image.shape} {image.dtype}"
        )

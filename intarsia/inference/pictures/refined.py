"""Refinement between the network and the labels: in windows of rows that share a margin, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError

Probabilities = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Rows = tuple[int, Probabilities, Pixels]
"""The first row, the probabilities (C, h, W) of some rows, and their pixels (h, W, 3)."""

# Rows around a window's own that its refinement sees too; pixels farther away hardly count.
MARGIN = 128
# Probabilities that are in memory at a time; a dense CRF needs up to five times as many values beside them.
WINDOW_VALUES = 50_000_000
_MOST_VALUES = 400_000_000


def refine_rows(
    parts: Iterator[Rows],
    size: tuple[int, int],
    classes: int,
    refine: Callable[[Probabilities, Pixels], Probabilities],
) -> Iterator[Rows]:
    """Refine a picture's probabilities: at once if it is of ordinary size, else window by window.

    Args:
        parts: all rows of the picture from top to bottom.
        size: the picture's (height, width).
        classes: C.
        refine: from probabilities and pixels to probabilities.

    Yields:
        The same rows, refined, in parts of another height.

    Raises:
        DataError: the picture is too wide for its number of classes.
    """
    height, width = size
    rows = min(height, max(WINDOW_VALUES // (classes * width), 4 * MARGIN))
    if classes * width * rows > _MOST_VALUES:
        raise DataError(
            f"refinement needs the probabilities of {rows} rows at a time, and those of {classes} classes in {width} "
            "columns do not fit; cut the picture, make it smaller, or do without refinement"
        )
    probs, pixels = np.empty((classes, rows, width), np.float32), np.empty((rows, width, 3), np.uint8)
    top = filled = done = 0
    for start, values, image in parts:
        used = 0
        while used < len(image):
            count = min(len(image) - used, rows - filled)
            probs[:, filled : filled + count] = values[:, used : used + count]
            pixels[filled : filled + count] = image[used : used + count]
            filled, used = filled + count, used + count
            last = start + used == height
            if filled < rows and not last:
                continue
            refined = refine(probs[:, :filled], pixels[:filled])
            end = height if last else top + filled - MARGIN
            own = slice(done - top, end - top)
            yield done, refined[:, own], pixels[own].copy()
            # The margin below these rows, and that above the next, are needed again.
            kept = min(filled, 2 * MARGIN)
            probs[:, :kept] = probs[:, filled - kept : filled].copy()
            pixels[:kept] = pixels[filled - kept : filled].copy()
            top, filled, done = top + filled - kept, kept, end

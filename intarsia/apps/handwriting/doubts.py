"""Whether what was found are lines of writing, or stripes, edges and rows of other things."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.handwriting.cores import Core, Floats, Ints

# Of 100 pages of three kinds the sureness was at least .90, the spread of heights at most .47 and lengths at least 6
# heights; of 79 photos of other things half had less than .80, more than .76 and less than 4. The limits leave room for
# worse pages, and for one with a single word. Strokes of ink tell as much, but not on pages that are faint or blurred.
_SURE = 0.75
_SPREAD = 0.65
_LONG = 1.5


def find_doubt(cores: list[Core], labels: Ints, text: Floats) -> str:
    """Say why lines may be none of writing; "" where nothing speaks against it.

    Args:
        cores: of the lines.
        labels: (h, w) of the cores.
        text: (h, w) probability that a pixel lies in the middle of a line of text.
    """
    if not cores:
        return ""
    length = np.array([core.length for core in cores], np.float64)
    height = np.array([core.height for core in cores])
    heights = length / height
    share = length / length.sum()
    if (share * heights).sum() < _LONG:
        return "what might be lines is hardly longer than it is high"
    if _spread(np.log(height), share) > _SPREAD:
        return "what might be lines is of very different heights"
    if text[labels > 0].mean() < _SURE:
        return "the model is sure of no line"
    return ""


def _spread(values: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """The standard deviation of weighted values."""
    return float(np.sqrt((share * (values - (share * values).sum()) ** 2).sum()))

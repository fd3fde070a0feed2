"""Where classes meet: the band along the boundaries of a label map."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def boundary_band(target: NDArray[np.uint8], radius: int, *, ignore_index: int = 255) -> NDArray[np.bool_]:
    """Pixels near a boundary between classes, as a trimap marks them (Krähenbühl & Koltun 2011, section 5).

    Args:
        target: (H, W) labels.
        radius: largest distance in pixels (Chebyshev) from a pixel of another class.
        ignore_index: pixels with this label are no part of the band, and end at no boundary of it.

    Returns:
        (H, W) True for labelled pixels within `radius` of a labelled pixel of another class.
    """
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    labelled = target != ignore_index
    # The largest and smallest label around a pixel differ exactly where another class is near.
    highest = cv2.dilate(np.where(labelled, target, 0).astype(np.int16), kernel)
    lowest = cv2.erode(np.where(labelled, target, np.iinfo(np.int16).max).astype(np.int16), kernel)
    return np.asarray(labelled & (highest != lowest))

"""Superpixels: groups of neighbouring pixels of similar colour, which share one mean of their features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import require

_COMPACTNESS = 10.0


def superpixels(picture: NDArray[np.float32], pixels: int) -> NDArray[np.int64]:
    """SLIC (Achanta et al. 2012, doi:10.1109/TPAMI.2012.120), as scikit-image computes it.

    Args:
        picture: (h, w, channels) in 0..1; three channels are compared in CIE L*a*b*.
        pixels: size of a superpixel, about.

    Returns:
        (h, w) numbers from 0 on without gaps, each a connected group of pixels.

    Raises:
        UsageError: scikit-image is not installed.
    """
    segmentation: Any = require("skimage.segmentation", "classical")
    height, width, channels = picture.shape
    count = max(1, round(height * width / pixels))
    # A flat picture or a single pixel has one superpixel; scikit-image wants a range of colours to start from.
    if count == 1 or np.ptp(picture) == 0:
        return np.zeros((height, width), np.int64)
    found = segmentation.slic(
        picture, count, compactness=_COMPACTNESS, start_label=0, channel_axis=-1, convert2lab=channels == 3
    )
    numbered = np.unique(found, return_inverse=True)[1]
    return np.asarray(numbered, dtype=np.int64).reshape(height, width)


def average(planes: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float32]:
    """(F, h, w) features -> (F, S) means over the superpixels (h, w)."""
    flat = groups.ravel()
    counts = np.bincount(flat)
    return np.stack([(np.bincount(flat, plane.ravel()) / counts).astype(np.float32) for plane in planes])

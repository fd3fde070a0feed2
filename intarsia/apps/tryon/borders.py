"""Where new cloth begins: softly, along the edges of the photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.refine.filters import guided_filter

Mask = NDArray[np.bool_]
Shares = NDArray[np.float32]

_REACH = 0.006  # of the photo's longer side, to both sides of a border: how far masks are off
_LEAST_REACH = 2
_SIDE = 1024  # pixels of the longer side at which edges are looked for
_SMOOTH = 1e-3  # variance of colours (of 0..1) that is no edge
_SURE = 0.2  # of a share, and of what it lacks of 1, that counts for nothing


def distance_inside(mask: Mask) -> Shares:
    """How far each pixel lies inside a mask (H, W), in pixels; beyond the photo it goes on."""
    inside = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)[1:-1, 1:-1]


def soften(photo: NDArray[np.uint8], mask: Mask, depth: Shares, others: Mask) -> Shares:
    """Let a garment's border follow the edges of the photo, a few pixels to either side of it.

    Args:
        photo: (H, W, 3) uint8 RGB.
        mask: (H, W), where the garment is.
        depth: how far inside, see `distance_inside`.
        others: (H, W), what must not change: skin, hair and other garments.

    Returns:
        (H, W), how much of each pixel is garment: 1 deep inside, 0 far outside and in `others`.
    """
    reach = max(_LEAST_REACH, round(_REACH * max(mask.shape)))
    scale = min(1.0, _SIDE / max(mask.shape))
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    share = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
    shares = np.stack([1 - share, share])
    found = guided_filter(shares, small, radius=max(1, round(reach * scale)), epsilon=_SMOOTH)[1]
    whole = np.asarray(cv2.resize(np.asarray(found, np.float32), mask.shape[::-1], interpolation=cv2.INTER_LINEAR))
    alpha = ((whole - _SURE) / (1 - 2 * _SURE)).clip(0, 1)
    alpha[depth > reach] = 1
    alpha[(distance_inside(~mask) > reach) | others] = 0
    return alpha

"""Paint on a road: narrow stripes that are brighter, or more yellow, than the road on both sides of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive.camera import Ground

Floats = NDArray[np.float32]

ROWS = 100  # of the bird's-eye view
REACH = 6.0  # camera heights to each side
_STEP = 0.024  # camera heights a column
_STRIPE, _BESIDE = 5, 8  # columns: width of paint, and how far from its middle the road is looked at
_NEAREST = 4  # columns between two stripes of a row
_CONTRAST, _NOISE = 0.045, 3.0  # least excess over the road: of its brightness, and in deviations of its noise
_MOST = 900  # points
_FAR = 0.03  # of the picture's height: rows so close to the horizon are not looked at


@dataclass(frozen=True)
class Points:
    """Middles of stripes.

    Attributes:
        across: (N,) place across the road in camera heights, rightwards from the vanishing point.
        down: (N,) rows below the horizon.
        weight: (N,) 0..1, by contrast.
        clutter: points in a row and a camera height across, on the whole: what chance would give.
        rows: of the bird's-eye view that hold road, in rows below the horizon.
    """

    across: Floats
    down: Floats
    weight: Floats
    clutter: float
    rows: Floats

    def raised(self, rows: float) -> Points:
        """The same points under a horizon that lies so many rows higher."""
        down = self.down + np.float32(rows)
        return replace(self, across=self.across * self.down / down, down=down, rows=self.rows + np.float32(rows))

    def __len__(self) -> int:
        return len(self.across)


def find_markings(image: NDArray[np.uint8], road: NDArray[np.bool_], ground: Ground) -> Points:
    """Find stripes of paint in the bird's-eye view of a road.

    Rows of the view are rows of the picture, and its columns are places across the road, so that paint is as wide
    everywhere and noise is the picture's. A stripe is brighter than what is left and right of it (the symmetrical local
    threshold of Veit et al. 2008), in the lighter of red and green, or in how yellow it is; both relative to the road's
    brightness, so that shadows and night change little.

    Args:
        image: (H, W, 3) uint8 RGB.
        road: (H, W) where paint is looked for.
        ground: where the pixels lie.
    """
    height = image.shape[0]
    down = np.linspace(max(4.0, _FAR * height), max(8.0, height - 1 - ground.y), ROWS, dtype=np.float32)
    across = np.arange(-REACH, REACH + _STEP / 2, _STEP, dtype=np.float32)
    columns = ground.x + across[None] * down[:, None]
    rows = np.broadcast_to((ground.y + down)[:, None], columns.shape)
    columns, rows = np.ascontiguousarray(columns), np.ascontiguousarray(rows)
    seen = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    on = cv2.remap(road.view(np.uint8), columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) > 0
    light = np.maximum(seen[..., 0], seen[..., 1]).astype(np.float32)
    yellow = np.minimum(seen[..., 0], seen[..., 1]).astype(np.float32) - seen[..., 2]
    around = cv2.blur(light, (8 * _BESIDE + 1, 1)) + 4  # a step of a dark picture is no contrast
    excess = np.maximum(_excess(light / around, on), _excess(yellow / around, on))
    peak = (excess > 0) & (excess >= cv2.dilate(excess, np.ones((1, 2 * _NEAREST + 1), np.uint8)))
    which = np.flatnonzero(peak)
    if len(which) > _MOST:
        which = np.sort(which[np.argpartition(excess.ravel()[which], -_MOST)[-_MOST:]])
    row, column = np.unravel_index(which, peak.shape)
    area = float(on.sum()) * _STEP
    return Points(
        across[column], down[row], np.minimum(1, 0.25 + excess[row, column] / 0.3), len(which) / max(area, 1.0),
        down[on.any(1)],
    )  # fmt: skip


def _excess(value: Floats, on: NDArray[np.bool_]) -> Floats:
    """By how much a stripe exceeds the higher of its sides; 0 where that is no more than noise, or no road."""
    smooth = np.asarray(cv2.blur(value, (_STRIPE, 1)), np.float32)
    beside = np.pad(smooth, ((0, 0), (_BESIDE, _BESIDE)), "edge")
    left, right = beside[:, : -2 * _BESIDE], beside[:, 2 * _BESIDE :]
    excess = np.minimum(smooth - left, smooth - right)
    spread = np.abs(smooth[::4] - left[::4])[on[::4]]
    noise = 1.4826 * float(np.median(spread)) if spread.size else 0.0
    return np.where(on & (excess > max(_CONTRAST, _NOISE * noise)), excess, 0).astype(np.float32)

"""Pictures of clouds: from the top and from the side, the nearest point of each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelSpace

RGB = NDArray[np.uint8]

_BACKGROUND = 255


def view(
    horizontal: NDArray[np.float64],
    vertical: NDArray[np.float64],
    depth: NDArray[np.float64],
    size: int,
) -> NDArray[np.int64]:
    """Find the point that each pixel of a parallel projection shows.

    Args:
        horizontal: (N,) coordinate to the right.
        vertical: (N,) coordinate upwards.
        depth: (N,) the largest is in front.
        size: pixels of the longer side.

    Returns:
        (H, W) indices, -1 where nothing is seen. Where points are sparse, they are drawn larger: pixels without a point
        take that of a neighbour.
    """
    seen = np.flatnonzero(np.isfinite(horizontal) & np.isfinite(vertical) & np.isfinite(depth))
    if not len(seen):
        return np.full((1, 1), -1, dtype=np.int64)
    x, y = horizontal[seen] - horizontal[seen].min(), vertical[seen] - vertical[seen].min()
    extent = max(float(x.max()), float(y.max()), 1e-9)
    step = extent / size
    columns, rows = (np.minimum(values / step, size - 1).astype(np.int64) for values in (x, y))
    width, height = int(columns.max()) + 1, int(rows.max()) + 1
    order = np.argsort(depth[seen], kind="stable")
    picture = np.full((height, width), -1, dtype=np.int64)
    picture[height - 1 - rows[order], columns[order]] = seen[order]  # the last one written is in front
    # Twice over all eight neighbours: a point is drawn up to five pixels wide.
    for _ in range(2):
        for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            moved = np.roll(picture, shift, axis)
            edge = [slice(None), slice(None)]
            edge[axis] = slice(0, 1) if shift > 0 else slice(-1, None)
            moved[tuple(edge)] = -1
            picture = np.where(picture < 0, moved, picture)
    return picture


def draw(picture: NDArray[np.int64], colors: NDArray[np.uint8]) -> RGB:
    """(H, W, 3) from a `view` and the points' colours (N, 3); white where nothing is seen."""
    drawn = np.full((*picture.shape, 3), _BACKGROUND, dtype=np.uint8)
    shown = picture >= 0
    drawn[shown] = colors[picture[shown]]
    return drawn


def top_view(xyz: NDArray[np.float64], labels: NDArray[Any], space: LabelSpace, size: int = 800) -> RGB:
    """A cloud from above in the classes' colours (H, W, 3), `size` pixels on the longer side."""
    return draw(view(xyz[:, 0], xyz[:, 1], xyz[:, 2], size), space.colors()[labels])


def side_view(xyz: NDArray[np.float64], labels: NDArray[Any], space: LabelSpace, size: int = 800) -> RGB:
    """As `top_view`, looking north along y."""
    return draw(view(xyz[:, 0], xyz[:, 2], -xyz[:, 1], size), space.colors()[labels])

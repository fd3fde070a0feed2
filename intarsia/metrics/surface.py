"""Distances between surfaces, in the units of the spacing: Hausdorff distance, HD95, average symmetric distance.

Conventions:
    * A class's surface is its elements with a face neighbour outside it; what lies beyond the array is outside.
    * Elements whose target is ``ignore_index`` are unknown in both maps: they are part of no surface and make none.
    * HD95 is the larger of the two directed 95th percentiles (linear interpolation); the average symmetric surface
      distance is the mean over the elements of both surfaces together.
    * A class in neither map of an image has no distance there, and the image is left out. A class in one map only is a
      miss: its distances are infinite, and means count the image's diagonal instead, the largest distance there could
      be; misses are never dropped, and their number is reported.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.errors import UsageError
from intarsia.metrics.arrays import (
    Floats,
    as_mask,
    check_classes,
    check_same,
    check_spacing,
    check_target,
    kept_classes,
    mean,
    on_grid,
    plain,
    ratio,
)
from intarsia.metrics.distance import Mask, bounding_box, directed_distances, inner_surface


@dataclass(frozen=True)
class Distances:
    """Distances between two surfaces; infinite when one is empty, NaN when both are.

    Attributes:
        hausdorff: the largest distance from an element of one surface to the other surface.
        hd95: the same with the 95th percentile of each direction in place of the largest.
        assd: average symmetric surface distance.
    """

    hausdorff: float
    hd95: float
    assd: float


def surface_distances(prediction: ArrayLike, target: ArrayLike, *, spacing: Sequence[float] = (1.0, 1.0)) -> Distances:
    """Distances between two masks of one object.

    Args:
        prediction: (H, W) or (D, H, W) mask; booleans, integers, or numbers 0 and 1.
        target: mask of the same shape.
        spacing: distance between neighbours along each axis.

    Raises:
        UsageError: the spacing is not positive, or the masks do not lie on a grid of so many dimensions.
        DataError: the shapes differ, or a mask holds other numbers than 0 and 1.
    """
    steps = check_spacing(spacing)
    if np.ndim(target) != len(steps):
        raise UsageError(
            f"a surface distance needs one spacing for each axis of the mask: its shape is {np.shape(target)}, the "
            f"spacing {steps}"
        )
    ((one, other),) = on_grid(as_mask(prediction), as_mask(target), len(steps), "a surface distance")
    return _distances(one != 0, other != 0, np.ones(one.shape, dtype=bool), steps)


def _distances(predicted: Mask, truth: Mask, known: Mask, spacing: tuple[float, ...]) -> Distances:
    if not (predicted.any() or truth.any()):
        return Distances(math.nan, math.nan, math.nan)
    # One more element on each side, so that a cut is a border only where the array ends.
    box = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in bounding_box(predicted | truth))
    one, other = (inner_surface(mask[box], known[box], border=True) for mask in (predicted, truth))
    if not (one.any() and other.any()):
        return Distances(math.inf, math.inf, math.inf)
    there, back = directed_distances(one, other, spacing)
    return Distances(
        hausdorff=float(max(there.max(), back.max())),
        hd95=float(max(np.percentile(there, 95), np.percentile(back, 95))),
        assd=float((there.sum() + back.sum()) / (there.size + back.size)),
    )


@dataclass(frozen=True)
class SurfaceScores:
    """Mean distances of every class, in the units of the spacing; NaN for a class that no image holds.

    Attributes:
        hausdorff: (C,) mean over the images that hold the class in either map; misses count the image's diagonal.
        hd95: (C,).
        assd: (C,).
        images: (C,) images that hold the class in either map.
        misses: (C,) of them, those that hold it in one map only.
        mean_hausdorff: over the classes that have one.
        mean_hd95: over the classes that have one.
        mean_assd: over the classes that have one.
    """

    hausdorff: Floats
    hd95: Floats
    assd: Floats
    images: NDArray[np.int64]
    misses: NDArray[np.int64]
    mean_hausdorff: float
    mean_hd95: float
    mean_assd: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; a class without a distance is null."""
        return {name: plain(value) for name, value in vars(self).items()}


class SurfaceDistance:
    """Hausdorff distance, HD95 and average symmetric surface distance of every class, streaming over images.

    Args:
        classes: number of classes C.
        spacing: distance between neighbours along each of 2 or 3 axes, for instance mm per voxel.
        skip: classes that are not measured, for instance the background.
        ignore_index: target label of elements that are not counted.
    """

    def __init__(
        self,
        classes: int,
        *,
        spacing: Sequence[float] = (1.0, 1.0),
        skip: Collection[int] = (),
        ignore_index: int = 255,
    ) -> None:
        check_classes(classes, ignore_index)
        self.classes = classes
        self.spacing = check_spacing(spacing)
        self.ignore_index = ignore_index
        self._measured = np.flatnonzero(kept_classes(classes, skip))
        # Rows: sums of the three distances, images, misses.
        self._sums = np.zeros((5, classes))

    def update(self, prediction: ArrayLike, target: ArrayLike, *, spacing: Sequence[float] | None = None) -> None:
        """Add label maps (H, W) or (D, H, W), as many axes as the spacing has, or a batch of them.

        Args:
            prediction: labels.
            target: labels.
            spacing: of these maps, where it is another than usual, as of volumes.

        Raises:
            UsageError: the labels do not lie on a grid of so many dimensions, or the spacing is not positive.
            DataError: the shapes differ, or the target holds a label that is neither a class nor `ignore_index`.
        """
        steps = self.spacing if spacing is None else check_spacing(spacing)
        for predicted, truth in on_grid(prediction, target, len(steps), "a surface distance"):
            check_target(truth, self.classes, self.ignore_index)
            known = truth != self.ignore_index
            diagonal = math.hypot(*((n - 1) * step for n, step in zip(truth.shape, steps, strict=True)))
            for index in self._measured:
                found = _distances((predicted == index) & known, truth == index, known, steps)
                if not math.isnan(found.hausdorff):
                    values = np.array([found.hausdorff, found.hd95, found.assd, 1, math.isinf(found.hausdorff)])
                    self._sums[:, index] += np.where(np.isinf(values), diagonal, values)

    def merge(self, other: SurfaceDistance) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((o.classes, o.spacing, o.ignore_index, tuple(o._measured)) for o in (self, other))
        check_same(mine, theirs, "surface distances")
        self._sums += other._sums

    def compute(self) -> SurfaceScores:
        """Mean distances so far."""
        hausdorff, hd95, assd = (ratio(row, self._sums[3]) for row in self._sums[:3])
        images, misses = self._sums[3:].astype(np.int64)
        return SurfaceScores(hausdorff, hd95, assd, images, misses, mean(hausdorff), mean(hd95), mean(assd))

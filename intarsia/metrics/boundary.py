"""How right a segmentation is along the boundaries between classes.

Conventions:
    * Elements whose target is ``ignore_index`` are unknown in both maps: they count nowhere, and where a class meets
      them there is no boundary.
    * A class absent from both maps has no score (NaN) and is left out of means; one that is predicted but absent from
      the target scores 0, and one that is missed too.
    * The image's own border is a boundary for `BoundaryIoU` only, as in its paper.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike

from intarsia.errors import UsageError
from intarsia.metrics.arrays import (
    Floats,
    Labels,
    check_classes,
    check_same,
    check_target,
    kept_classes,
    mean,
    on_grid,
    plain,
    ratio,
)
from intarsia.metrics.confusion import ConfusionMatrix, Scores
from intarsia.metrics.distance import Mask, directed_distances, inner_surface

Convention = Literal["semantic", "davis"]


@dataclass(frozen=True)
class BoundaryScores:
    """A boundary measure of every class.

    Attributes:
        mean: over the classes that have a score.
        per_class: (C,), NaN where a class has none.
    """

    mean: float
    per_class: Floats

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; a class without a score is null."""
        return {"mean": plain(self.mean), "per_class": plain(self.per_class)}


def boundary_band(target: Labels, radius: int, *, ignore_index: int = 255) -> Mask:
    """Pixels near a boundary between classes, as a trimap marks them (Krähenbühl & Koltun 2011, section 5).

    Args:
        target: (H, W) labels.
        radius: largest distance in pixels (Chebyshev) from a pixel of another class.
        ignore_index: pixels with this label are no part of the band, and end at no boundary of it.

    Returns:
        (H, W) True for labelled pixels within `radius` of a labelled pixel of another class.
    """
    return _band(target, target != ignore_index, radius, border=False)


def _band(labels: Labels, known: Mask, radius: int, *, border: bool) -> Mask:
    """Known pixels with another label (or the image's border, if that counts) within `radius`."""
    is_byte = labels.dtype == np.uint8
    low, high = (0, 255) if is_byte else (-math.inf, math.inf)
    filtered = labels if is_byte else labels.astype(np.float32)
    # The largest and the smallest label around a pixel differ exactly where another label is near. Unknown pixels are
    # neither; beyond the image lies the largest there is, or nothing.
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    highest = cv2.dilate(
        np.where(known, filtered, filtered.dtype.type(low)),
        kernel,
        borderType=cv2.BORDER_CONSTANT,
        borderValue=high if border else low,
    )
    lowest = cv2.erode(np.where(known, filtered, filtered.dtype.type(high)), kernel)
    return np.asarray(known & (highest != lowest))


class TrimapScores:
    """Scores of the pixels near the target's boundaries alone, streaming (Krähenbühl & Koltun 2011, section 5).

    Args:
        classes: number of classes C.
        radii: half widths of the band in pixels, see `boundary_band`.
        ignore_index: target label of elements that are not counted.
    """

    def __init__(self, classes: int, *, radii: Sequence[int] = (1, 2, 4, 8, 16), ignore_index: int = 255) -> None:
        check_classes(classes, ignore_index)
        if not radii or min(radii) < 1:
            raise UsageError(f"radii are numbers of pixels, at least 1, not {tuple(radii)}")
        self.ignore_index = ignore_index
        self.matrices = {radius: ConfusionMatrix(classes, ignore_index=ignore_index) for radius in radii}

    def update(self, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add label maps (H, W), or a batch (N, H, W).

        Raises:
            UsageError: the labels do not lie on a grid.
            DataError: as `ConfusionMatrix.update`.
        """
        for predicted, truth in on_grid(prediction, target, 2, "trimap accuracy"):
            for radius, matrix in self.matrices.items():
                band = boundary_band(truth, radius, ignore_index=self.ignore_index)
                matrix.update(predicted[band], truth[band])

    def merge(self, other: TrimapScores) -> None:
        """Add what another one has seen, for instance in another process."""
        check_same(tuple(self.matrices), tuple(other.matrices), "trimap scores")
        for radius, matrix in self.matrices.items():
            matrix.merge(other.matrices[radius])

    def compute(self, *, leave_out: Collection[int] = ()) -> dict[int, Scores]:
        """Scores of the band of each radius; `leave_out` as in `ConfusionMatrix.compute`."""
        return {radius: matrix.compute(leave_out=leave_out) for radius, matrix in self.matrices.items()}


class BoundaryIoU:
    """IoU of the masks' inner boundary bands, streaming over the data set (Cheng et al. 2021, section 4).

    A class's band holds its pixels within `share` of the image's diagonal (Chebyshev distance, at least one pixel) of
    a pixel outside the class or of the image's border. Bands are intersected and united over all images.

    Args:
        classes: number of classes C.
        share: width of the bands as a share of the image's diagonal; the paper's 0.02 is 46 pixels for 1024x2048.
        ignore_index: target label of elements that are not counted.
    """

    def __init__(self, classes: int, *, share: float = 0.02, ignore_index: int = 255) -> None:
        check_classes(classes, ignore_index)
        if not 0 < share < 1:
            raise UsageError(f"share is a part of the image's diagonal, above 0 and below 1, not {share}")
        self.classes = classes
        self.share = share
        self.ignore_index = ignore_index
        # Rows: both bands at once, the target's band, the prediction's band.
        self._counts = np.zeros((3, classes), dtype=np.int64)

    def update(self, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add label maps (H, W), or a batch (N, H, W).

        Raises:
            UsageError: the labels do not lie on a grid.
            DataError: the shapes differ, or the target holds a label that is neither a class nor `ignore_index`.
        """
        for predicted, truth in on_grid(prediction, target, 2, "boundary IoU"):
            check_target(truth, self.classes, self.ignore_index)
            known = truth != self.ignore_index
            width = max(1, round(self.share * math.hypot(*truth.shape)))
            of_truth = _band(truth, known, width, border=True)
            of_prediction = _band(predicted, known & (predicted >= 0), width, border=True)
            of_prediction &= predicted < self.classes
            both = of_truth & of_prediction & (predicted == truth)
            for row, labels, band in zip(
                self._counts, (truth, truth, predicted), (both, of_truth, of_prediction), strict=True
            ):
                row += np.bincount(labels[band].astype(np.intp), minlength=self.classes)

    def merge(self, other: BoundaryIoU) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((one.classes, one.share, one.ignore_index) for one in (self, other))
        check_same(mine, theirs, "boundary IoUs")
        self._counts += other._counts

    def compute(self, *, leave_out: Collection[int] = ()) -> BoundaryScores:
        """Boundary IoU so far.

        Args:
            leave_out: classes that take no part in the mean.
        """
        both, truth, predicted = self._counts
        iou = ratio(both, truth + predicted - both)
        return BoundaryScores(mean(iou[kept_classes(self.classes, leave_out)]), iou)


class BoundaryF1:
    """F1 of the classes' contours within a tolerance, streaming; the mean over images, class by class.

    Precision is the share of the prediction's contour within the tolerance (Euclidean) of the target's contour,
    recall the share of the target's within the tolerance of the prediction's.

    Args:
        classes: number of classes C.
        convention: "semantic" (Csurka et al. 2013, section 3): the contour is a mask's pixels with a side neighbour
            outside it; images in which neither map has a contour of the class are left out. "davis" (Perazzi et al.
            2016, section 4.2): the contour is every pixel that differs from its right, lower or lower right
            neighbour; images in which neither map has a contour count 1, and the tolerance is rounded up to pixels.
        tolerance: share of the image's diagonal; None is the convention's own, 0.0075 or 0.008.
        ignore_index: target label of elements that are not counted.
    """

    def __init__(
        self,
        classes: int,
        *,
        convention: Convention = "semantic",
        tolerance: float | None = None,
        ignore_index: int = 255,
    ) -> None:
        check_classes(classes, ignore_index)
        if convention not in ("semantic", "davis"):
            raise UsageError(f"the conventions of boundary F1 are 'semantic' and 'davis', not {convention!r}")
        self.classes = classes
        self.convention = convention
        self.tolerance = tolerance if tolerance is not None else 0.0075 if convention == "semantic" else 0.008
        if not 0 < self.tolerance < 1:
            raise UsageError(f"tolerance is a part of the image's diagonal, above 0 and below 1, not {tolerance}")
        self.ignore_index = ignore_index
        # Rows: sum of the images' F1, number of images.
        self._sums = np.zeros((2, classes))

    def update(self, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add label maps (H, W), or a batch (N, H, W).

        Raises:
            UsageError: the labels do not lie on a grid.
            DataError: the shapes differ, or the target holds a label that is neither a class nor `ignore_index`.
        """
        for predicted, truth in on_grid(prediction, target, 2, "boundary F1"):
            check_target(truth, self.classes, self.ignore_index)
            known = truth != self.ignore_index
            tolerance = self.tolerance * math.hypot(*truth.shape)
            for index in range(self.classes):
                score = self._score((predicted == index) & known, truth == index, known, tolerance)
                if not math.isnan(score):
                    self._sums[:, index] += score, 1

    def _score(self, predicted: Mask, truth: Mask, known: Mask, tolerance: float) -> float:
        davis = self.convention == "davis"
        if davis:
            one, other = _contour(predicted, known), _contour(truth, known)
        else:
            one, other = (inner_surface(mask, known, border=False) for mask in (predicted, truth))
        if not one.any() or not other.any():
            return 0.0 if one.any() or other.any() else 1.0 if davis else math.nan
        reach = math.ceil(tolerance) if davis else tolerance
        precision, recall = (float((d <= reach).mean()) for d in directed_distances(one, other, (1, 1)))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def merge(self, other: BoundaryF1) -> None:
        """Add what another one has seen, for instance in another process."""
        mine, theirs = ((o.classes, o.convention, o.tolerance, o.ignore_index) for o in (self, other))
        check_same(mine, theirs, "boundary F1 scores")
        self._sums += other._sums

    def compute(self, *, leave_out: Collection[int] = ()) -> BoundaryScores:
        """Boundary F1 so far.

        Args:
            leave_out: classes that take no part in the mean.
        """
        f1 = ratio(*self._sums)
        return BoundaryScores(mean(f1[kept_classes(self.classes, leave_out)]), f1)


def _contour(mask: Mask, known: Mask) -> Mask:
    """Pixels that differ from their right, lower or lower right neighbour, where both are known."""
    contour = np.zeros_like(mask)
    for here, there in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
    ):
        contour[here] |= (mask[here] != mask[there]) & known[here] & known[there]
    return contour

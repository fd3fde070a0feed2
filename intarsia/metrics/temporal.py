"""How labels behave over time: do they move with the picture, stay where nothing changes, and flicker?

Flows are (H, W, 2) arrays on the present frame's grid that point, in pixels (x, then y), to the frame before. They come
from the pictures, and should be the same for every model that is compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.arrays import as_array
from intarsia.errors import DataError, UsageError
from intarsia.metrics.arrays import Labels, label_pair
from intarsia.metrics.confusion import ConfusionMatrix, Scores


def move_labels(labels: ArrayLike, flow: NDArray[np.floating], *, ignore_index: int = 255) -> Labels:
    """Labels of the frame before as the flow moves them: the nearest one, `ignore_index` from outside the frame.

    Raises:
        DataError: labels and flow differ in size.
    """
    given = as_array(labels, "labels")
    height, width = given.shape
    if flow.shape != (height, width, 2):
        raise DataError(f"a flow for labels of {given.shape} is {(height, width, 2)}, this one is {flow.shape}")
    columns = np.rint(np.arange(width) + flow[..., 0]).astype(np.int64)
    rows = np.rint(np.arange(height)[:, None] + flow[..., 1]).astype(np.int64)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    moved = given[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return np.where(inside, moved, np.asarray(ignore_index, dtype=given.dtype))


class TemporalConsistency:
    """mIoU between each frame's labels and the moved ones of the frame before (Liu et al. 2020, arXiv:2002.11433).

    Labels are fetched, never interpolated; what comes from outside the frame, and where `valid` is false, is left out.
    A model that never changes its mind scores high, so print it next to mIoU, and relative to what the truth scores.

    Args:
        classes: number of classes.
        ignore_index: labels that are left out.
    """

    def __init__(self, classes: int, *, ignore_index: int = 255) -> None:
        self._matrix = ConfusionMatrix(classes, ignore_index=ignore_index)

    def update(
        self, now: ArrayLike, before: ArrayLike, flow: NDArray[np.floating], valid: NDArray[np.bool_] | None = None
    ) -> None:
        """Add a pair of successive label maps (H, W)."""
        ignore = self._matrix.ignore_index
        labels, previous = label_pair(now, before)
        moved = move_labels(previous, flow, ignore_index=ignore)
        outside = (labels == ignore) | (moved == ignore)
        if valid is not None:
            outside |= ~valid
        self._matrix.update(labels, np.where(outside, ignore, moved).astype(moved.dtype))

    def merge(self, other: TemporalConsistency) -> None:
        """Add what another process has counted."""
        self._matrix.merge(other._matrix)

    def compute(self) -> Scores:
        """Scores of the moved labels against the present ones; ``miou`` is the temporal consistency."""
        return self._matrix.compute()


class VideoConsistency:
    """Of the pixels whose truth stays the same over a window, the share whose prediction does (VC_n).

    Miao et al. 2021, VSPW, section 5.1, average the share over all windows of n successive frames. They do not ask
    whether what stays the same is right; `correct` does.

    Args:
        window: n, frames of a window.
        ignore_index: target label of pixels that are left out.
    """

    def __init__(self, window: int = 8, *, ignore_index: int = 255) -> None:
        if window < 2:
            raise UsageError(f"a window has at least 2 frames, not {window}")
        self.window, self.ignore_index = window, ignore_index
        self._runs: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None = None
        self._last: tuple[Labels, Labels] | None = None
        self._shares: list[tuple[float, float]] = []

    def update(self, prediction: ArrayLike, target: ArrayLike) -> None:
        """Add the next frame (H, W)."""
        predicted, truth = label_pair(prediction, target)
        right = (predicted == truth) & (truth != self.ignore_index)
        if self._runs is None or self._last is None:
            ones = np.ones(truth.shape, dtype=np.int64)
            self._runs = (ones * (truth != self.ignore_index), ones, ones * right)
        else:
            same_truth = (truth == self._last[1]) & (truth != self.ignore_index)
            same = predicted == self._last[0]
            steady, kept, correct = self._runs
            self._runs = (
                np.where(same_truth, steady + 1, truth != self.ignore_index),
                np.where(same, kept + 1, 1),
                np.where(right, np.where(same & same_truth, correct + 1, 1), 0),
            )
        self._last = predicted, truth
        constant, same, right = (run >= self.window for run in self._runs)
        if constant.any():
            count = constant.sum()
            self._shares.append((float((constant & same).sum() / count), float((constant & right).sum() / count)))

    def reset(self) -> None:
        """Begin another video; what is counted stays."""
        self._runs = self._last = None

    def merge(self, other: VideoConsistency) -> None:
        """Add what another process has counted."""
        if other.window != self.window:
            raise UsageError(f"windows of {self.window} and {other.window} frames cannot be merged")
        self._shares += other._shares

    def compute(self) -> tuple[float, float]:
        """(VC_n, the same counting only what is right), in 0..1; NaN without a whole window."""
        if not self._shares:
            return float("nan"), float("nan")
        every, correct = np.mean(self._shares, axis=0)
        return float(every), float(correct)


class Flicker:
    """Share of pixels whose label changes along the motion while the truth there does not.

    Args:
        ignore_index: target label of pixels that are left out.
    """

    def __init__(self, *, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index
        self._changed = self._counted = 0

    def update(
        self,
        prediction: ArrayLike,
        previous: ArrayLike,
        target: ArrayLike,
        previous_target: ArrayLike,
        flow: NDArray[np.floating],
    ) -> None:
        """Add a pair of successive frames, their truths, and the flow between them."""
        now, before = label_pair(prediction, previous)
        truth, truth_before = label_pair(target, previous_target)
        moved = move_labels(before, flow, ignore_index=self.ignore_index)
        steady = (move_labels(truth_before, flow, ignore_index=self.ignore_index) == truth) & (
            truth != self.ignore_index
        )
        self._changed += int(((now != moved) & steady).sum())
        self._counted += int(steady.sum())

    def merge(self, other: Flicker) -> None:
        """Add what another process has counted."""
        self._changed += other._changed
        self._counted += other._counted

    def compute(self) -> float:
        """The share, 0..1; NaN without a counted pixel."""
        return self._changed / self._counted if self._counted else float("nan")

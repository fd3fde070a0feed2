"""From a network's small logits to labels at the image's own size, without ever holding classes x pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray
from intarsia.runtimes.axis import Axis, Indices
from intarsia.runtimes.blocks import decide_blocks
from intarsia.threads import side_by_side

Span = tuple[int, int]
Plane = NDArray[np.float32]

# One class's plane of a band stays in the processor's cache while it is resized and compared. Labels alone need hardly
# any planes, and larger bands spare them the work at their borders.
SCORED_PIXELS, _BAND_PIXELS = 1 << 17, 1 << 20


class Upsampling:
    """Bilinear resize of (1, C, h, w) logits to an image's own size, band by band, as if it were done in one call.

    Args:
        cells: (h, w) of the whole logits.
        size: (height, width) of the image.
        align_corners: the model's resize convention.
    """

    def __init__(self, cells: tuple[int, int], size: tuple[int, int], *, align_corners: bool) -> None:
        self._rows = Axis.of(cells[0], size[0], align_corners=align_corners)
        self._columns = Axis.of(cells[1], size[1], align_corners=align_corners)
        self._align_corners = align_corners

    def bands(self, chunks: list[int], *, scored: bool = False) -> list[list[Span]]:
        """Plan the row spans of the image that can be resized after each chunk of logit rows has arrived.

        Args:
            chunks: rows of each chunk, from top to bottom.
            scored: whether `planes` are wanted, rather than `labels` alone.
        """
        limit = max(1, (SCORED_PIXELS if scored else _BAND_PIXELS) // self._columns.size)
        plan, top, arrived = [], 0, 0
        for count in chunks:
            arrived += count
            ready = int(np.searchsorted(self._rows.after, arrived))
            plan.append([(start, min(start + limit, ready)) for start in range(top, ready, limit)])
            top = ready
        return plan

    def first_cell(self, row: int) -> int:
        """Find the first row of logits that image rows from `row` on need."""
        return int(self._rows.before[row]) if row < self._rows.size else self._rows.cells

    def planes(self, logits: Plane, first: int, band: Span) -> Iterator[Plane]:
        """Resize one band, class by class.

        Args:
            logits: (1, C, n, w) float32, logit rows from `first` on.
            first: row of the whole logits at which `logits` starts.
            band: image rows (top, bottom).

        Yields:
            For each class (bottom - top, width) float32; it may be a view of `logits`.
        """
        cells, rows = self._band(logits, first, band)
        return self._planes(cells, rows)

    def labels(self, logits: Plane, first: int, band: Span, dtype: np.dtype[Any]) -> LabelArray:
        """Choose the best class of each pixel of one band: what `decide` says of its planes, sooner.

        Args:
            logits: see `planes`.
            first: see `planes`.
            band: see `planes`.
            dtype: of the labels.
        """
        cells, rows = self._band(logits, first, band)
        known = decide_blocks(cells, rows, self._columns, dtype)
        if known is None:
            labels: LabelArray = np.empty((rows.size, self._columns.size), dtype)
            for some in self._portions(np.arange(rows.size)):
                labels[some] = decide(self._planes(cells, rows.part(some)), dtype, confidence=False)[0]
            return labels
        labels, ties = known
        y, x = np.divmod(ties.pixels, self._columns.size)
        for some in self._portions(np.unique(y)):
            found, _ = decide(self._planes(cells[ties.classes], rows.part(some)), dtype, confidence=False)
            here = (y >= some[0]) & (y <= some[-1])
            place = np.searchsorted(some, y[here]), x[here]
            labels[y[here], x[here]] = ties.classes[found[place]]
        return labels

    def _portions(self, rows: Indices) -> Iterator[Indices]:
        """Rows of a band in portions whose planes stay in the cache."""
        step = max(1, SCORED_PIXELS // self._columns.size)
        return (rows[start : start + step] for start in range(0, len(rows), step))

    def labels_by_band(
        self, logits: Plane, first: int, bands: Sequence[Span], dtype: np.dtype[Any]
    ) -> Iterator[LabelArray]:
        """Choose the labels of several bands, on all cores; see `labels`."""
        # Threads would take longer to start than one band takes.
        threads = 1 if len(bands) == 1 else None
        return side_by_side(lambda band: self.labels(logits, first, band, dtype), bands, threads)

    def _band(self, logits: Plane, first: int, band: Span) -> tuple[Plane, Axis]:
        """The cells (C, n, w) that a band lies on, and its rows on them."""
        top, bottom = band
        start, end = int(self._rows.before[top]), int(self._rows.after[bottom - 1]) + 1
        return logits[0, :, start - first : end - first], self._rows.part(slice(top, bottom), start)

    def _planes(self, cells: Plane, rows: Axis) -> Iterator[Plane]:
        for plane in cells:
            if self._rows.is_plain:
                yield self._stretched(plane[rows.before])
            else:
                yield self._stretched(_between(plane[rows.before], plane[rows.after], rows.share[:, None]))

    def _stretched(self, rows: Plane) -> Plane:
        columns = self._columns
        if columns.is_plain:
            return rows
        if self._align_corners:
            return _between(rows[:, columns.before], rows[:, columns.after], columns.share)
        # OpenCV rounds a lone row in another way than one of several.
        several = np.repeat(rows, 2, axis=0) if len(rows) == 1 else np.ascontiguousarray(rows)
        size = (columns.size, len(several))
        stretched = cv2.resize(several, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(stretched, dtype=np.float32)[: len(rows)]


def _between(first: Plane, second: Plane, share: Plane) -> Plane:
    """Interpolate in place of `second`; exact where both are equal."""
    second -= first
    second *= share
    second += first
    return second


def decide(
    planes: Iterable[Plane], dtype: np.dtype[Any], *, confidence: bool
) -> tuple[LabelArray, NDArray[np.float16] | None]:
    """Choose the best class of each pixel, the first of equal ones.

    Args:
        planes: logits (H, W) of one class after the other.
        dtype: of the labels.
        confidence: also return the winner's softmax probability.

    Returns:
        Labels (H, W), and (H, W) float16 probabilities or None.
    """
    each = iter(planes)
    best = next(each).copy()
    labels: LabelArray = np.zeros(best.shape, dtype)
    total = np.ones_like(best)
    for index, plane in enumerate(each, start=1):
        # Classes come in rising order: the last that beats all before it wins. Branch-free, unlike any argmax.
        np.maximum(labels, (plane > best).view(np.uint8) * dtype.type(index), out=labels)
        if confidence:
            higher = np.maximum(best, plane)
            total *= np.exp(best - higher)
            total += np.exp(plane - higher)
        np.maximum(best, plane, out=best)
    return labels, (1 / total).astype(np.float16) if confidence else None


def softmax(logits: Plane) -> Plane:
    """Turn logits (C, *S) into probabilities (C, *S) float32."""
    powers: Plane = logits - logits.max(axis=0)
    np.exp(powers, out=powers)
    powers /= powers.sum(axis=0)
    return powers


def resized_logits(logits: Plane, size: tuple[int, int], *, align_corners: bool) -> Plane:
    """Resize whole logits (1, C, h, w) to another (height, width)."""
    if logits.shape[2:] == size:
        return logits
    upsampling = Upsampling((logits.shape[2], logits.shape[3]), size, align_corners=align_corners)
    return np.stack(list(upsampling.planes(logits, 0, (0, size[0]))))[None]


def upsampled_labels(logits: Plane, size: tuple[int, int], *, align_corners: bool, dtype: np.dtype[Any]) -> LabelArray:
    """Choose the labels of whole logits at the image's own size.

    Args:
        logits: (1, C, h, w) float32.
        size: (height, width) of the image.
        align_corners: the model's resize convention.
        dtype: of the labels.

    Returns:
        (height, width).
    """
    upsampling = Upsampling((logits.shape[2], logits.shape[3]), size, align_corners=align_corners)
    labels: LabelArray = np.empty(size, dtype)
    bands = upsampling.bands([logits.shape[2]])[0]
    for (top, bottom), rows in zip(bands, upsampling.labels_by_band(logits, 0, bands, dtype), strict=True):
        labels[top:bottom] = rows
    return labels

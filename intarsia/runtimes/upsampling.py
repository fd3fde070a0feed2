"""From a network's small logits to labels at the image's own size, without ever holding classes x pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray

Span = tuple[int, int]
Plane = NDArray[np.float32]

# One class's plane of a band stays in the processor's cache while it is resized and compared.
_BAND_PIXELS = 1 << 17


class Upsampling:
    """Bilinear resize of (1, C, h, w) logits to an image's own size, band by band, as if it were done in one call.

    Args:
        cells: (h, w) of the whole logits.
        size: (height, width) of the image.
        align_corners: the model's resize convention.
    """

    def __init__(self, cells: tuple[int, int], size: tuple[int, int], *, align_corners: bool) -> None:
        self._cells, self._size, self._align_corners = cells, size, align_corners
        self._upper, self._lower, self._fraction = _neighbours(cells[0], size[0], align_corners)
        self._columns = _neighbours(cells[1], size[1], align_corners) if align_corners else None

    def bands(self, chunks: list[int]) -> list[list[Span]]:
        """Plan the row spans of the image that can be resized after each chunk of logit rows has arrived.

        Args:
            chunks: rows of each chunk, from top to bottom.
        """
        limit = max(1, _BAND_PIXELS // self._size[1])
        plan, top, arrived = [], 0, 0
        for count in chunks:
            arrived += count
            ready = int(np.searchsorted(self._lower, arrived))
            plan.append([(start, min(start + limit, ready)) for start in range(top, ready, limit)])
            top = ready
        return plan

    def first_cell(self, row: int) -> int:
        """Find the first row of logits that image rows from `row` on need."""
        return int(self._upper[row]) if row < self._size[0] else self._cells[0]

    def planes(self, logits: Plane, first: int, band: Span) -> Iterator[Plane]:
        """Resize one band, class by class.

        Args:
            logits: (1, C, n, w) float32, logit rows from `first` on.
            first: row of the whole logits at which `logits` starts.
            band: image rows (top, bottom).

        Yields:
            For each class (bottom - top, width) float32; it may be a view of `logits`.
        """
        top, bottom = band
        upper, lower = self._upper[top:bottom] - first, self._lower[top:bottom] - first
        fraction = self._fraction[top:bottom, None]
        for plane in logits[0]:
            if self._cells[0] == self._size[0]:
                rows = plane[top - first : bottom - first]
            else:
                rows = _between(plane[upper], plane[lower], fraction)
            yield self._stretched(rows)

    def _stretched(self, rows: Plane) -> Plane:
        height, width = rows.shape[0], self._size[1]
        if self._cells[1] == width:
            return rows
        if self._columns is not None:
            left, right, fraction = self._columns
            return _between(rows[:, left], rows[:, right], fraction)
        stretched = cv2.resize(np.ascontiguousarray(rows), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(stretched, dtype=np.float32)


def _neighbours(cells: int, size: int, align_corners: bool) -> tuple[NDArray[np.intp], NDArray[np.intp], Plane]:
    """Find for each of `size` places the cells on both sides, and the share of the second."""
    places = np.arange(size, dtype=np.float64)
    if align_corners:
        position = places * ((cells - 1) / max(size - 1, 1))
    else:
        position = np.maximum((places + 0.5) * (cells / size) - 0.5, 0)
    first = position.astype(np.intp)
    return first, np.minimum(first + 1, cells - 1), (position - first).astype(np.float32)


def _between(first: Plane, second: Plane, fraction: Plane) -> Plane:
    """Interpolate in place of `second`; exact where both are equal."""
    second -= first
    second *= fraction
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
    for top, bottom in upsampling.bands([logits.shape[2]])[0]:
        labels[top:bottom] = decide(upsampling.planes(logits, 0, (top, bottom)), dtype, confidence=False)[0]
    return labels

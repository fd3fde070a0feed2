"""Clean-up of labels: regions too small to be believed take the label around them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError

Labels = NDArray[Any]
_NONE = -1


def remove_small_regions(labels: Labels, *, pixels: int = 64, ignore_index: int = 255) -> Labels:
    """Give connected regions (4 neighbours) of fewer than `pixels` pixels the label that most of their outline touches.

    Small regions inside small regions are taken up from the outside in. Where all regions are small, nothing changes.

    Args:
        labels: (H, W) integers.
        pixels: the size from which a region stays.
        ignore_index: a label that is neither changed nor given.

    Returns:
        (H, W) of the same type.

    Raises:
        DataError: not an integer map.
        UsageError: `pixels` is negative.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise DataError(f"labels are an integer map (H, W), not {labels.dtype} {labels.shape}")
    if pixels < 0:
        raise UsageError(f"pixels is at least 0, not {pixels}")
    result = labels.copy()
    regions, kinds = _connected(labels)
    small = np.bincount(regions.ravel(), minlength=len(kinds)) < pixels
    small &= kinds != ignore_index
    if not small.any():
        return result
    pairs, lengths = _contacts(regions, small)
    given = np.where(small | (kinds == ignore_index), _NONE, kinds)
    while True:
        # Regions without a label yet, and what the labelled ones beside them say.
        useful = (given[pairs[:, 0]] == _NONE) & (given[pairs[:, 1]] != _NONE)
        winners = _majority(pairs[useful, 0], given[pairs[useful, 1]], lengths[useful])
        if not len(winners):
            break
        given[winners[:, 0]] = winners[:, 1]
    changed = small & (given != _NONE)
    lookup = np.where(changed, given, kinds)
    np.copyto(result, lookup[regions], where=changed[regions], casting="unsafe")
    return result


def _connected(labels: Labels) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The region of each pixel, numbered from 0 over all labels, and each region's label."""
    regions = np.empty(labels.shape, np.int32)
    kinds: list[NDArray[np.int64]] = []
    start = 0
    for label in np.unique(labels):
        mask = labels == label
        count, found = cv2.connectedComponents(mask.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
        np.copyto(regions, found + np.int32(start - 1), where=mask)
        kinds.append(np.full(count - 1, label, np.int64))
        start += count - 1
    return regions, np.concatenate(kinds)


def _contacts(regions: NDArray[np.int32], small: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a small region and a neighbour, and the number of pixel edges between them."""
    found = []
    for first, second in ((regions[:, :-1], regions[:, 1:]), (regions[:-1], regions[1:])):
        for one, other in ((first, second), (second, first)):
            touching = small[one] & (one != other)
            found.append(one[touching].astype(np.int64) * len(small) + other[touching])
    codes, lengths = np.unique(np.concatenate(found), return_counts=True)
    return np.stack(np.divmod(codes, len(small)), 1), lengths


def _majority(regions: NDArray[np.int64], labels: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each region the label with the longest contact, the lower one of equals: rows of (region, label)."""
    pairs, place = np.unique(np.stack([regions, labels], 1), axis=0, return_inverse=True)
    weights = np.bincount(place.reshape(-1), weights=lengths, minlength=len(pairs))
    order = np.lexsort((pairs[:, 1], -weights, pairs[:, 0]))
    best, first = np.unique(pairs[order, 0], return_index=True)
    return np.stack([best, pairs[order[first], 1]], 1)

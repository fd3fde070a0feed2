"""Which ink belongs to which line, and each line's baseline and outline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.handwriting.cores import Core, Ints, nearest_label

Points = NDArray[np.float64]

_REACH = 0.9  # how far from its core a line's ink lies, in heights
_EXTENSION = 1.3  # how far beyond its ends, likewise
_TALL = 3.0  # heights of a line that no letter has: rules, frames, stains
_SPECK = 0.08  # heights; what is smaller is no ink but dust
_BIN = 0.4  # width of the steps of outlines, in heights
_MARGIN = 0.18  # around the ink, in heights
_LEAST_UP, _LEAST_DOWN = 0.35, 0.3  # from the middle to an outline where there is no ink, in heights
_MOST_UP, _MOST_DOWN = 1.1, 0.9  # and where tails of letters reach far


@dataclass(frozen=True)
class Ink:
    """The ink of a page.

    Attributes:
        labels: (h, w) label of each pixel's line, 0 for paper and for ink of no line.
        pieces: number of connected pieces of ink, dust left out.
        lost: number of those that are in no line.
        lost_share: share of the pixels of all pieces, 0..1.
    """

    labels: Ints
    pieces: int
    lost: int
    lost_share: float


def assign_ink(ink: NDArray[np.bool_], labels: Ints, cores: list[Core]) -> Ink:
    """Give each connected piece of ink to the line that it is in; what lies across several is cut between them.

    Args:
        ink: (h, w).
        labels: (h, w) of the cores.
        cores: one a label.
    """
    count, pieces, boxes, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    heights = np.zeros(int(labels.max()) + 1)
    heights[[core.label for core in cores]] = [core.height for core in cores]
    typical = float(np.median([core.height for core in cores])) if cores else 0.02 * max(ink.shape)
    large = boxes[:, cv2.CC_STAT_AREA] >= max(4.0, (_SPECK * typical) ** 2)
    large[0] = False
    nearest, distance = nearest_label(labels)
    ys, xs = np.nonzero(ink)
    piece = pieces[ys, xs]
    line = np.where(distance[ys, xs] <= _REACH * heights[nearest[ys, xs]], nearest[ys, xs], 0)
    whole = _owner(piece, line, count, len(heights))
    touched = np.zeros(count, np.bool_)
    touched[pieces[(labels > 0) & ink]] = True
    # A piece that is too tall for its line is cut, or, where it touches no line's middle, in none.
    cut = (whole < 0) | (boxes[:, cv2.CC_STAT_HEIGHT] > _TALL * heights[np.maximum(whole, 0)])
    _take_ends(whole, boxes, cores)
    owner = np.where(cut[piece], np.where(touched[piece], line, 0), whole[piece])
    found = np.zeros(labels.shape, np.int32)
    found[ys, xs] = np.where(large[piece], owner, 0)
    sizes = boxes[:, cv2.CC_STAT_AREA].astype(np.int64)
    kept = np.zeros(count, np.bool_)
    kept[piece[owner > 0]] = True
    lost = large & ~kept
    total = int(sizes[large].sum())
    return Ink(found, int(large.sum()), int(lost.sum()), int(sizes[lost].sum()) / total if total else 0.0)


def _owner(piece: NDArray[Any], line: Ints, count: int, lines: int) -> Ints:
    """The line that holds most of each piece: 0 none, -1 several."""
    keys, sizes = np.unique(piece.astype(np.int64) * lines + line, return_counts=True)
    total = np.bincount(piece, minlength=count)
    best = np.zeros(count, np.int64)
    np.maximum.at(best, keys // lines, sizes)
    first = sizes == best[keys // lines]
    found = np.zeros(count, np.int32)
    found[keys[first] // lines] = keys[first] % lines
    several = best < 0.8 * total
    return np.where(several, -1, found).astype(np.int32)


def _take_ends(owner: Ints, boxes: NDArray[Any], cores: list[Core]) -> None:
    """Give first and last letters that stand apart, such as initials, to the line that goes on through them."""
    left, top, width, height = (boxes[:, index] for index in (
        cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT))  # fmt: skip
    x, y = left + width / 2, top + height / 2
    for core in cores:
        beyond = np.maximum(core.left - x, x - core.right)
        tall = core.height
        letters = (
            (owner == 0) & (beyond > 0) & (beyond < _EXTENSION * tall) & (np.abs(y - core.at(x)) < 0.5 * tall)
            & (height > 0.3 * tall) & (height < 1.6 * tall) & (width < 2 * tall)
        )  # fmt: skip
        owner[letters] = core.label


def outline(core: Core, xs: NDArray[np.int64], ys: NDArray[np.int64], size: tuple[int, int]) -> Points | None:
    """The outline of a line's ink: upper and lower edge as functions of x, so that it never crosses itself.

    Args:
        core: of the line.
        xs: of its ink.
        ys: likewise.
        size: (height, width) of the page.

    Returns:
        (n, 2) corners x, y, clockwise from the left; None if there is too little ink.
    """
    if len(xs) < 4:
        return None
    step = max(2.0, _BIN * core.height)
    left, right = float(xs.min()), float(xs.max()) + 1
    count = max(1, round((right - left) / step))
    edges = np.linspace(left, right, count + 1)
    bins = np.clip(((xs - left) * count / (right - left)).astype(np.int64), 0, count - 1)
    x = (edges[1:] + edges[:-1]) / 2
    middle, margin = core.at(x), _MARGIN * core.height
    top, bottom = middle - _LEAST_UP * core.height, middle + _LEAST_DOWN * core.height
    np.minimum.at(top, bins, ys - margin)
    np.maximum.at(bottom, bins, ys + 1.0 + margin)
    top = np.clip(np.maximum(top, middle - _MOST_UP * core.height), 0, size[0] - 1)
    bottom = np.clip(np.minimum(bottom, middle + _MOST_DOWN * core.height), 1, size[0])
    x = np.concatenate([[left - margin], x, [right + margin]])
    top, bottom = (np.concatenate([edge[:1], edge, edge[-1:]]) for edge in (top, bottom))
    ring = np.concatenate([np.stack([x, top], 1), np.stack([x, bottom], 1)[::-1]])
    return np.asarray(np.round(np.clip(ring, 0, size[::-1]), 1), np.float64)


def box(core: Core, size: tuple[int, int]) -> Points:
    """The outline of a line of which no ink was found: a band around its middle."""
    x = np.array([core.left, core.right], np.float64)
    y = core.at(x)
    ring = np.concatenate([np.stack([x, y - core.height / 2], 1), np.stack([x, y + core.height / 2], 1)[::-1]])
    return np.asarray(np.round(np.clip(ring, 0, size[::-1]), 1), np.float64)


def baseline(core: Core, xs: NDArray[np.int64], ys: NDArray[np.int64]) -> Points:
    """The line that the letters stand on: where, below the middle, most of the ink ends.

    Returns:
        (n, 2) x, y from left to right.
    """
    below = ys - core.at(xs)
    height = core.height
    left, right = (min(float(xs.min()), core.left), max(float(xs.max()) + 1, core.right)) if len(xs) else (
        core.left, core.right)  # fmt: skip
    count = max(2, min(12, round((right - left) / (4 * height)) + 1))
    x = np.linspace(left, right - 1, count)
    offset = np.full(count, 0.5 * core.thickness)
    near = np.abs(below) < height
    rows = np.arange(-round(height), round(height) + 1)
    if near.any():
        profile = np.bincount(np.rint(below[near]).astype(np.int64) + round(height), minlength=len(rows))[: len(rows)]
        offset[:] = _foot(profile.astype(np.float64), rows)
    return np.round(np.stack([x, core.at(x) + offset], axis=1), 1)


def _foot(profile: NDArray[np.float64], rows: NDArray[np.int64]) -> float:
    """How far below the middle most of the ink ends: where it gets less than half of what it was there."""
    smooth = np.convolve(profile, np.ones(3) / 3, mode="same")
    lower = np.flatnonzero(rows >= 0)
    peak = smooth.max()
    ended = lower[smooth[lower] < 0.5 * peak]
    return float(rows[ended[0]]) if len(ended) else float(rows[-1])

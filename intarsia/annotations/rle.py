"""Run-length codes of masks: plain counts, and the text form of COCO; vectorised.

Counts alternate between pixels outside and inside, beginning outside (the first may be 0). COCO counts column by
column (order "F"), CVAT row by row (order "C"). The text form writes the difference to the count two before, five
bits a character from the lowest on, the sixth bit for "more follows", plus 48 (cocodataset/cocoapi,
common/maskApi.c, rleToString).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError

Order = Literal["F", "C"]
Counts = NDArray[np.int64]

MOST_PIXELS = 400_000_000


def runs(bitmap: NDArray[np.bool_], order: Order = "F") -> Counts:
    """Counts of a mask (H, W)."""
    flat = np.asarray(bitmap, np.bool_).ravel(order)
    if not flat.size:
        return np.zeros(0, np.int64)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate((np.zeros(2 if flat[0] else 1, np.int64), changes, [flat.size]))
    return np.diff(edges).astype(np.int64)


def decode_runs(counts: Sequence[int] | Counts, size: tuple[int, int], order: Order = "F") -> NDArray[np.bool_]:
    """The mask (H, W) of counts.

    Raises:
        DataError: counts that are no numbers, negative, or do not add up to the size.
    """
    height, width = size
    if height < 0 or width < 0 or height * width > MOST_PIXELS:
        raise DataError(f"run lengths for a mask of {width}x{height} pixels, more than any image has")
    try:
        lengths = np.asarray(counts, np.int64).reshape(-1)
    except (TypeError, ValueError, OverflowError):
        raise DataError("run lengths that are not a list of numbers") from None
    pixels = height * width
    if lengths.size and (lengths.min() < 0 or lengths.max() > pixels):
        raise DataError("run lengths that are negative or longer than the mask")
    if int(lengths.sum()) != pixels:
        raise DataError(f"run lengths that add up to {int(lengths.sum())}, not to the {width}x{height} pixels")
    inside = np.arange(lengths.size) % 2 == 1
    return np.repeat(inside, lengths).reshape(size, order=order)


def to_text(counts: Sequence[int] | Counts) -> str:
    """COCO's text form of counts."""
    lengths = np.asarray(counts, np.int64)
    values = lengths.copy()
    values[3:] -= lengths[1:-2]
    digits = np.zeros((values.size, 13), np.int64)
    used = np.zeros((values.size, 13), np.bool_)
    more = np.ones(values.size, np.bool_)
    place = 0
    while more.any():
        used[:, place] = more
        digit = values & 31
        values = values >> 5
        # Done when the rest is only the sign that the digit's highest bit already says.
        following = more & ~np.where(digit & 16, values == -1, values == 0)
        digits[:, place] = digit | np.where(following, 32, 0)
        more = following
        place += 1
    return (digits[used] + 48).astype(np.uint8).tobytes().decode("ascii")


def from_text(text: str | bytes) -> Counts:
    """Counts from COCO's text form.

    Raises:
        DataError: characters outside the code, or a text that ends within a number.
    """
    try:
        data = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise DataError("run lengths with characters outside COCO's code") from None
    digits = np.frombuffer(data, np.uint8).astype(np.int64) - 48
    if digits.size and (digits.min() < 0 or digits.max() > 63):
        raise DataError("run lengths with characters outside COCO's code")
    last = (digits & 32) == 0
    if digits.size and not last[-1]:
        raise DataError("run lengths that end within a number")
    if not digits.size:
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(digits.size) - np.repeat(starts, ends - starts + 1)
    if place.max() > 11:
        raise DataError("run lengths with a number too long for any image")
    values = np.add.reduceat((digits & 31) << (5 * place), starts)
    negative = (digits[ends] & 16) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * (place[ends] + 1))), values)
    # Every count from the fourth on is a difference to the one two before: sum the odd and the even ones up.
    counts = values.copy()
    counts[1::2] = np.cumsum(values[1::2])
    counts[2::2] = np.cumsum(values[2::2])
    return counts

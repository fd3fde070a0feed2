"""Numbers in files that store a start and a length instead of two ends, and integers as integers."""

from __future__ import annotations

_DIGITS = 9
"""Decimals that are kept of sums and differences; those behind come from the arithmetic, not from the annotator."""


def end(start: float, length: float) -> float:
    """Compute where something ends, without the dust of binary fractions: 104.553 + 319.056 is 423.609."""
    return round(start + length, _DIGITS)


def length(start: float, stop: float) -> float:
    """Compute how long something is; of coordinates of up to nine decimals, `end` gives the same stop again."""
    return round(stop - start, _DIGITS)


def plain(value: float) -> int | float:
    """An int where the value is whole, as the tools themselves write it."""
    return int(value) if value == int(value) else value

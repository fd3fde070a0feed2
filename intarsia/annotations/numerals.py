"""Numbers on their way into files that store lengths instead of ends, and integers as integers."""

from __future__ import annotations

import math


def length(start: float, stop: float) -> float:
    """The number to store such that `start + length` is `stop` again, as nearly as floats allow."""
    plain = stop - start
    for candidate in (plain, math.nextafter(plain, math.inf), math.nextafter(plain, -math.inf)):
        if start + candidate == stop:
            return candidate
    return plain


def plain(value: float) -> int | float:
    """An int where the value is whole, as the tools themselves write it."""
    return int(value) if value == int(value) else value

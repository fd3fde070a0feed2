"""Options that are said as text, in the shell and over HTTP alike."""

from __future__ import annotations

from collections.abc import Iterable

from intarsia.errors import UsageError


def read_codes(said: Iterable[str]) -> dict[str, int]:
    """Read the class codes of LAS files.

    Raises:
        UsageError: one is not of the form CLASS=CODE.
    """
    codes = {}
    for one in said:
        name, _, code = one.rpartition("=")
        if not name or not code.isdecimal() or len(code) > 3:
            raise UsageError(f"codes are CLASS=CODE, for instance rest=1, not {one!r}")
        codes[name] = int(code)
    return codes


def read_window(said: str) -> tuple[float, float]:
    """Read the stored values that become black and white.

    Raises:
        UsageError: they are not two, the lower one first.
    """
    try:
        low, high = (float(part) for part in said.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise UsageError(f"window is two numbers with a comma between, the lower one first, not {said!r}")
    return low, high

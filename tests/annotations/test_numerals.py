"""Lengths that lead back to the same end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from intarsia.annotations.numerals import end, length, plain


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 6))
def test_decimals_survive(a: int, b: int, decimals: int) -> None:
    start, stop = sorted((a / 10**decimals, b / 10**decimals))
    if stop <= 1e6:
        assert end(start, length(start, stop)) == stop


def test_written_as_people_write() -> None:
    assert length(2.34, 39.96) == 37.62
    assert end(119.393, 154.469) == 273.862
    assert [repr(plain(value)) for value in (2.0, -3.0, 2.5)] == ["2", "-3", "2.5"]

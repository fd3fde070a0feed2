"""Long work says how far it is."""

from __future__ import annotations

from intarsia.exporting.telling import Teller, Told


def test_it_is_told_every_ten_seconds_what_is_left() -> None:
    said: list[str] = []
    clock = iter([0.0, 4.0, 20.0, 25.0, 60.0])  # the start, then after each
    tell = Teller("measuring, item", said.append, lambda: next(clock))
    for done in (1, 2, 3, 8):
        tell(done, 8)
    assert said == ["measuring, item 2 of 8, about 60 s left"], "neither at once, nor again so soon, nor at the end"


def test_what_is_told_can_be_gone_through_again() -> None:
    items = Told([3, 1], 2, "item", print)
    assert [list(items), list(items)] == [[3, 1], [3, 1]]

"""Work ahead: in order, bounded, errors at their turn, and threads that end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from intarsia.media.ahead import Ahead


def counting(made: list[int], end: int = 100) -> Iterator[int]:
    for number in range(end):
        made.append(number)
        yield number


def test_items_come_in_order_and_only_a_few_are_made_ahead() -> None:
    made: list[int] = []
    with Ahead(counting(made, 30), 3) as ahead:
        for number, item in enumerate(ahead):
            assert item == number
            assert len(made) <= number + 1 + 3 + 1  # taken, waiting, in the making
    assert len(made) == 30


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def failing() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("the third")

    taken = []
    with pytest.raises(ValueError, match="the third"), Ahead(failing(), 5) as ahead:
        for item in ahead:
            taken.append(item)
    assert taken == [1, 2]


def test_leaving_ends_the_thread() -> None:
    made: list[int] = []
    threads = threading.active_count()
    with Ahead(counting(made), 2) as ahead:
        assert next(iter(ahead)) == 0
    assert threading.active_count() == threads and len(made) < 100


def test_one_behind_the_other() -> None:
    threads = threading.active_count()
    with Ahead(range(50), 1) as numbers, Ahead((2 * number for number in numbers), 1) as doubled:
        assert list(doubled) == list(range(0, 100, 2))
    with Ahead(range(50), 1) as numbers, Ahead((2 * number for number in numbers), 1) as doubled:
        assert next(iter(doubled)) == 0
    assert threading.active_count() == threads

"""Cutting: how many parts there are, and what is still to be computed between those that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intarsia.jobs import JobOptions
from intarsia.jobs.cutting import CUTTINGS
from intarsia.jobs.cutting.archive import PartFile, is_whole, write_part
from intarsia.jobs.cutting.contract import Span, Undivided, covered


def stretches(rows: int, workers: int) -> list[Span]:
    class Large:
        def extent(self, reader: Any) -> Span:
            return 0, rows

    return CUTTINGS["rows"].stretches(Large(), None, JobOptions(), workers)


@pytest.mark.parametrize(
    ("rows", "workers", "expected"),
    [
        (17, 2, [(0, 9), (9, 17)]),  # the second computes the row above it, too
        (52, 2, [(0, 26), (26, 52)]),
        (66, 2, [(0, 17), (17, 33), (33, 49), (49, 66)]),  # as many for each worker
        (30, 4, [(0, 10), (10, 20), (20, 30)]),  # none shorter than eight
        (100, 1, [(0, 25), (25, 50), (50, 75), (75, 100)]),
    ],
)
def test_parts_are_about_equal(rows: int, workers: int, expected: list[Span]) -> None:
    assert stretches(rows, workers) == expected


def test_what_is_short_is_not_cut() -> None:
    with pytest.raises(Undivided, match="it is short"):
        stretches(15, 2)


def test_what_is_not_there_is_computed() -> None:
    one, two = Path("one"), Path("two")
    assert covered((0, 9), {(6, 8): two, (1, 4): one}) == {
        (0, 1): None, (1, 4): one, (4, 6): None, (6, 8): two, (8, 9): None
    }  # fmt: skip
    found = covered((0, 9), {(2, 9): two, (0, 5): one, (5, 12): two})  # parts for more workers, and of another extent
    assert list(found.items()) == [((0, 5), one), ((5, 9), None)]
    assert covered((3, 9), {(3, 9): one}) == {(3, 9): one}


def test_a_part_that_is_torn_is_not_taken(tmp_path: Path) -> None:
    file, labels = tmp_path / "part.zip", np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_part(file, [("0-2", {"labels": labels}), ("4/0a", {"labels": labels + 1, "filled": np.array(["red"])})])
    assert is_whole(file)
    with PartFile(file) as part:
        assert part.names == ["0-2", "4/0a"]
        assert np.array_equal(part.take("0-2")["labels"], labels)
        assert part.take("4/0a")["filled"].tolist() == ["red"]
    for damaged in (file.read_bytes()[:-9], file.read_bytes().replace(labels.tobytes()[:4], b"\xff" * 4)[:-1]):
        file.write_bytes(damaged)
        assert not is_whole(file)

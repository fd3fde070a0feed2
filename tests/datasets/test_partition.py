"""Dividing data without splits."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from intarsia.datasets import Item
from intarsia.datasets.partition import partition


def items(names: list[str]) -> list[Item]:
    return [Item(name, Path(f"{name}.jpg"), Path(f"{name}.png")) for name in names]


@pytest.mark.parametrize(
    ("count", "fraction", "wanted"), [(2, 0.2, 1), (5, 0.9, 4), (10, 0.2, 2), (100, 0.2, 20), (24, 0.25, 6)]
)
def test_sizes(count: int, fraction: float, wanted: int) -> None:
    train, val = partition(items([str(i) for i in range(count)]), fraction, seed=0)
    assert len(train) + len(val) == count
    assert not {item.id for item in train} & {item.id for item in val}
    assert abs(len(val) - wanted) <= max(1, wanted // 3)
    assert train
    assert val


def test_it_is_the_same_everywhere() -> None:
    names = [f"clip_{i:04d}" for i in range(50)]
    _, val = partition(items(names), 0.2, seed=0)
    _, again = partition(items(names[::-1]), 0.2, seed=0)
    assert {item.id for item in val} == {item.id for item in again}
    assert {item.id for item in partition(items(names), 0.2, seed=1)[1]} != {item.id for item in val}


def test_slices_of_one_volume_stay_together() -> None:
    names = [
        f"{how}_{volume}_{slice_}" for volume in range(40) for slice_ in (8, 9, 10) for how in ("flipped", "mirrored")
    ]
    train, val = partition(items(names), 0.2, seed=0)
    volumes = [{re.split("_", item.id)[1] for item in side} for side in (train, val)]
    assert not volumes[0] & volumes[1]
    assert len(val) == 48


def test_a_long_clip_is_cut_into_runs() -> None:
    _, val = partition(items([f"frame_{i}" for i in range(100)]), 0.2, seed=0)
    numbers = sorted(int(item.id.removeprefix("frame_")) for item in val)
    runs = 1 + sum(b != a + 1 for a, b in itertools.pairwise(numbers))
    assert runs <= 5

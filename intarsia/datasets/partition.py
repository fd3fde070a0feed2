"""Dividing a data set that comes without splits, neighbours kept together."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from intarsia.datasets.layouts.pairing import natural
from intarsia.datasets.splits import Item

_Item = TypeVar("_Item", bound=Item)
_AUGMENTED = re.compile(r"(?:^|(?<=[_\-/]))(?:flipped|mirrored|rotated|augmented|aug|orig|original|copy)[_\-]")


def partition(items: Sequence[_Item], fraction: float, seed: int) -> tuple[tuple[_Item, ...], tuple[_Item, ...]]:
    """Divide into (train, val).

    Frames of one video or slices of one volume look alike, so items whose names differ in the last number only stay
    on one side; a series too long for that is cut into runs of neighbours. The order of the runs comes from a hash
    of their names, so it does not depend on the machine or on the order of the files.

    Args:
        items: at least two items.
        fraction: share of the items in val, above 0 and below 1; at least one item lands on each side.
        seed: another seed gives another division.
    """
    wanted = min(max(1, round(len(items) * fraction)), len(items) - 1)
    series: dict[str, list[_Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: natural(item.id)):
        series[_series(item.id)].append(item)
    runs = []
    for name, members in series.items():
        # A third of val per run: long, as the two ends of a run have neighbours in train, yet val stays varied.
        step = len(members) if len(members) <= wanted else max(min(wanted, 5), wanted // 3)
        runs += [(f"{name}#{start // step}", members[start : start + step]) for start in range(0, len(members), step)]
    runs.sort(key=lambda run: hashlib.sha256(f"{seed}:{run[0]}".encode()).digest())
    chosen: set[str] = set()
    for _, run in runs:
        if len(chosen) + len(run) <= wanted:
            chosen.update(item.id for item in run)
    if not chosen:
        chosen.update(item.id for item in runs[0][1][:wanted])
    return (
        tuple(item for item in items if item.id not in chosen),
        tuple(item for item in items if item.id in chosen),
    )


def _series(name: str) -> str:
    return re.sub(r"\d+(?=\D*$)", "#", _AUGMENTED.sub("", name.lower()))

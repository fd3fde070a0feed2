"""Dividing a data set that comes without splits, neighbours kept together."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from intarsia.datasets.layouts.filenames import natural
from intarsia.datasets.splits import Item
from intarsia.errors import counted
from intarsia.files import encoded

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
    runs.sort(key=lambda run: hashlib.sha256(encoded(f"{seed}:{run[0]}")).digest())
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


def divide(
    items: Sequence[tuple[str | None, Item]], fraction: float, seed: int, *, thing: str
) -> tuple[dict[str, tuple[Item, ...]], list[str]]:
    """Items by split, in the order train, val, test, and what was decided.

    Items without a split go to train, where there are other splits. Where there is no val, it is set aside from train.

    Args:
        items: each with the split that it belongs to, or None.
        fraction: share of train that becomes val where there is none; 0 divides nothing ("all" if there is no split).
        seed: another seed gives another division.
        thing: the word for an item.
    """
    groups: dict[str | None, list[Item]] = defaultdict(list)
    for split, item in items:
        groups[split].append(item)
    named = {name: tuple(groups[name]) for name in ("train", "val", "test") if groups.get(name)}
    loose = tuple(groups.get(None, ()))
    if not named and fraction == 0:
        return {"all": loose}, []
    notes = []
    if loose and named:
        were = "was" if len(loose) == 1 else "were"
        notes.append(f"{counted(len(loose), f'labelled {thing}')} outside the split folders {were} added to train.")
    if loose:
        named = {"train": (*named.get("train", ()), *loose)} | {k: v for k, v in named.items() if k != "train"}
    if "val" in named or "train" not in named or fraction == 0:
        return named, notes
    if len(named["train"]) < 2:
        return named, [*notes, f"There is only one labelled {thing}, so there is no val split."]
    train, val = partition(named["train"], fraction, seed)
    notes.append(
        f"The data set has no val split: {len(val)} of {len(train) + len(val)} {thing}s were set aside for it "
        f"(by name, neighbours together, seed {seed})."
    )
    return {"train": train, "val": val} | {name: named[name] for name in named if name == "test"}, notes

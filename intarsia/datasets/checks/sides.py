"""Whether classes of left and right lie on the same sides in all pictures: where they do not, one may be mirrored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from intarsia.datasets.checks.report import Problem
from intarsia.labels import LabelArray

_MOSTLY, _LEAST = 0.9, 10  # share of pictures that agree, and pictures, from which the others are remarkable
_CELLS = 128  # of the longer side: enough to tell where things lie

Pair = tuple[int, int]


def find_sides(labels: LabelArray, pairs: Sequence[Pair]) -> dict[Pair, bool]:
    """Tell of each pair that is there whether its left one lies further left.

    Args:
        labels: (H, W) of a picture.
        pairs: numbers of classes that change places in a mirrored picture.
    """
    coarse = labels[:: -(-max(labels.shape) // _CELLS), :: -(-max(labels.shape) // _CELLS)]
    found = {}
    for pair in pairs:
        columns = [np.nonzero(coarse == number)[1] for number in pair]
        if all(len(one) for one in columns):
            found[pair] = bool(columns[0].mean() < columns[1].mean())
    return found


def other_sides(seen: Mapping[str, Mapping[Pair, bool]], names: Sequence[str]) -> Iterator[Problem]:
    """Report the pictures whose left and right lie the other way round than in nearly all.

    Args:
        seen: by the file of labels, what `find_sides` found in it.
        names: of the classes.
    """
    for pair in sorted({pair for found in seen.values() for pair in found}):
        there = {file: found[pair] for file, found in seen.items() if pair in found}
        usual = 2 * sum(there.values()) > len(there)
        others = [file for file, side in there.items() if side != usual]
        share = 1 - len(others) / len(there)
        if len(there) >= _LEAST and share >= _MOSTLY:
            left, right = (names[number] for number in pair)
            detail = (
                f"{left} lies {'right' if usual else 'left'} of {right}, which {100 * share:.0f} % of the masks have "
                "the other way round; a mirrored picture whose classes did not change places, or one from behind?"
            )
            yield from (Problem("warning", "left and right the other way round", file, detail) for file in others)

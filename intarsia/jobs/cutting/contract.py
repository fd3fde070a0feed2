"""The contract of what cuts sources of one form: how much of one there is, what a part computes, and how it is kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from intarsia.jobs.task import JobOptions, Span

There = Mapping[Span, Path | None]
"""The stretches of a source from its beginning to its end, with the file of each; None where it is to be computed."""

Packed = tuple[str, Mapping[str, NDArray[Any]]]
"""One item of a part as it is kept: arrays by name, under a name of its own."""


class Undivided(Exception):
    """Why a source is done as a whole, in words that follow its name."""


@dataclass(frozen=True)
class Cutting:
    """How sources of one form are cut.

    A stretch is a span of whole numbers, which mean what the form wants: rows of tiles, times of frames, or points. All
    of it, from stretches of whatever length, is the same as what is computed of the whole source at once.

    Attributes:
        extent: from a predictor, an opened source and the job's options to the span of all of it; None if it is done
            as a whole.
        length: from the same source and extent to how long it is in the unit of `least` and `most`.
        least: length below which a part is not worth its cost.
        most: length above which too much would be lost with a worker.
        is_sound: whether the file of a part can be used.
        again: how much of what lies before it a part computes once more, in units of the extent.
        compute: items of one stretch.
        pack: from an item to how it is kept.
        whole: why there may be no extent, in words.
    """

    extent: Callable[[Any, Any, JobOptions], Span | None]
    length: Callable[[Any, Span], int]
    least: int
    most: int
    compute: Callable[[Any, Any, Span, JobOptions], Iterator[Any]]
    pack: Callable[[Any], Packed]
    is_sound: Callable[[Path], bool]
    whole: str
    again: int = 0

    def stretches(self, predictor: Any, reader: Any, options: JobOptions, workers: int) -> list[Span]:
        """Cut an opened source into stretches of about equal work.

        There are as many for each worker as for any other, as far as that leaves none too short.

        Raises:
            Undivided: it is done as a whole.
        """
        extent = self.extent(predictor, reader, options)
        if extent is None:
            raise Undivided(self.whole)
        length, (start, end) = self.length(reader, extent), extent
        count = min(workers * -(-length // (workers * self.most)), length // self.least)
        if count < 2:
            raise Undivided("it is short")
        work = end - start + self.again * (count - 1)
        edges = [start + work * part // count - self.again * (part - 1) for part in range(1, count + 1)]
        return list(itertools.pairwise([start, *edges]))


def covered(extent: Span, found: Mapping[Span, Path]) -> There:
    """Go through all of an extent by those stretches that are there, and by the gaps between them."""
    start, end = extent
    result: dict[Span, Path | None] = {}
    for stretch in sorted(found):
        if start <= stretch[0] and stretch[1] <= end:
            if start < stretch[0]:
                result[start, stretch[0]] = None
            result[stretch] = found[stretch]
            start = stretch[1]
    if start < end:
        result[start, end] = None
    return result

"""What the masks of a data set hold: values, colours, palettes, and which values fill areas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import cv2
import numpy as np

from intarsia.classlists import ClassList
from intarsia.datasets.coding import MaskCoding, RawMask, color_codes, gray_plane, tally
from intarsia.datasets.meaning import MOST_COLORS, Survey, choose, is_binary
from intarsia.datasets.parts import File, stored_mask, suffix
from intarsia.errors import DataError
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.maskfile import StoredMask
from intarsia.media.volumes import open_volume

SAMPLE = 300
"""Up to so many masks are all read; of more, this many spread over the list, and the rest only when in doubt."""

_SURVEYED = 30
"""Label volumes that are read to find out which values occur."""

THREADS = 3

_JPEG = (".jpg", ".jpeg")
_SMALL = 32  # class numbers; edges have larger ones
_SQUARE = np.ones((3, 3), dtype=np.uint8)

T = TypeVar("T")
R = TypeVar("R")


def threaded(work: Callable[[T], R], things: Iterable[T], threads: int = THREADS) -> Iterator[R]:
    """Apply `work` in a few threads and yield results in order, with only a few of them waiting at any time.

    Decoding images releases Python's lock, so threads are enough.
    """
    source = iter(things)
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[R]] = [pool.submit(work, thing) for thing in islice(source, 2 * threads)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(work, thing) for thing in islice(source, 1)]
        finally:
            for future in waiting:
                future.cancel()


def survey(masks: Sequence[File]) -> Survey:
    """Read masks and count what they hold. Masks that cannot be read are listed, not raised."""
    total = Survey()
    for one in threaded(_survey_one, masks):
        total.add(one)
    return total


def _survey_one(file: File) -> Survey:
    try:
        stored = stored_mask(file)
    except DataError as error:
        return Survey(files=1, unreadable=[str(error)])
    found = survey_of(stored)
    found.jpegs = int(suffix(file) in _JPEG)
    return found


def survey_of(stored: StoredMask) -> Survey:
    """What one mask holds."""
    found = Survey(files=1)
    if stored.nowhere:
        found.nowhere.add(stored.nowhere)
    if stored.nodata is not None:
        found.nodata.add(stored.nodata)
    plane = gray_plane(stored.values)
    if plane is None:
        found.colors.update(dict(Counter(tally(color_codes(stored.values))).most_common(MOST_COLORS + 1)))
        return found
    values, flat = counted(plane)
    if set(values) <= {0, 1, 255}:
        found.binary[frozenset(values)] += 1
    highest = max(values)
    found.counts[highest if len(values.keys() - {0}) == highest else 0] += 1
    if stored.palette is None:
        found.values, found.flat = values, flat
        return found
    colors = color_codes(stored.palette[None])[0].tolist()
    found.twins = len({colors[value] for value in values}) < len(values)
    found.painted = Counter({(value, colors[value]): count for value, count in values.items()})
    found.painted_flat = Counter({(value, colors[value]): count for value, count in flat.items()})
    return found


def counted(plane: RawMask) -> tuple[Counter[int], Counter[int]]:
    """Pixels of each value of a mask (H, W), and those of them whose eight neighbours hold the same value.

    The latter tell areas from soft edges, and are not counted where there is nothing to tell apart: in masks of black
    and white, and of small numbers.
    """
    counts = np.bincount(plane.ravel())
    held = np.flatnonzero(counts)
    values = Counter({int(value): int(counts[value]) for value in held})
    if held[-1] < _SMALL or set(values) <= {0, 255}:
        return values, Counter(values)
    even = plane[cv2.erode(plane, _SQUARE) == cv2.dilate(plane, _SQUARE)]
    counts = np.bincount(even.ravel(), minlength=1)
    return values, Counter({int(value): int(counts[value]) for value in np.flatnonzero(counts)})


def detect(
    masks: Sequence[File], classes: ClassList | None, ignore: Sequence[int], *, tolerant: bool = False
) -> tuple[LabelSpace, MaskCoding, list[str]]:
    """Label space and coding of index, binary or colour-coded masks, with notes on what was decided.

    Args:
        masks: all of them.
        classes: what the user or a class file says.
        ignore: stored values that mean "not labelled".
        tolerant: take blurred colours (JPEG) by the nearest colour of the classes.

    Raises:
        DataError: the masks cannot be read, or cannot be understood without more help; says which.
    """
    sample = masks if len(masks) <= SAMPLE else [masks[i] for i in np.linspace(0, len(masks) - 1, SAMPLE).astype(int)]
    found = survey(sample)
    # A class that the sample missed would be an error in the middle of a training: unless names say what is there,
    # or the masks are binary for certain, look into the others as well.
    if len(masks) > SAMPLE and classes is None and not is_binary(found):
        seen = set(sample)
        found.add(survey([mask for mask in masks if mask not in seen]))
    if len(found.unreadable) == found.files:
        raise DataError(f"none of the {found.files} masks can be read; the first: {found.unreadable[0]}")
    space, coding, notes = choose(found, classes, ignore, tolerant=tolerant)
    if found.unreadable:
        notes.append(f"Masks that cannot be read: {len(found.unreadable)}; the first: {found.unreadable[0]}.")
    return space, coding, notes


def survey_volumes(masks: Sequence[Path]) -> tuple[Survey, ClassList | None]:
    """Find out which values occur in label volumes (of many, in some of them), and the names that the first one gives.

    Raises:
        DataError: one is damaged, or holds no class values.
    """
    chosen = [masks[i] for i in sorted({int(i) for i in np.linspace(0, len(masks) - 1, min(len(masks), _SURVEYED))})]
    found = Survey(files=len(chosen))
    for mask in chosen:
        labels, nowhere = open_volume(mask).stored_labels()
        found.nowhere |= {nowhere} if nowhere else set()
        for number in range(labels.shape[2]):
            values, flat = counted(cast(LabelArray, np.ascontiguousarray(labels[..., number])))
            found.values.update(values)
            found.flat.update(flat)
    table = open_volume(masks[0]).class_names()
    if not table:
        return found, None
    names = {value: table.get(value, "background" if value == 0 else f"class_{value}") for value in found.values}
    names |= table
    ordered = sorted(names)
    return found, ClassList(tuple(names[value] for value in ordered), values=tuple(ordered), source="the label table")

"""The integrity check: everything about a data set that would spoil a training, found before it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.checks.report import Problem, Report, Severity
from intarsia.datasets.checks.sides import Pair, find_sides, other_sides
from intarsia.datasets.coding import RawMask, gray_plane, number_list, value_list
from intarsia.datasets.counts import ClassCounts
from intarsia.datasets.layouts.survey import threaded
from intarsia.datasets.parts import File, open_picture, place, read_picture, suffix
from intarsia.datasets.sizes import mismatch
from intarsia.datasets.splits import Dataset, Item, Progress
from intarsia.errors import DataError
from intarsia.media.header import opened, orientation

_SIDE = 16
_SAME = 3.0  # grey levels (root mean square of the 16x16 pictures): JPEG and PNG of one photo differ by about 0.5
_FLAT = 4.0  # pictures with less contrast than this all look the same at 16x16
_CHUNK = 1024
_MOSTLY_IGNORED = 0.5
_OUTLINES = (".json", ".xml", ".csv", ".ndjson")


@dataclass
class _Seen:
    """What one look at one pair leaves behind: findings and fingerprints, no pixels."""

    image: str
    mask: str
    problems: list[Problem] = field(default_factory=list)
    size: tuple[int, int] | None = None
    content: bytes = b""
    mask_content: bytes = b""
    small: NDArray[np.float32] | None = None
    counts: NDArray[np.int64] | None = None
    values: dict[int, int] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    sides: dict[Pair, bool] = field(default_factory=dict)

    def add(self, severity: Severity, kind: str, file: str, detail: str) -> None:
        self.problems.append(Problem(severity, kind, file, detail))


def check_pictures(dataset: Dataset, progress: Progress | None = None) -> Report:
    """Read every image and mask of a data set once, and report what is wrong with it.

    Errors are pairs that training would have to skip: damaged images and masks, masks of another size, values or
    colours without a class. Warnings are what makes results worse or untrue: duplicates, the same or nearly the same
    picture in two splits, classes that never occur, images without masks, EXIF rotation, left and right that lie the
    other way round.
    Pictures are read in a few threads and not kept, so memory does not grow with the data set's pixels.

    Args:
        dataset: of pictures, rasters or slices of volumes.
        progress: called with (pairs read, pairs in all) after each pair.
    """
    counts = {name: ClassCounts(dataset.space) for name in dataset.splits}
    report = Report(dataset.root, dataset.layout, dataset.space, dataset.notes, counts)
    for fault in dataset.faults:
        report.problems.append(Problem("error", "annotation file that cannot be used", "", fault))
    for kind, other, paths in (("image", "mask", dataset.unpaired_images), ("mask", "image", dataset.unpaired_masks)):
        for path in paths:
            name = place(path, dataset.root)
            report.problems.append(Problem("warning", f"{kind} without {other}", name, "it is left out"))
    seen: dict[str, list[_Seen]] = {name: [] for name in dataset.splits}
    for name, split in dataset.splits.items():
        for one in threaded(partial(_look, split, dataset.root), split.items):
            seen[name].append(one)
            report.problems += one.problems
            report.values.update(one.values)
            report.kinds.update(one.kinds)
            if one.size:
                report.sizes[one.size[1], one.size[0]] += 1
            if one.counts is not None:
                counts[name].add(one.counts)
            if progress:
                progress(sum(len(members) for members in seen.values()), len(dataset))
    prints = {name: [(one.image, one.content, one.mask_content) for one in members] for name, members in seen.items()}
    report.problems += [*repeats(prints, "picture", "masks"), *_near_duplicates(seen), *class_problems(counts, "pixel")]
    sides = {one.mask: one.sides for members in seen.values() for one in members}
    report.problems += other_sides(sides, dataset.space.names)
    return report


def _look(split: Any, root: Path, item: Item) -> _Seen:
    seen = _Seen(place(item.input, root), place(item.target, root))
    _look_at_image(seen, item)
    drawn = suffix(item.target) in _OUTLINES
    if drawn and seen.size is None:
        return seen  # outlines can only be drawn at the image's size
    try:
        raw = split.stored(item, seen.size)
    except DataError as error:
        seen.add("error", "mask that cannot be read", seen.mask, str(error))
        return seen
    seen.mask_content = _digest(raw)
    seen.kinds = ["outlines"] if drawn else _kinds(raw, item.target)
    stored = raw.shape[0], raw.shape[1]
    try:
        misplaced = split.misplaced(item)
    except DataError as error:
        seen.add("error", "mask that does not lie on its image", seen.mask, str(error))
        return seen
    if misplaced:
        seen.add("warning", "mask that lies elsewhere than its image", seen.mask, misplaced)
    elif seen.size and not split.fits(item, stored, seen.size):
        seen.add("error", "mask of another size than its image", seen.mask, mismatch(stored, seen.size))
    try:
        seen.counts, seen.values = split.count_item(item, raw)
    except DataError as error:
        seen.add("error", "mask that does not fit the classes", seen.mask, str(error))
        return seen
    if seen.counts[-1]:
        outside = {value: pixels for value, pixels in seen.values.items() if value not in split.coding.values}
        known = number_list(split.coding.values)
        seen.add("error", "mask that does not fit the classes", seen.mask, f"{value_list(outside)}; known: {known}")
    elif not seen.counts[:-2].any():
        seen.add("warning", "mask without any labelled pixel", seen.mask, "nothing can be learnt from it")
    elif split.space.mirrored:
        seen.sides = find_sides(split.coding.decode(raw, split.space), split.space.mirrored)
    return seen


def _look_at_image(seen: _Seen, item: Item) -> None:
    try:
        image = read_picture(item.input)
        turned, deep = 1, open_picture(item.input)
        if isinstance(item.input, Path):
            with opened(item.input, str(item.input)) as header:
                turned = orientation(header)
        bits = deep.bits if deep.is_deep else 16
    except DataError as error:
        seen.add("error", "image that cannot be read", seen.image, str(error))
        return
    seen.size = image.shape[0], image.shape[1]
    seen.content = _digest(image)
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
    seen.small = gray if gray.std() >= _FLAT else None
    if turned != 1:
        detail = f"orientation {turned}: it is turned upright before use, and its mask has to fit the upright picture"
        seen.add("warning", "image with an EXIF rotation", seen.image, detail)
    if bits < 16:
        detail = (
            f"its values end below {1 << bits}, so it is taken as a {bits}-bit picture; one range for all: "
            f"--set input.window=[0,{(1 << bits) - 1}]"
        )
        seen.add("warning", "16-bit image that does not fill its range", seen.image, detail)


def _digest(array: NDArray[Any]) -> bytes:
    shape = str(array.shape).encode()
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16, key=shape).digest()


def _kinds(raw: RawMask, file: File) -> list[str]:
    jpeg = ["JPEG"] if suffix(file) in (".jpg", ".jpeg") else []
    plane = gray_plane(raw)
    if plane is None:
        return ["colour-coded", *jpeg]
    held = np.flatnonzero(np.bincount(plane.ravel()))
    if len(held) == 2 and held.tolist() == [0, 255]:
        return ["binary 0/255", *jpeg]
    return ["gray shades" if len(held) > 64 else "index", *jpeg]


def repeats(prints: Mapping[str, Iterable[tuple[str, bytes, bytes]]], thing: str, labels: str) -> Iterator[Problem]:
    """Things with the same content, within a split and in several.

    Args:
        prints: by split, each thing's file and the digests of its content (b"" if it could not be read) and labels.
        thing: what they are, for the messages.
        labels: what their labels are.
    """
    same: dict[bytes, list[tuple[str, str, bytes]]] = defaultdict(list)
    for split, members in prints.items():
        for file, content, labelled in members:
            if content:
                same[content].append((split, file, labelled))
    for (first_split, first, first_labelled), *others in (group for group in same.values() if len(group) > 1):
        for split, file, labelled in others:
            differ = "" if labelled == first_labelled else f", and their {labels} differ"
            if split != first_split:
                detail = f"the same {thing} as {first} in {first_split}{differ}: scores on {split} are too good"
                yield Problem("warning", f"{thing} of {first_split} that is also in {split}", file, detail)
            else:
                yield Problem("warning", f"{thing} that occurs twice", file, f"the same as {first}{differ}")


def _near_duplicates(seen: dict[str, list[_Seen]]) -> Iterator[Problem]:
    """Pictures of one split that look like one of an earlier split; exact copies are reported elsewhere."""
    names = list(seen)
    for later, name in enumerate(names[1:], start=1):
        for other in names[:later]:
            yield from _near(seen[other], seen[name], other, name)


def _near(first: list[_Seen], second: list[_Seen], first_name: str, second_name: str) -> Iterator[Problem]:
    known = [one for one in first if one.small is not None]
    if not known:
        return
    exact = {one.content for one in known}
    fresh = [one for one in second if one.small is not None and one.content not in exact]
    table = np.stack([one.small for one in known if one.small is not None])
    norms = (table**2).sum(axis=1)
    for start in range(0, len(fresh), _CHUNK):
        chunk = fresh[start : start + _CHUNK]
        rows = np.stack([one.small for one in chunk if one.small is not None])
        squares = (rows**2).sum(axis=1)[:, None] + norms - 2 * (rows @ table.T)
        nearest = squares.argmin(axis=1)
        distances = np.sqrt(np.maximum(squares[np.arange(len(chunk)), nearest], 0) / _SIDE**2)
        for one, index, distance in zip(chunk, nearest.tolist(), distances.tolist(), strict=True):
            if distance <= _SAME:
                detail = f"nearly the same picture as {known[index].image} in {first_name}"
                yield Problem("warning", f"picture of {second_name} much like one of {first_name}", one.image, detail)


def class_problems(counts: Mapping[str, ClassCounts], unit: str) -> Iterator[Problem]:
    """Classes that occur nowhere, alone or not in train, and splits without labels; `unit` is what was counted."""
    total = sum(list(counts.values())[1:], next(iter(counts.values())))
    occurring = [name for name, found in zip(total.space.names, total.pixels, strict=True) if found]
    if len(occurring) == 1:
        detail = f"{occurring[0]}: every labelled {unit} has it, so there is nothing to tell apart; are labels missing?"
        yield Problem("warning", "one class alone", "", detail)
    train = counts.get("train")
    for index, name in enumerate(total.space.names):
        if not total.pixels[index]:
            yield Problem(
                "warning", "class that never occurs", "", f"{name}: no {unit} in any split; it cannot be learnt"
            )
        elif train is not None and not train.pixels[index]:
            where = ", ".join(split for split, found in counts.items() if found.pixels[index])
            yield Problem(
                "warning", "class that train lacks", "", f"{name}: occurs in {where} only; it is never learnt"
            )
    for split, found in counts.items():
        if found.ignored_share > _MOSTLY_IGNORED:
            share = f"{100 * found.ignored_share:.0f}% of the {unit}s of {split} carry no label"
            yield Problem("warning", "mostly unlabelled split", "", f"{share}; check which values are ignored")

"""The integrity check of point clouds: everything that would spoil a training, found before it; see `integrity`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.checks.integrity import class_problems, repeats
from intarsia.datasets.checks.report import CloudReport, Problem, Severity
from intarsia.datasets.coding import number_list, percent
from intarsia.datasets.counts import NO_CODES, ClassCounts
from intarsia.datasets.layouts.survey import threaded
from intarsia.datasets.splits import Dataset, Item, Progress
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import CloudReader
from intarsia.transforms.clouds.features import FEATURES

_NEEDED = {name for feature in FEATURES.values() for name in feature.needs}
_THREADS = 2  # each holds a piece of a cloud
_MANY_TWINS = 0.01
# Points whose coordinates are compared; of larger clouds, those whose hash is a multiple of a number.
_MOST_COMPARED = 4_000_000
_MIXER = np.uint64(0x9E3779B97F4A7C15)  # odd, half of its bits set: 2^64 over the golden ratio


@dataclass
class _Seen:
    """What one look at one cloud leaves behind: findings, fingerprints and counts, no points."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    fields: frozenset[str] | None = None
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    points: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    content: bytes = b""
    label_content: bytes = b""

    def add(self, severity: Severity, kind: str, detail: str) -> None:
        self.problems.append(Problem(severity, kind, self.file, detail))


def check_clouds(dataset: Dataset, progress: Progress | None = None) -> CloudReport:
    """Read every cloud of a data set once, and report what is wrong with it.

    Errors are clouds that training would have to skip: damaged ones, ones without class codes or points. Warnings are
    what makes results worse or untrue: codes without a class, points without coordinates, points that lie in one place,
    fields that some clouds lack or that hold one value, the same cloud twice or in two splits, classes that a split
    lacks.
    Clouds are read piece by piece where their format allows it, and not kept.

    Args:
        dataset: of clouds.
        progress: called with (clouds read, clouds in all) after each cloud.
    """
    counts = {name: ClassCounts(dataset.space) for name in dataset.splits}
    report = CloudReport(dataset.root, dataset.layout, dataset.space, dataset.notes, counts)
    seen: dict[str, list[_Seen]] = {name: [] for name in dataset.splits}
    for name, split in dataset.splits.items():
        for one in threaded(partial(_look, split, dataset.root), split.items, _THREADS):
            seen[name].append(one)
            report.problems += one.problems
            report.values.update(one.codes)
            if one.content:
                report.points.append(one.points)
                counts[name].add(_count(one.codes, split))
            if progress:
                progress(sum(len(members) for members in seen.values()), len(dataset))
    prints = {name: [(one.file, one.content, one.label_content) for one in members] for name, members in seen.items()}
    report.problems += [
        *_lacking(seen),
        *repeats(prints, "cloud", "classes"),
        *class_problems(counts, "point"),
        *_not_measured(counts, dataset.space),
    ]
    return report


def _look(split: Any, root: Path, item: Item) -> _Seen:
    seen = _Seen(split.name_of(item, root))
    try:
        reader = split.open(item)
        lost, twins = _read(reader, seen)
    except DataError as error:
        seen.add("error", "cloud that cannot be read", str(error))
        return _Seen(seen.file, seen.problems)
    for note in reader.notes:
        seen.add("warning", "cloud of which something was decided", note)
    seen.fields = frozenset(reader.fields)
    if lost == seen.points:
        what = "no point has finite coordinates" if seen.points else "it has no points"
        seen.add("error", "cloud without points", what)
        return _Seen(seen.file, seen.problems)
    if not reader.has_label:
        seen.add("error", "cloud without class codes", NO_CODES)
        return _Seen(seen.file, seen.problems, seen.fields)
    _notice(seen, split, lost, twins)
    return seen


def _notice(seen: _Seen, split: Any, lost: int, twins: float) -> None:
    """What is strange about a cloud that can be used."""
    if lost:
        share = percent(lost, seen.points)
        seen.add("warning", "points without coordinates", f"{lost:,} of {seen.points:,} ({share}); they are left out")
    if twins > _MANY_TWINS:
        detail = f"{100 * twins:.1f}% of the points lie exactly where another one does; thin the cloud (cloud.voxel)"
        seen.add("warning", "points in one place", detail)
    empty = sorted(name for name, (low, high) in seen.ranges.items() if low == high)
    if empty and seen.points > 1:
        detail = f"{', '.join(empty)}: one value everywhere; leave the features that need them out"
        seen.add("warning", "fields without content", detail)
    unknown = {code: number for code, number in seen.codes.items() if code >= 0 and code not in split.codes}
    if unknown:
        shares = ", ".join(f"{code} ({percent(unknown[code], seen.points)})" for code in sorted(unknown))
        known = number_list([code for code, label in split.codes.items() if label < len(split.space)])
        seen.add("warning", "codes without a class", f"{shares}; known: {known}. Such points are ignored")
    if not _count(seen.codes, split)[: len(split.space)].any():
        seen.add("warning", "cloud without any labelled point", "nothing can be learnt from it")


def _read(reader: CloudReader, seen: _Seen) -> tuple[int, float]:
    """Note codes and digests; return how many points have no coordinates, and what share lies where another does."""
    content, labels = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
    step = np.uint64(max(1, reader.count // _MOST_COMPARED))
    compared, lost = [], 0
    for chunk in reader.chunks():
        finite = np.isfinite(chunk.xyz).all(axis=1)
        lost += len(chunk) - int(finite.sum())
        seen.points += len(chunk)
        content.update(chunk.xyz.data)
        for name in _NEEDED & chunk.fields.keys() if len(chunk) else ():
            values = chunk.fields[name]
            low, high = seen.ranges.get(name, (np.inf, -np.inf))
            seen.ranges[name] = min(low, float(values.min())), max(high, float(values.max()))
        hashes = _hashes(chunk.xyz[finite])
        compared.append(hashes[hashes % step == 0])
        if chunk.label is not None:
            found, many = np.unique(chunk.label, return_counts=True)
            seen.codes.update(dict(zip(found.tolist(), many.tolist(), strict=True)))
            labels.update(np.ascontiguousarray(chunk.label).data)
    seen.content, seen.label_content = content.digest(), labels.digest()
    hashes = np.concatenate(compared) if compared else np.empty(0, dtype=np.uint64)
    return lost, 1 - len(np.unique(hashes)) / max(1, len(hashes))


def _hashes(xyz: NDArray[np.float64]) -> NDArray[np.uint64]:
    """One number a place; the same for the same coordinates, whatever their sign of zero."""
    bits = np.ascontiguousarray(xyz + 0.0).view(np.uint64).reshape(-1, 3)
    hashes = np.zeros(len(xyz), dtype=np.uint64)
    for column in bits.T:
        hashes = (hashes ^ column) * _MIXER
        hashes ^= hashes >> np.uint64(32)
    return hashes


def _count(codes: Counter[int], split: Any) -> NDArray[np.int64]:
    """Points per class, ignored and outside, as `ClassCounts.add` takes them; codes without a class are ignored."""
    counts = np.zeros(len(split.space) + 2, dtype=np.int64)
    for code, number in codes.items():
        counts[min(split.codes.get(code, split.space.ignore_index), len(split.space))] += number
    return counts


def _lacking(seen: dict[str, list[_Seen]]) -> Iterator[Problem]:
    """Clouds without a field that others have: features that need it cannot be trained on them."""
    readable = [one for members in seen.values() for one in members if one.fields is not None]
    every: frozenset[str] = frozenset().union(*(one.fields or () for one in readable))
    for one in readable:
        lacks = sorted(every - (one.fields or frozenset()))
        if lacks:
            detail = f"{', '.join(lacks)}; features that need them cannot be used"
            yield Problem("warning", "cloud that lacks fields of the others", one.file, detail)


def _not_measured(counts: dict[str, ClassCounts], space: LabelSpace) -> Iterator[Problem]:
    train = counts.get("train")
    for split, found in counts.items():
        for index, name in enumerate(space.names):
            if train is not None and train.pixels[index] and not found.pixels[index]:
                yield Problem("warning", f"class that {split} lacks", "", f"{name}: it is learnt, but not measured")

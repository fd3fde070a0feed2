"""Several data sets as one: the same classes by name, each drawn as often as its weight says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts.clouds import CloudOpener, CloudSplit
from intarsia.datasets.pictures import PictureSplit, image_size
from intarsia.datasets.remap import Remap, remapped
from intarsia.datasets.splits import Dataset, Item, Size, Split
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import CloudReader


@dataclass(frozen=True)
class Source:
    """One data set of a merged one.

    Attributes:
        dataset: opened, and remapped where its classes differ.
        weight: how often one of its training pictures is drawn, compared with the others' (1.0).
        train: its split for training.
        val: its split for validation; a data set without it gives none.
    """

    dataset: Dataset
    weight: float = 1.0
    train: str = "train"
    val: str = "val"


@dataclass(frozen=True)
class MergedMasks:
    """The reader of a merged split: labels of the common space, whatever each item's own data set stores."""

    parts: tuple[PictureSplit, ...]
    origins: Mapping[str, int]

    def __call__(self, item: Item, size: Size | None) -> RawMask:
        """The labels of an item, decoded by its own data set's rule.

        Raises:
            DataError: as `PictureSplit.target` of that data set.
        """
        return self.parts[self.origins[item.id]].target(item, size or image_size(item))


@dataclass(frozen=True)
class MergedClouds:
    """The opener of a merged split of clouds: each by its own data set's."""

    openers: tuple[CloudOpener, ...]
    prefixes: tuple[str, ...]
    origins: Mapping[str, int]

    def __call__(self, item: Item) -> CloudReader:
        """Open a cloud under the id that it has in its own data set."""
        number = self.origins[item.id]
        return self.openers[number](replace(item, id=item.id.removeprefix(f"{self.prefixes[number]}/")))


def merge(sources: Sequence[Source]) -> Dataset:
    """Join data sets whose classes have the same names; their order may differ.

    Args:
        sources: at least two; the first one's class order and colours are taken.

    Returns:
        The data set with "train" and, where one of the sources has it, "val".

    Raises:
        UsageError: fewer than two, classes differ, no such split, a weight of 0 or less, or what cannot be joined:
            pictures with clouds, clouds that store a class by different codes, clouds with weights.
    """
    if len(sources) < 2:
        raise UsageError("a merged data set needs at least two sources; for one, name it directly (data.path)")
    space = sources[0].dataset.space
    aligned = [replace(source, dataset=_aligned(source.dataset, sources[0].dataset)) for source in sources]
    for source in sources:
        if not source.weight > 0:
            raise UsageError(f"the weight of {source.dataset.root} is {source.weight}; it must be above 0")
    names = _short_names([source.dataset.root for source in sources])
    train = [source.dataset.split(source.train) for source in aligned]
    weights = tuple((len(split), source.weight) for split, source in zip(train, sources, strict=True))
    equal = len({weight for _, weight in weights}) == 1
    splits: dict[str, Split] = {"train": _joined("train", space, train, names, () if equal else weights)}
    val = [(s.dataset.splits[s.val], name) for s, name in zip(aligned, names, strict=True) if s.val in s.dataset.splits]
    if val:
        splits["val"] = _joined("val", space, [split for split, _ in val], [name for _, name in val], ())
    notes = []
    for source, name, (count, weight) in zip(aligned, names, weights, strict=True):
        notes.append(
            f"{name}: {source.dataset.root}, layout {source.dataset.layout}, {count} for training, weight {weight:g}."
        )
        notes += [f"{name}: {note}" for note in source.dataset.notes]
    root = sources[0].dataset.root
    return Dataset(root, "+".join(dict.fromkeys(s.dataset.layout for s in sources)), space, splits, tuple(notes))


def _aligned(dataset: Dataset, first: Dataset) -> Dataset:
    """The data set in the order of the first one's classes."""
    if dataset.space.names == first.space.names:
        return dataset
    missing = [name for name in first.space.names if name not in dataset.space.names]
    more = [name for name in dataset.space.names if name not in first.space.names]
    if missing or more:
        parts = [f"{what} {', '.join(names)}" for what, names in (("lacks", missing), ("also has", more)) if names]
        raise UsageError(
            f"the classes of {dataset.root} differ from those of {first.root}: it {' and '.join(parts)}; give both the "
            f"same classes with remap (classes, map, rest)"
        )
    notes = dataset.notes
    other = remapped(dataset, Remap(classes=first.space.names, palette=first.space.palette))
    return replace(other, notes=(*notes, "Its classes are put into the order of the first data set's."))


_Weights = tuple[tuple[int, float], ...]


def _joined(name: str, space: LabelSpace, parts: Sequence[Split], names: Sequence[str], weights: _Weights) -> Split:
    items: list[Item] = []
    origins: dict[str, int] = {}
    for number, (split, prefix) in enumerate(zip(parts, names, strict=True)):
        for item in split.items:
            items.append(replace(item, id=f"{prefix}/{item.id}"))
            origins[items[-1].id] = number
    join = next((join for kind, join in _JOINS.items() if all(isinstance(part, kind) for part in parts)), None)
    if join is None:
        kinds = {part.plural: f"those in {part.root} are {part.plural}" for part in reversed(parts)}
        raise UsageError(f"data.sources joins data of one kind; {', and '.join(reversed(kinds.values()))}")
    joined: Split = join(name, space, tuple(items), parts, names, origins, weights)
    return joined


def _joined_pictures(
    name: str,
    space: LabelSpace,
    items: tuple[Item, ...],
    parts: Sequence[PictureSplit],
    names: Sequence[str],
    origins: Mapping[str, int],
    weights: _Weights,
) -> PictureSplit:
    reader = MergedMasks(tuple(_own_ids(split, prefix) for split, prefix in zip(parts, names, strict=True)), origins)
    coding = MaskCoding(values={i: i for i in (*range(len(space)), space.ignore_index)})
    return PictureSplit(name, space, items, parts[0].root, coding, reader=reader, weights=weights)


def _joined_clouds(
    name: str,
    space: LabelSpace,
    items: tuple[Item, ...],
    parts: Sequence[CloudSplit],
    names: Sequence[str],
    origins: Mapping[str, int],
    weights: _Weights,
) -> CloudSplit:
    if weights:
        raise UsageError("data.sources.weight is for pictures; blocks of clouds are drawn by cloud.balance")
    codes: dict[int, int] = {}
    for part in parts:
        for code, label in part.codes.items():
            if codes.setdefault(code, label) != label:
                raise UsageError(
                    f"the code {code} is another class in {part.root} than in {parts[0].root}; make their codes agree, "
                    "or train on one of them"
                )
    opener = MergedClouds(tuple(part.opener for part in parts), tuple(names), origins)
    return CloudSplit(name, space, items, parts[0].root, codes, opener)


_JOINS: dict[type[Split], Callable[..., Split]] = {PictureSplit: _joined_pictures, CloudSplit: _joined_clouds}


@dataclass(frozen=True)
class _OwnIds:
    """A reader that sees its items under the ids that they have in their own data set."""

    split: PictureSplit
    prefix: str

    def __call__(self, item: Item, size: Size | None) -> RawMask:
        return self.split.reader(replace(item, id=item.id.removeprefix(f"{self.prefix}/")), size)


def _own_ids(split: PictureSplit, prefix: str) -> PictureSplit:
    return replace(split, items=(), reader=_OwnIds(split, prefix))


def _short_names(roots: Sequence[Path]) -> list[str]:
    """The folders' names, numbered where two are alike."""
    names = [root.name for root in roots]
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names, start=1)]

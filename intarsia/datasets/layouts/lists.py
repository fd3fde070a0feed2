"""Lists that came with the data: train_list.txt of image and mask, or train.txt and val.txt of names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from intarsia.datasets.layouts.candidates import with_roles
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import natural
from intarsia.datasets.layouts.folder import detected
from intarsia.datasets.layouts.pairing import Pairs, pair
from intarsia.datasets.layouts.splitfiles import SUFFIXES, SplitList, lines_of, lists_in
from intarsia.datasets.parts import File
from intarsia.datasets.splits import Item
from intarsia.errors import DataError, counted
from intarsia.media.images import IMAGE_SUFFIXES

_SEPARATORS = "\t,;|"
_SHOWN = 3
_PASSED = " (--layout folder passes them over)"

Pair = tuple[Path, Path]


def find_lists(content: Content) -> list[SplitList]:
    """The file that was named, or the split lists in the folder, or else in the first of its folders that has some."""
    if content.table is not None:
        known = content.table.suffix.lower() in SUFFIXES
        return [SplitList(None, content.table, lines_of(content.table))] if known else []
    nested = content.root / "ImageSets" / "Segmentation"
    inner = sorted(path for path in content.root.iterdir() if path.is_dir() and not path.name.startswith("."))
    for folder in (content.root, *inner, *([nested] if nested.is_dir() else [])):
        if found := lists_in(folder):
            return found
    return []


def pairs_in(content: Content) -> bool:
    """Whether lists in the folder say which mask belongs to which image."""
    return any(_pair_of(line, one.path, content.root) for one in find_lists(content) for line in one.lines[:_SHOWN])


def is_headless(path: Path) -> bool:
    """Whether a table's first line names an image and a mask, rather than columns."""
    lines = lines_of(path)
    return bool(lines) and _pair_of(lines[0], path, path.parent) is not None


def _matches(content: Content) -> bool:
    lists = find_lists(content)
    if content.table is not None:
        return bool(lists)
    if not lists or not content.has_pictures:
        return False
    if pairs_in(content):
        return True
    try:
        pairs = _paired(content)
    except DataError:  # which the layout folder tells
        return False
    return any(_by_names(lists, pairs, content.base))


def _read(content: Content) -> PictureReading:
    lists = find_lists(content)
    place = content.table or content.root
    if not lists:
        raise DataError(f"{place}: no list here; write train_list.txt and val_list.txt, a line an image: IMAGE MASK")
    if content.table is not None or pairs_in(content):
        return detected(content, _listed_pairs(lists, content))
    pairs = _paired(content)
    chosen = _by_names(lists, pairs, content.base)
    if not chosen:
        raise DataError(f"{place}: {lists[0].path.name} names none of the labelled images; correct it, or remove it")
    return detected(content, _divided(pairs, chosen, lists, content.base))


def divided_by(
    content: Content, items: Sequence[tuple[str | None, Item]]
) -> tuple[Sequence[tuple[str | None, Item]], tuple[str, ...]]:
    """The items of another layout in the splits of the lists in the folder, and what was decided; nothing else divides.

    Items that lie in several splits already stay there.
    """
    lists = [] if content.table is not None or len({split for split, _ in items}) != 1 else find_lists(content)
    pairs = Pairs(tuple((split, item.id, item.input, item.target) for split, item in items), (), (), ())
    chosen = _by_names(lists, pairs, content.base)
    if not chosen:
        return items, ()
    divided = _divided(pairs, chosen, lists, content.base)
    owner = {name: split for split, name, *_ in divided.matched}
    notes = tuple(note.replace(_PASSED, "") for note in divided.notes)  # of which only the plain folder knows
    return [(owner[item.id], item) for _, item in items if item.id in owner], notes


def _paired(content: Content) -> Pairs:
    found, notes = with_roles(content.base, content.files, content.options.masks)
    return pair(content.base, found, notes)


def _pair_of(line: str, path: Path, root: Path) -> Pair | None:
    """The image and the mask that a line names; names may hold spaces, also where a space stands between the two."""
    for separator in _SEPARATORS:
        cells = [cell.strip().strip('"') for cell in line.split(separator)]
        if len(cells) > 1:
            files = [file for cell in cells[:2] if (file := _file(cell, path, root)) is not None]
            return (files[0], files[1]) if len(files) == 2 else None
    for space in (place for place, mark in enumerate(line) if mark == " "):
        image = _file(line[:space].strip('" '), path, root)
        mask = _file(line[space + 1 :].strip('" '), path, root) if image else None
        if image and mask:
            return image, mask
    return None


def _file(name: str, path: Path, root: Path) -> Path | None:
    """The picture that a list names, from the data set's folder or its own on; never outside."""
    if Path(name).suffix.lower() not in IMAGE_SUFFIXES or "\0" in name:
        return None
    for start in (root, path.parent):
        place = Path(os.path.normpath(start / name.replace("\\", "/")))
        if place.is_relative_to(root) and place.is_file():
            return place
    return None


def _listed_pairs(lists: Iterable[SplitList], content: Content) -> Pairs:
    """The pairs that lists name."""
    matched: list[tuple[str | None, str, File, File]] = []
    missing: list[str] = []
    first: dict[Path, str] = {}
    twice: Counter[str] = Counter()
    names = []
    for one in lists:
        names.append(one.path.name)
        for number, line in enumerate(one.lines, start=1):
            found = _pair_of(line, one.path, content.root)
            if found is None:
                missing.append(f"{one.path.name} line {number}: {line[:60]}")
            elif found[0] in first:
                twice[f"{one.path.name} and {first[found[0]]}"] += 1
            else:
                first[found[0]] = one.path.name
                name = found[0].relative_to(content.root).with_suffix("").as_posix()
                matched.append((one.split, name, *found))
    if not matched:
        raise DataError(
            f"{content.table or content.root}: no line of {', '.join(names)} names an image and its mask that are "
            f"here; for instance {missing[0] if missing else 'it is empty'}. Write a line an image: IMAGE MASK"
        )
    if len({name for _, name, *_ in matched}) < len(matched):  # a.jpg and a.png
        matched = [
            (split, image.relative_to(content.root).as_posix(), image, mask)
            for split, _, image, mask in matched
            if isinstance(image, Path)
        ]
    matched.sort(key=lambda entry: natural(entry[1]))
    notes = [f"Pairs{' and splits' if matched[0][0] else ''} are those of {', '.join(names)}."]
    if missing:
        shown = "; ".join(missing[:_SHOWN])
        notes.append(f"Lines that name no image and mask that are here, left out: {len(missing)} ({shown}).")
    notes += [f"Images named again in {where}, left out: {count}." for where, count in twice.items()]
    return Pairs(tuple(matched), (), (), tuple(notes))


def _names_of(item: tuple[str | None, str, File, File], root: Path) -> Iterator[str]:
    """What a list may call an item: its id, its image or mask from the folder on, their names and stems."""
    yield item[1]
    for file in item[2:]:
        if isinstance(file, Path) and file != root:
            inside = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
            yield from (inside.as_posix(), inside.with_suffix("").as_posix(), file.name, file.stem)


def _by_names(lists: Iterable[SplitList], pairs: Pairs, root: Path) -> dict[str, set[str]]:
    """The items of each split, by their ids, for lists that mostly name images of the folder; two may not share one."""
    known: dict[str, list[str]] = {}
    for item in pairs.matched:
        for name in set(_names_of(item, root)):
            known.setdefault(name, []).append(item[1])
    bare = {name for image in pairs.images for name in (image.name, image.stem, image.relative_to(root).as_posix())}
    found: dict[str, set[str]] = {}
    for one in lists:
        ids: set[str] = set()
        unknown = 0
        for line in one.lines:
            said = next((name for name in _spellings(line) if len(known.get(name, ())) == 1), None)
            if said is not None:
                ids.add(known[said][0])
            elif not any(name in bare for name in _spellings(line)):
                unknown += 1
        if ids and 2 * unknown <= len(one.lines) and one.split is not None:
            found.setdefault(one.split, set()).update(ids)
    return found


def _spellings(line: str) -> Iterator[str]:
    """What a line may mean: all of it, its first word, its first cell; as a path, and with a step down left out."""
    for text in dict.fromkeys((line, line.split()[0], re.split(f"[{_SEPARATORS}]", line)[0])):
        name = text.strip('" ').replace("\\", "/").removeprefix("./")
        yield name
        yield name.rsplit("/", 1)[-1]


def _divided(pairs: Pairs, splits: dict[str, set[str]], lists: Iterable[SplitList], root: Path) -> Pairs:
    """Pairs in the splits of lists: the first that names one; without a list of train, the rest is train."""
    owner = {name: split for split, names in reversed(splits.items()) for name in names}
    rest = None if "train" in splits else "train"
    matched = tuple(
        (owner.get(entry[1], rest), *entry[1:]) for entry in pairs.matched if entry[1] in owner or rest is not None
    )
    used = ", ".join(dict.fromkeys(f"{one.path.relative_to(root).as_posix()}{one.part}" for one in lists))
    notes = [*pairs.notes, f"Splits are those of {used}{_PASSED}."]
    left = len(pairs.matched) - len(matched)
    if left:
        notes.append(f"Labelled images that no list names, left out: {left}.")
    shared = sum(map(len, splits.values())) - len(owner)
    if shared:
        notes.append(f"{counted(shared, 'image')} of two lists: the first one counts.")
    return Pairs(matched, pairs.images, pairs.masks, tuple(notes))


LAYOUTS: dict[str, Layout] = {
    "lists": Layout(
        "lists that came with the data: lines of image and mask, or of names",
        _matches,
        _read,
        files="train_list.txt, val_list.txt with lines IMAGE MASK; or train.txt, val.txt with names",
        pairs=True,
    ),
}

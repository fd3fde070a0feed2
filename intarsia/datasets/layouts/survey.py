"""Which values the masks hold, and which classes they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from intarsia.annotations.document import IGNORE_NAMES
from intarsia.classlists import ClassList
from intarsia.datasets.coding import (
    MaskCoding,
    color_codes,
    color_of,
    gray_plane,
    number_list,
    percent,
    share_list,
    tally,
)
from intarsia.datasets.parts import File, read_stored, suffix
from intarsia.errors import DataError
from intarsia.labels import LabelSpace

SAMPLE = 300
"""Up to so many masks are all read; of more, this many spread over the list, and the rest only when in doubt."""

THREADS = 3
THRESHOLD = 127

_VOID = (255, 65535)

_MOST_COLORS = 1024  # more than any palette; beyond it the file is a photo, or was saved as JPEG
_JPEG = (".jpg", ".jpeg")
_UNNAMED = '. Name every value, or say which mean "not labelled" (--ignore VALUE, recipe: data.ignore)'

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Survey:
    """What the masks read so far hold: pixels per gray value, pixels per colour, files per kind."""

    values: Counter[int] = field(default_factory=Counter)
    colors: Counter[int] = field(default_factory=Counter)
    files: int = 0
    gray: int = 0
    jpegs: int = 0
    unreadable: list[str] = field(default_factory=list)

    def add(self, other: Survey) -> None:
        """Take over another survey's counts."""
        self.values.update(other.values)
        self.colors.update(other.colors)
        if len(self.colors) > 4 * _MOST_COLORS:
            self.colors = Counter(dict(self.colors.most_common(_MOST_COLORS)))
        self.files += other.files
        self.gray += other.gray
        self.jpegs += other.jpegs
        self.unreadable += other.unreadable


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
        raw = read_stored(file)
    except DataError as error:
        return Survey(files=1, unreadable=[str(error)])
    jpegs = int(suffix(file) in _JPEG)
    plane = gray_plane(raw)
    if plane is not None:
        counts = np.bincount(plane.ravel())
        held = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
        return Survey(values=Counter(held), files=1, gray=1, jpegs=jpegs)
    colors = Counter(tally(color_codes(raw)))
    if len(colors) > _MOST_COLORS:
        colors = Counter(dict(colors.most_common(_MOST_COLORS + 1)))
    return Survey(colors=colors, files=1, jpegs=jpegs)


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
    if len(masks) > SAMPLE and classes is None and set(found.values) != {0, 255} and not is_soft(found):
        seen = set(sample)
        found.add(survey([mask for mask in masks if mask not in seen]))
    if len(found.unreadable) == found.files:
        raise DataError(f"none of the {found.files} masks can be read; the first: {found.unreadable[0]}")
    space, coding, notes = choose(found, classes, ignore, tolerant=tolerant)
    if found.unreadable:
        notes.append(f"Masks that cannot be read: {len(found.unreadable)}; the first: {found.unreadable[0]}.")
    return space, coding, notes


def is_soft(found: Survey) -> bool:
    """Whether gray masks are binary with soft edges: nearly all pixels black or white, many shades between."""
    total = sum(found.values.values())
    dark = sum(count for value, count in found.values.items() if value < 32)
    white = sum(count for value, count in found.values.items() if 224 <= value <= 255)
    nearly_white = any(224 <= value < 255 for value in found.values)
    if total == 0 or not white or not nearly_white or max(found.values) > 255 or dark + white < 0.8 * total:
        return False
    # Index masks with a few low classes and 255 for "ignore" have no shades just below 255.
    shades = sum(32 <= value < 255 for value in found.values)
    return found.jpegs > 0 or shades >= 32 or all(value < 32 or value >= 224 for value in found.values)


def _is_soft_color(found: Survey) -> bool:
    """Whether RGB masks are black and white in truth: some tools leave a little colour in their edges."""
    total = sum(found.colors.values()) + sum(found.values.values())
    plain = found.values[0] + found.values[255] + found.colors[0] + found.colors[0xFFFFFF]
    tinted = [color_of(code) for code in found.colors]
    return plain >= 0.95 * total and all(max(color) - min(color) <= 64 for color in tinted)


def choose(
    found: Survey, classes: ClassList | None, ignore: Sequence[int] = (), *, tolerant: bool = False
) -> tuple[LabelSpace, MaskCoding, list[str]]:
    """The meaning of what a survey found; see `detect`."""
    if found.colors and not (_is_soft_color(found) and not (classes and classes.palette)):
        return _choose_colors(found, classes, tolerant)
    if found.colors or (not ignore and is_soft(found)):
        return _choose_soft(found, classes)
    if found.jpegs and set(found.values) - {0, 255}:
        raise DataError(
            f"{found.jpegs} masks are JPEG files, and their values ({number_list(found.values)}) are not just black "
            f"and white: JPEG blurs class values. Export the masks again as PNG"
        )
    return _choose_values(found, classes, ignore)


def _choose_soft(found: Survey, classes: ClassList | None) -> tuple[LabelSpace, MaskCoding, list[str]]:
    names = classes.names if classes else ("background", "foreground")
    if len(names) != 2:
        raise DataError(
            f"the masks are black and white with shades between (soft edges or JPEG), so they hold two classes, but "
            f"{classes.source if classes else 'classes'} names {len(names)}; name two, or export index masks as PNG"
        )
    total = sum(found.values.values()) + sum(found.colors.values())
    pure = found.values[0] + found.values[255] + found.colors[0] + found.colors[0xFFFFFF]
    why = "JPEG files" if found.jpegs else "soft edges"
    note = (
        f"Masks are black and white with shades between ({why}, {percent(total - pure, total)} of pixels): "
        f"0-{THRESHOLD} is read as {names[0]}, {THRESHOLD + 1}-255 as {names[1]}."
    )
    return _space(names, classes), MaskCoding(threshold=THRESHOLD), [note]


def _choose_colors(
    found: Survey, classes: ClassList | None, tolerant: bool
) -> tuple[LabelSpace, MaskCoding, list[str]]:
    total = sum(found.colors.values()) + sum(found.values.values())
    colors: Counter[int] = Counter(found.colors)
    for value, count in found.values.items():
        colors[value << 16 | value << 8 | value] += count
    tolerant = tolerant and classes is not None and bool(classes.palette)
    if len(colors) > _MOST_COLORS and not tolerant:
        raise DataError(
            f"the masks hold more than {_MOST_COLORS} different colours, so they are photos, or were saved with "
            f"lossy compression (JPEG, WebP) or smoothed edges; export colour-coded masks as PNG, or name classes and "
            f"palette and take every pixel by the nearest colour (--tolerant; recipe: data.tolerant)"
        )
    if classes is None or not classes.palette:
        raise DataError(
            f"the masks are colour-coded; say which colour is which class with classes and palette, or with a file "
            f"label_colors.txt (lines such as: 128 64 128 road) in the data set's folder. "
            f"Colours found: {share_list(colors, total, 40)}"
        )
    names = _kept(classes)
    palette = tuple(color for name, color in zip(classes.names, classes.palette, strict=True) if name in names)
    space = LabelSpace(names, palette)
    if len(set(classes.palette)) < len(classes.palette):
        raise DataError(f"{classes.source}: two classes have the same colour; give each its own")
    labels = {
        color: names.index(name) if name in names else space.ignore_index
        for name, color in zip(classes.names, classes.palette, strict=True)
    }
    unknown = {code: n for code, n in colors.items() if color_of(code) not in labels}
    if unknown and tolerant:
        share = percent(sum(unknown.values()), total)
        note = f"{share} of the pixels hold colours that {classes.source} does not name; the nearest one is taken."
        return space, MaskCoding(colors=labels, nearest=True), [note, *_ignored_note(classes, names)]
    if unknown:
        raise DataError(
            f"the masks hold colours that {classes.source} does not name: {share_list(unknown, total, 20)}. "
            f"Add them (a class called void is ignored), or correct the masks"
        )
    notes = [f"Masks are colour-coded: {len(colors)} of {len(labels)} colours of {classes.source} occur."]
    return space, MaskCoding(colors=labels), notes + _ignored_note(classes, names)


def _choose_values(
    found: Survey, classes: ClassList | None, ignore: Sequence[int]
) -> tuple[LabelSpace, MaskCoding, list[str]]:
    values = sorted(set(found.values) - set(ignore))
    ignored = [value for value in ignore if value >= 0]
    notes = [f"Mask value {number_list(ignored)} is ignored (as asked)."] if ignored else []
    if classes is not None and classes.values:
        table = dict(zip(classes.values, classes.names, strict=True))
        void = values[-1] if values and values[-1] in _VOID and values[-1] not in table else None
    else:
        void = _void_value(values, len(classes.names) if classes else 0)
        if void is not None:
            values.remove(void)
        table = _by_order(values, classes, ignored, notes) if classes else _by_value(values, notes)
    if void is not None:
        ignored.append(void)
        notes.append(f"Mask value {void} is ignored (not labelled).")
    names = _kept(replace(classes, names=tuple(table.values()))) if classes else tuple(table.values())
    names = tuple(name for value, name in table.items() if name in names and value not in ignored)
    if not names:
        raise DataError("every class is ignored; name fewer values in ignore")
    space = LabelSpace(names, _palette(classes, names))
    labels = {
        value: names.index(name) if name in names else space.ignore_index for value, name in table.items()
    } | dict.fromkeys(ignored, space.ignore_index)
    if classes:
        notes.append("Mask values are read as " + _pairs_text(labels, space) + ".")
        notes += _ignored_note(classes, names)
    return space, MaskCoding(values=labels), notes


def _void_value(values: list[int], named: int) -> int | None:
    """The conventional "not labelled" value if it occurs beside class values and is not one of the `named` itself."""
    if not values or values[-1] not in _VOID or values[-1] < named:
        return None
    others = values[:-1]
    # {0, 255} is a binary mask and {0, 128, 255} three classes drawn in gray; {0, 1, 255} has a void.
    if others in ([], [0]):
        return None
    return values[-1] if others[-1] < 64 or len(others) > 2 else None


def _by_order(values: list[int], classes: ClassList, ignored: list[int], notes: list[str]) -> dict[int, str]:
    """Values to class names where only the names' order is known."""
    names = classes.names
    count = len(names)
    highest = values[-1] if values else 0
    if highest < count:
        return dict(enumerate(names))
    if highest == count and (0 in ignored or 0 not in values):
        notes.append(f"Mask values start at 1: value 1 is {names[0]}, value {count} is {names[-1]}.")
        return dict(enumerate(names, start=1))
    if len(values) == count:
        notes.append(f"The {count} names are given to the mask values {number_list(values)} in order.")
        return dict(zip(values, names, strict=True))
    hint = ""
    if highest == count:
        hint = ". That is one value more than names: is 0 the background? Then name it first, or ignore 0"
    elif values == [0, 255]:
        hint = ". The masks are binary (0 and 255): name two classes, the background first"
    raise DataError(
        f"the masks hold the values {number_list(values)}, but {classes.source} names {count} "
        f"class{'es' if count > 1 else ''} for the values 0-{count - 1}{hint or _UNNAMED}"
    )


def _by_value(values: list[int], notes: list[str]) -> dict[int, str]:
    """Values to names where nobody gave any."""
    if values in ([0], []):
        raise DataError(
            "every mask is empty (only the value 0 occurs), so there is nothing to learn; check that the right folder "
            "holds the masks, or name the classes (classes) if this is intended"
        )
    if values in ([0, 1], [0, 255], [255]):
        notes.append(f"Masks are binary: value 0 is read as background, {values[-1]} as foreground.")
        return {0: "background", values[-1]: "foreground"}
    if values[0] <= 1 and len(values) > values[-1] // 2:
        first, last = values[0], values[-1]
        notes.append(
            f"No class names were given: mask values {number_list(values)} are called "
            f"class_{first} to class_{last}; put a classes.txt (one name per line) into the folder to name them."
        )
        return {value: f"class_{value}" for value in range(first, last + 1)}
    if len(values) > 255:
        raise DataError(
            f"the masks hold {len(values)} different values ({number_list(values)}), which looks like photos, depth or "
            f"instance numbers rather than classes; export class indices, or name the classes"
        )
    notes.append(
        f"No class names were given: only the mask values {number_list(values)} occur, called "
        f"{', '.join(f'class_{value}' for value in values[:4])}{', ...' if len(values) > 4 else ''}."
    )
    return {value: f"class_{value}" for value in values}


def without_ignored(classes: ClassList) -> LabelSpace:
    """The label space of a class list; classes called void and the like are left out, as they are never learnt."""
    return _space(_kept(classes), classes)


def _kept(classes: ClassList) -> tuple[str, ...]:
    return tuple(name for name in classes.names if name.lower() not in IGNORE_NAMES)


def _palette(classes: ClassList | None, names: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    if classes is None or not classes.palette:
        return ()
    colors = dict(zip(classes.names, classes.palette, strict=True))
    return tuple(colors[name] for name in names)


def _space(names: tuple[str, ...], classes: ClassList | None) -> LabelSpace:
    return LabelSpace(names, _palette(classes, names))


def _ignored_note(classes: ClassList, names: tuple[str, ...]) -> list[str]:
    left_out = [name for name in classes.names if name not in names and name.lower() in IGNORE_NAMES]
    return [f"The class {', '.join(left_out)} of {classes.source} is ignored (not labelled)."] if left_out else []


def _pairs_text(labels: dict[int, int], space: LabelSpace) -> str:
    shown = [f"{value} {space.names[label]}" for value, label in sorted(labels.items()) if label < len(space)]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")

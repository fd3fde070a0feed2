"""Gray values as classes: which are classes, which mean "not labelled", and which name belongs to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from intarsia.classlists import ClassList
from intarsia.datasets.coding import number_list, percent
from intarsia.datasets.meaning.survey import Survey
from intarsia.errors import DataError
from intarsia.media.maskfile import NOWHERE

WHITE = (255, NOWHERE)
"""The brightest values of 8 and 16 bits."""

_VOID_FROM = 250  # by convention "not labelled" is 255, and 250 to 254 in some data sets
_HIGH_FROM = 224  # a value from here on that lies far above all others is no usual class number
_FAR = 64
_IN_TURN = 3  # so many numbers without a gap are class numbers
_INDEX = 32  # class numbers of a few classes lie below
_EVEN = 2  # how much wider the widest step between gray levels may be than the narrowest
_FEW_COUNTS, _MANY_OBJECTS = 3, 8  # different numbers of objects in the masks, and the largest of them
_MOST = 255
UNNAMED = '. Name every value, or say which mean "not labelled" (--ignore VALUE, recipe: data.ignore)'


@dataclass
class Table:
    """Which value is which class, as far as it is decided.

    Attributes:
        names: value -> class name.
        ignored: values that mean "not labelled".
        notes: what was decided, in sentences.
    """

    names: dict[int, str] = field(default_factory=dict)
    ignored: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def table_of(found: Survey, classes: ClassList | None, ignore: Sequence[int]) -> Table:
    """Decide which values are classes.

    Args:
        found: what the masks hold.
        classes: what the user or a class file says.
        ignore: values that mean "not labelled", as the user says.

    Raises:
        DataError: the values are no classes, or can be understood in two ways; names both, and what decides.
    """
    table = Table(ignored=[value for value in ignore if value >= 0])
    if table.ignored:
        table.notes.append(f"Mask value {number_list(table.ignored)} is ignored (as asked).")
    values = sorted(set(found.values) - set(ignore))
    if found.nowhere:
        table.notes.append(f"Mask value {' and '.join(sorted(found.nowhere))} is no class: ignored (not labelled).")
        values = [value for value in values if value != NOWHERE]
        table.ignored.append(NOWHERE)
    values = _without_nodata(values, found, classes, table)
    if classes is not None and classes.values:
        table.names = dict(zip(classes.values, classes.names, strict=True))
        if 0 in values and min(classes.values) > 0:
            raise DataError(
                f"the masks hold 0, and {classes.source} names the values {number_list(table.names)} only. Is 0 the "
                f"background? Then name it there (0: background). Or is it not labelled? Then say --ignore 0 (recipe: "
                f"data.ignore)"
            )
        void = [value for value in values[-1:] if value in WHITE and value not in table.names]
    else:
        if classes is None and values == [0, 1, 255]:
            _ask_of_whites(found)
        void = _void(values, classes)
        kept = [value for value in values if value not in void]
        table.names = _by_order(kept, classes, table) if classes else _by_value(kept, table.notes)
        if classes is None and (told := _objects(found)):
            table.notes.append(told)
    kept_top = [value for value in values if value >= _VOID_FROM and value in table.names and value not in void]
    if kept_top and len(values) > 2 and classes is None:
        table.notes.append(
            f'Mask value {kept_top[-1]} is read as a class; if it means "not labelled", say --ignore {kept_top[-1]} '
            f"(recipe: data.ignore)."
        )
    if void:
        table.ignored += void
        share = percent(sum(found.values[value] for value in void), sum(found.values.values()))
        table.notes.append(
            f"Mask value {number_list(void)} is ignored (not labelled; {share} of the pixels). If it is a class, name "
            f"all classes with their values ({_said([*values[:2], void[0]])})."
        )
    return table


def _ask_of_whites(found: Survey) -> None:
    """Refuse binary masks of which some hold 1 and others 255, but none both: two tools' foreground, or a void?"""
    ones, whites = (sum(n for held, n in found.binary.items() if value in held) for value in (1, 255))
    both = any(held >= {1, 255} for held in found.binary)
    if ones and whites and not both:
        raise DataError(
            f'{ones} masks hold 0 and 1, {whites} hold 0 and 255, and none holds 1 and 255: does 255 mean "not '
            f'labelled" (--ignore 255; recipe: data.ignore), is it a class of its own (--classes 0:a,1:b,255:c; '
            f"recipe: data.classes), or the foreground as another tool writes it? Then write 1 in its place"
        )


def _said(values: Sequence[int]) -> str:
    """The option that names classes with their values, as an example."""
    return "--classes " + ",".join(
        f"{value}:{chr(ord('a') + place)}" for place, value in enumerate(dict.fromkeys(values))
    )


def _without_nodata(values: list[int], found: Survey, classes: ClassList | None, table: Table) -> list[int]:
    """Leave out what the files declare to be no data, unless it is a class: named, or one of only two values."""
    declared = sorted(found.nodata & set(values))
    named = (classes.values or range(len(classes.names))) if classes else ()
    kept = [value for value in values if value not in declared]
    if not declared:
        return values
    if not set(declared).isdisjoint(named):
        table.notes.append(
            f"The files declare {number_list(declared)} to be no data; it is read as the class that it names."
        )
        return values
    if len(set(kept) - {NOWHERE}) < 2 and not classes:
        table.notes.append(
            f"The files declare {number_list(declared)} to be no data; as the masks hold only one value besides, it is "
            f"read as a class (else: --ignore {declared[0]})."
        )
        return values
    table.notes.append(
        f"Mask value {number_list(declared)} is ignored: the files declare it to be no data. If it is a class, name "
        f"all classes with their values ({_said([*declared, *kept[:2]])})."
    )
    table.ignored += declared
    return kept


def _void(values: list[int], classes: ClassList | None) -> list[int]:
    """The values that mean "not labelled" by convention, beside class values and without being one.

    Raises:
        DataError: they may be classes as well.
    """
    count = len(classes.names) if classes else 0
    top = [value for value in values if (_VOID_FROM <= value <= 255 or value == NOWHERE) and value >= count]
    rest = [value for value in values if value not in top]
    if classes is not None:
        if not rest or not top or rest == [0] or set(values) <= set(_gray_levels(classes)):
            return []
        if rest[-1] < count:
            return top
        if len(values) == count:  # as many names as values
            return []
        return top if _are_indices(rest) else _ask(values, top) if len(rest) == count else []
    high = [value for value in rest if _HIGH_FROM <= value <= 255]
    low = [value for value in rest if value < _HIGH_FROM]
    if not top and high and len(low) > 1 and _are_indices(low) and high[0] - low[-1] > _FAR:
        return _ask(values, high)
    if not top and not high and _stands_alone(low):
        return _ask(values, low[-1:])
    if not rest or not top:
        return []
    if rest == [0] and len(top) == 1:
        return []
    if rest == [0]:  # whites of several tools, or one of them means something else
        raise DataError(
            f'the masks hold 0 and {number_list(top)}: are these all the foreground, or does one mean "not labelled"? '
            f"Say either --classes background,foreground (recipe: data.classes), or --ignore {top[0]} (recipe: "
            f"data.ignore)"
        )
    if _are_indices(rest):
        return top
    return [] if len(values) == 3 or _are_steps(values) else _ask(values, top)


def _stands_alone(values: Sequence[int]) -> bool:
    """Whether class numbers without a gap are followed, far above, by a single value more."""
    *numbers, last = values
    counted = list(range(numbers[0], numbers[0] + len(numbers))) if numbers else []
    return len(numbers) >= _IN_TURN and numbers == counted and numbers[0] <= 1 and last - numbers[-1] > _FAR


def _are_indices(values: Sequence[int]) -> bool:
    """Whether values look like class numbers: small, or nearly all that there are up to the largest."""
    return bool(values) and (values[-1] < _INDEX or (values[0] <= 1 and len(values) > values[-1] // 2))


def _are_steps(values: Sequence[int]) -> bool:
    """Whether values look like classes drawn in gray: spread over the whole range in steps of about one width."""
    steps = [b - a for a, b in pairwise(values)]
    return len(steps) > 1 and max(steps) <= _EVEN * min(steps)


def _ask(values: Sequence[int], doubtful: Sequence[int]) -> list[int]:
    which = number_list(list(doubtful))
    raise DataError(
        f'the masks hold the values {number_list(list(values))}: does {which} mean "not labelled", or is it a class? '
        f"Say either --ignore {doubtful[0]} (recipe: data.ignore), or name the classes of all {len(values)} values in "
        f"their order (--classes a,b,...; recipe: data.classes)"
    )


def _by_order(values: list[int], classes: ClassList, table: Table) -> dict[int, str]:
    """Values to class names where only the names' order is known."""
    names, notes = classes.names, table.notes
    count = len(names)
    highest = values[-1] if values else 0
    if highest < count:
        return dict(enumerate(names))
    if highest == count and (0 in table.ignored or 0 not in values):
        notes.append(f"Mask values start at 1: value 1 is {names[0]}, value {count} is {names[-1]}.")
        return dict(enumerate(names, start=1))
    levels = _gray_levels(classes)
    if levels and set(values) <= set(levels):
        notes.append(f"The gray values are the colours of {classes.source}.")
        return dict(zip(levels, names, strict=True))
    if len(values) == count:
        notes.append(f"The {count} names are given to the mask values {number_list(values)} in order.")
        return dict(zip(values, names, strict=True))
    if values in ([255], [NOWHERE]) and count == 2:
        notes.append(f"Every mask is {values[0]} throughout, which is read as {names[1]}.")
        return {0: names[0], values[0]: names[1]}
    hint = ""
    if highest == count:
        hint = ". That is one value more than names: is 0 the background? Then name it first, or ignore 0"
    elif values == [0, 255]:
        hint = ". The masks are binary (0 and 255): name two classes, the background first"
    raise DataError(
        f"the masks hold the values {number_list(values)}, but {classes.source} names {count} "
        f"class{'es' if count > 1 else ''} for the values 0-{count - 1}{hint or UNNAMED}"
    )


def _objects(found: Survey) -> str:
    """Say that masks seem to number objects: each counts up from 1, and each to another number."""
    most = sorted(found.counts)
    if not most or 0 in most or len(most) < _FEW_COUNTS or most[-1] < _MANY_OBJECTS:
        return ""
    return (
        f"Every mask counts up from 1, to {most[0]} in one and to {most[-1]} in another, as numbers of objects do: if "
        f"they are no classes, make one class of them (data.remap: {{map: {{class_0: background}}, rest: object, "
        f"classes: [background, object]}})."
    )


def _gray_levels(classes: ClassList) -> tuple[int, ...]:
    """The gray levels that a class file gives as colours; none where one of them is no gray."""
    gray = all(r == g == b for r, g, b in classes.palette)
    levels = tuple(color[0] for color in classes.palette) if gray else ()
    return levels if len(set(levels)) == len(levels) else ()


def _by_value(values: list[int], notes: list[str]) -> dict[int, str]:
    """Values to names where nobody gave any."""
    if values in ([0], []):
        raise DataError(
            "every mask is empty (only the value 0 occurs), so there is nothing to learn; check that the right folder "
            "holds the masks, or name the classes (classes) if this is intended"
        )
    if len(values) == 1 and values[0] in WHITE:
        raise DataError(
            f"every mask is {values[0]} throughout, so either all of it is foreground or nothing is labelled; check "
            f"that the right folder holds the masks, or name the classes if this is intended (--classes "
            f"background,foreground)"
        )
    if (
        len(values) == 2
        and values[0] == 0
        and (values[1] == 1 or _HIGH_FROM <= values[1] <= 255 or values[1] == NOWHERE)
    ):
        notes.append(
            f"Masks are binary: value 0 is read as background, {values[1]} as foreground. Other names, the one of "
            f"value 0 first: --classes (recipe: data.classes)."
        )
        return {0: "background", values[1]: "foreground"}
    if values[0] <= 1 and len(values) > values[-1] // 2:
        first, last = values[0], values[-1]
        notes.append(
            f"No class names were given: mask values {number_list(values)} are called "
            f"class_{first} to class_{last}; put a classes.txt (one name per line) into the folder to name them."
        )
        return {value: f"class_{value}" for value in range(first, last + 1)}
    if len(values) > _MOST:
        raise DataError(
            f"the masks hold {len(values)} different values ({number_list(values)}), which looks like photos, depth or "
            f"instance numbers rather than classes; export class indices, or name the classes"
        )
    notes.append(
        f"No class names were given: only the mask values {number_list(values)} occur, called "
        f"{', '.join(f'class_{value}' for value in values[:4])}{', ...' if len(values) > 4 else ''}."
    )
    return {value: f"class_{value}" for value in values}

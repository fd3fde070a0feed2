"""From what masks hold to classes, a coding, and what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from intarsia.annotations.document import is_unlabelled
from intarsia.classlists import ClassList
from intarsia.datasets.coding import MaskCoding, color_of, number_list, percent, share_list
from intarsia.datasets.meaning.palettes import by_palette
from intarsia.datasets.meaning.softness import edge_shades, has_whites, is_soft_color, soft_threshold
from intarsia.datasets.meaning.survey import MOST_COLORS, Survey
from intarsia.datasets.meaning.values import table_of
from intarsia.errors import DataError
from intarsia.labels import Color, LabelSpace

Chosen = tuple[LabelSpace, MaskCoding, list[str]]


def choose(found: Survey, classes: ClassList | None, ignore: Sequence[int] = (), *, tolerant: bool = False) -> Chosen:
    """Label space and coding of what a survey found, with notes on what was decided and how to decide otherwise.

    Args:
        found: what the masks hold.
        classes: what the user or a class file says.
        ignore: stored values that mean "not labelled".
        tolerant: take blurred colours (JPEG) by the nearest colour of the classes.

    Raises:
        DataError: the masks cannot be understood without more help; says which.
    """
    read, painted, said = by_palette(found, classes)
    space, coding, notes = _chosen(read, classes, ignore, tolerant)
    coding = replace(coding, painted=painted or coding.painted)
    return space, coding, [*(classes.notes if classes else ()), *said, *notes]


def _chosen(found: Survey, classes: ClassList | None, ignore: Sequence[int], tolerant: bool) -> Chosen:
    if found.colors and not (is_soft_color(found) and not (classes and classes.palette)):
        return _by_colors(found, classes, tolerant)
    left = found.without(set(ignore))
    threshold = None if _counted(left, classes) else soft_threshold(left)
    if threshold is None and classes and len(classes.names) == 2 and not classes.values and has_whites(left):
        threshold = 127
    if found.colors or threshold is not None:
        return _soft(left, classes, threshold or 127, ignore)
    if found.jpegs and set(found.values) - {0, 255}:
        raise DataError(
            f"{found.jpegs} masks are JPEG files, and their values ({number_list(found.values)}) are not just black "
            f"and white: JPEG blurs class values. Export the masks again as PNG"
        )
    return _by_values(found, classes, ignore)


def _counted(found: Survey, classes: ClassList | None) -> bool:
    """Whether there are as many names as values, or each value has its name: then no shade is an edge."""
    if classes is None or len(classes.names) < 3:
        return False
    return len(found.values) == len(classes.names) or set(found.values) <= set(classes.values)


def _soft(found: Survey, classes: ClassList | None, threshold: int, ignore: Sequence[int]) -> Chosen:
    names = classes.names if classes else ("background", "foreground")
    if len(names) != 2:
        raise DataError(
            f"the masks are black and white with shades between (soft edges or JPEG), so they hold two classes, but "
            f"{classes.source if classes else 'classes'} names {len(names)}; name two, or export index masks as PNG"
        )
    total = sum(found.values.values()) + sum(found.colors.values())
    top = max(found.values, default=255)
    pure = found.values[0] + found.values[top] + found.colors[0] + found.colors[0xFFFFFF]
    why = "JPEG files" if found.jpegs else "soft edges"
    space = _space(names, classes)
    sides = (1, 0) if classes and classes.values and classes.values[0] > classes.values[1] else (0, 1)
    full = 255 if top <= 255 else 65535
    some = " If the shades are classes, name as many as there are values (--classes)." if len(found.values) < 9 else ""
    notes = [
        f"Masks are black and white with shades between ({why}, {percent(total - pure, total)} of pixels): "
        f"0-{threshold} is read as {names[sides[0]]}, {threshold + 1}-{full} as {names[sides[1]]}.{some}"
    ]
    ignored = [value for value in ignore if value >= 0]
    if not ignored or found.colors:
        return space, MaskCoding(threshold=threshold, sides=sides), notes
    table = {value: sides[value > threshold] for value in range(full + 1)} | dict.fromkeys(ignored, space.ignore_index)
    return space, MaskCoding(values=table), [f"Mask value {number_list(ignored)} is ignored (as asked).", *notes]


def _by_colors(found: Survey, classes: ClassList | None, tolerant: bool) -> Chosen:
    total = sum(found.colors.values()) + sum(found.values.values())
    colors: Counter[int] = Counter(found.colors)
    for value, count in found.values.items():
        colors[value << 16 | value << 8 | value] += count
    tolerant = tolerant and classes is not None and bool(classes.palette)
    if len(colors) > MOST_COLORS and not tolerant:
        raise DataError(
            f"the masks hold more than {MOST_COLORS} different colours, so they are photos, or were saved with "
            f"lossy compression (JPEG, WebP) or smoothed edges; export colour-coded masks as PNG, or name classes and "
            f"palette and take every pixel by the nearest colour (--tolerant; recipe: data.tolerant)"
        )
    if classes is None or not classes.palette:
        lacking = (
            f". {classes.source} gives no colour to {', '.join(classes.uncolored)}"
            if classes and classes.uncolored
            else ""
        )
        raise DataError(
            f"the masks are colour-coded; say which colour is which class with classes and palette, or with a file "
            f"label_colors.txt (lines such as: 128 64 128 road) in the data set's folder{lacking}. "
            f"Colours found: {share_list(colors, total, 40)}"
        )
    names = _kept(classes)
    palette = tuple(color for name, color in zip(classes.names, classes.palette, strict=True) if name in names)
    space = LabelSpace(names, palette)
    if len(set(classes.palette)) < len(classes.palette):
        raise DataError(f"{classes.source}: two classes have the same colour; give each its own")
    labels = {color_of(code): space.ignore_index for code in found.void} | {
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
            f"Add them (a class called void is ignored), correct the masks, or take every pixel by the nearest colour "
            f"(--tolerant; recipe: data.tolerant)"
        )
    notes = [f"Masks are colour-coded: {len(colors)} of {len(labels)} colours of {classes.source} occur."]
    return space, MaskCoding(colors=labels), notes + _ignored_note(classes, names)


def _by_values(found: Survey, classes: ClassList | None, ignore: Sequence[int]) -> Chosen:
    left = found.without(set(ignore))
    if classes is None and (shades := edge_shades(left)):
        areas = [value for value in left.values if value not in shades]
        raise DataError(
            f"the masks hold areas of the values {number_list(areas)} and, at their edges only, the shades "
            f"{number_list(shades)}, as smooth drawing or resizing leaves them; nobody can tell their classes. Export "
            f"the masks without smoothing (nearest neighbour). If the shades are classes, name as many as there are "
            f"values (--classes; recipe: data.classes)"
        )
    table = table_of(found, classes, ignore)
    kept = _kept(replace(classes, names=tuple(table.names.values()))) if classes else tuple(table.names.values())
    names = tuple(name for value, name in table.names.items() if name in kept and value not in table.ignored)
    if not names:
        raise DataError("every class is ignored; name fewer values in ignore")
    space = LabelSpace(names, _palette(classes, names))
    labels = {
        value: names.index(name) if name in names else space.ignore_index for value, name in table.names.items()
    } | dict.fromkeys(table.ignored, space.ignore_index)
    notes = list(table.notes)
    if classes:
        notes.append("Mask values are read as " + _pairs_text(labels, space) + ".")
        notes += _ignored_note(classes, names)
    return space, MaskCoding(values=labels), notes


def without_ignored(classes: ClassList) -> LabelSpace:
    """The label space of a class list; classes called void and the like are left out, as they are never learnt."""
    return _space(_kept(classes), classes)


def _kept(classes: ClassList) -> tuple[str, ...]:
    return tuple(name for name in classes.names if not is_unlabelled(name))


def _palette(classes: ClassList | None, names: tuple[str, ...]) -> tuple[Color, ...]:
    if classes is None or not classes.palette:
        return ()
    colors = dict(zip(classes.names, classes.palette, strict=True))
    return tuple(colors[name] for name in names)


def _space(names: tuple[str, ...], classes: ClassList | None) -> LabelSpace:
    return LabelSpace(names, _palette(classes, names))


def _ignored_note(classes: ClassList, names: tuple[str, ...]) -> list[str]:
    left_out = [name for name in classes.names if name not in names and is_unlabelled(name)]
    return [f"The class {', '.join(left_out)} of {classes.source} is ignored (not labelled)."] if left_out else []


def _pairs_text(labels: dict[int, int], space: LabelSpace) -> str:
    shown = [f"{value} {space.names[label]}" for value, label in sorted(labels.items()) if label < len(space)]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")

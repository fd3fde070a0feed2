"""Palette masks: whether their indices count, or their colours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from intarsia.classlists import ClassList
from intarsia.datasets.coding import color_of
from intarsia.datasets.meaning.survey import Survey, is_gray
from intarsia.errors import DataError

_VOID = 255
_NUMBERED = "number the classes (0: ground, 1: car), in their file or in --classes (recipe: data.classes)"


def by_palette(found: Survey, classes: ClassList | None) -> tuple[Survey, bool, list[str]]:
    """Decide how palette files are read.

    Indices count, as tools that write palettes mean them, unless colours are better evidence: where the class file
    names the palette's colours at other places than the indices say, or where gray levels moved from file to file, as
    optimisers of pictures leave them.

    Returns:
        What the masks hold, read so; whether palette files are read by their colours; what was decided.

    Raises:
        DataError: neither reading is certain; names both, and what decides.
    """
    if not found.painted:
        return found, False, []
    if classes is not None and classes.palette:
        return _by_named_colors(found, classes)
    if classes is not None and classes.values:
        return found.by_index(), False, []
    indices = defaultdict(set)
    for index, color in found.painted:
        indices[color].add(index)
    moved = [color for color, places in indices.items() if len(places) > 1 and not found.twins]
    if all(is_gray(color) for color in indices):
        levels = {color & 255 for color in indices}
        beside = bool(found.values) and levels <= {*found.values, 0, 255} and not found.twins
        if moved or (beside and not {index for index, _ in found.painted} <= set(found.values)):
            note = (
                "The palettes of the masks differ, and all their colours are gray: they are read by these gray levels."
            )
            return found.by_color(), True, [note]
        if levels == {0, 255} and all(bool(index) != bool(color & 255) for index, color in found.painted):
            note = "The palettes of the masks put white first: they are read by black and white, not by their indices."
            return found.by_color(), True, [note]
        return found.by_index(), False, []
    if moved:
        shown = ", ".join(f"{color_of(color)} at {_numbers(indices[color])}" for color in sorted(moved)[:4])
        raise DataError(
            f"the palettes of the masks differ from file to file: {shown}. Do their colours count? Then write them "
            f"into label_colors.txt (lines such as: 128 64 128 road). Do their indices count? Then {_NUMBERED}"
        )
    return found.by_index(), False, []


def _by_named_colors(found: Survey, classes: ClassList) -> tuple[Survey, bool, list[str]]:
    """As `by_palette`, with a class file that names colours."""
    values = classes.values or range(len(classes.names))
    places = {
        color[0] << 16 | color[1] << 8 | color[2]: value for color, value in zip(classes.palette, values, strict=True)
    }
    known = {(index, color) for index, color in found.painted if color in places}
    # The index 255 in a colour of its own is "not labelled", as in VOC's masks.
    others = {(index, color) for index, color in found.painted if color not in places and index != _VOID}
    if all(places[color] == index for index, color in known):
        told = f"The colours of the masks' palettes are not those of {classes.source}: their indices count."
        return found.by_index(), False, [] if known or found.colors else [told]
    if not others:
        shown = replace(found.by_color(), void={color for _, color in found.painted if color not in places})
        note = f"Palette masks are read by the colours that {classes.source} names, not by their indices"
        return shown, True, [f"{note}; else {_NUMBERED}, and leave the colours out."]
    lacking = ", ".join(str(color_of(color)) for color in sorted({color for _, color in others})[:8])
    raise DataError(
        f"the palettes of the masks hold colours of {classes.source} at other indices than its order says, and others "
        f"that it does not name: {lacking}. Do colours count? Then add these. Do indices count? Then {_NUMBERED}, and "
        f"leave the colours out"
    )


def _numbers(indices: set[int]) -> str:
    return " and ".join(map(str, sorted(indices)[:3]))

"""Class lists as JSON: the forms that annotation tools, trainers and model hubs write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intarsia.classlists.contract import Entry, color_in

_INSIDE = (
    "id2label", "label2id", "label_map", "metainfo", "dataset_meta", "categories", "annotation_classes", "classes",
    "class_names", "labels", "names", "label", "tools", "objects", "tags",
)  # fmt: skip
"""Keys below which a list of classes stands, the surest first."""

_PALETTES = ("palette", "segmentation_colors", "colors", "colours")
_NAMES = ("name", "title", "label", "class_name", "class", "display_name", "category")
_VALUES = ("id", "value", "index", "class_id", "label_id", "category_id")
_COLORS = ("color", "colour", "rgb", "hex")
_TELLING = frozenset((*_NAMES, *_VALUES, *_COLORS))
_OWN_NUMBERS = ("attributes", "shape", "tool", "featureschemaid", "geometry_config")
"""Keys of tools whose `id` is a number in their database, not the value in a mask (CVAT, Supervisely, Labelbox)."""

_LARGEST = 65535


def entries_in(value: Any) -> list[Entry]:
    """The classes that a JSON document names; none when it is no class list."""
    if isinstance(value, Mapping):
        return _inside(value) or _mapped(value) or _deeper(value)
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return [Entry(name.strip()) for name in value]
    if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        found = _objects([{str(key).lower(): part for key, part in entry.items()} for entry in value])
        together = {key: part for entry in value for key, part in entry.items()}
        return found or (_mapped(together) if len(together) == len(value) else [])
    if isinstance(value, list) and value and all(isinstance(entry, list | tuple) for entry in value):
        return _rows(value)
    return []


def _inside(value: Mapping[str, Any]) -> list[Entry]:
    """The classes below one of the keys that hold such lists, with the palette that stands beside it."""
    lower = {str(key).lower(): part for key, part in value.items()}
    for key in _INSIDE:
        found = entries_in(lower[key]) if isinstance(lower.get(key), list | Mapping) else []
        if not found:
            continue
        palette = next((lower[name] for name in _PALETTES if isinstance(lower.get(name), list | Mapping)), ())
        if isinstance(palette, Mapping):  # by name
            palette = [palette.get(entry.name) for entry in found] if palette else ()
        colors = [color_in(color) for color in palette or ()]
        if not colors:
            return found
        if key == "label_map":  # the palette is in the order of the numbers
            found = [Entry(entry.name) for entry in sorted(found, key=lambda entry: entry.value or 0)]
        padded = [*colors, *[None] * len(found)]
        return [Entry(entry.name, entry.value, color) for entry, color in zip(found, padded, strict=False)]
    return []


def _deeper(value: Mapping[str, Any]) -> list[Entry]:
    """The classes of the only object inside that names some."""
    found = [entries for part in value.values() if isinstance(part, Mapping) and (entries := entries_in(part))]
    return found[0] if len(found) == 1 else []


def _mapped(value: Mapping[str, Any]) -> list[Entry]:
    """The classes of an object whose keys are names, numbers or colours."""
    keys, parts = list(map(str, value)), list(value.values())
    numbers = all(key.strip().isdecimal() for key in keys)
    if not keys:
        return []
    if all(isinstance(part, Mapping) and not _TELLING.isdisjoint(str(key).lower() for key in part) for part in parts):
        spread = [{str(key).lower(): item for key, item in part.items()} for part in parts]
        named = [{"id" if numbers else "name": key} | part for key, part in zip(keys, spread, strict=True)]
        return _objects(named)
    if all(isinstance(part, int) and not isinstance(part, bool) for part in parts):
        return [Entry(key, part) for key, part in zip(keys, parts, strict=True)]
    colors = [color_in(part) for part in parts]
    if all(colors) and not numbers:
        return [Entry(key, None, color) for key, color in zip(keys, colors, strict=True)]
    if all(isinstance(part, list) for part in parts):
        return _rows([[key, *part] for key, part in zip(keys, parts, strict=True)])
    if not all(isinstance(part, str) for part in parts):
        return []
    if numbers:
        return [Entry(part.strip(), int(key)) for key, part in zip(keys, parts, strict=True)]
    coded = [color_in(key) for key in keys]
    if all(coded):
        return [Entry(part.strip(), None, color) for color, part in zip(coded, parts, strict=True)]
    if all(part.strip().isdecimal() for part in parts):
        return [Entry(key, int(part)) for key, part in zip(keys, parts, strict=True)]
    return []


def _objects(parts: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Classes that are objects of their own, with a name, and perhaps a number and a colour."""
    name = next((key for key in _NAMES if all(isinstance(part.get(key), str) for part in parts)), None)
    if name is None:
        return []
    numbered = not any(key in part for part in parts for key in _OWN_NUMBERS)
    value = next((key for key in _VALUES if all(_is_number(part.get(key)) for part in parts)), None)
    color = next((key for key in _COLORS if any(color_in(part.get(key)) for part in parts)), None)
    numbers = [int(part[value]) for part in parts] if value and numbered else []
    if max(numbers, default=0) > _LARGEST:  # no mask holds such values
        numbers = []
    return [
        Entry(
            str(part[name]).strip(), numbers[place] if numbers else None, color_in(part.get(color)) if color else None
        )
        for place, part in enumerate(parts)
    ]


def _rows(rows: Sequence[Sequence[Any]]) -> list[Entry]:
    """Classes that are lists of their own: ["road", [128, 64, 128]], [3, "road"], ["road", 128, 64, 128]."""
    entries = [_row(row) for row in rows]
    return [entry for entry in entries if entry is not None] if all(entries) else []


def _row(row: Sequence[Any]) -> Entry | None:
    """The class of one list: the only text in it is its name, three numbers or a list are its colour."""
    colors = [color for part in row if not isinstance(part, int) and (color := color_in(part)) is not None]
    names = [part.strip() for part in row if isinstance(part, str) and not _is_number(part) and color_in(part) is None]
    numbers = [int(part) for part in row if _is_number(part)]
    valued = len(numbers) == 4 and _is_number(row[0]) and not _is_number(row[1])  # [7, "road", R, G, B]
    if (len(numbers) == 3 or valued) and not colors:
        r, g, b = numbers[-3:]
        colors, numbers = [(r, g, b)], numbers[:-3]
    if len(names) != 1 or len(colors) > 1 or len(numbers) > 1 or len(row) > 5:
        return None
    return Entry(names[0], numbers[0] if numbers else None, colors[0] if colors else None)


def _is_number(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdecimal())

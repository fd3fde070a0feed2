"""The fields of VIA's regions and files: their declarations, their values, and which of them is the class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from intarsia.annotations.document import Attribute, Category
from intarsia.annotations.lost import Lost
from intarsia.errors import UsageError, suggest

CLASS_NAMES = ("class", "label", "category", "class_name", "classname", "object_name", "name", "object", "type")
"""Names that people give to the field that holds the class, likeliest first."""

_CHOICES = ("dropdown", "radio", "checkbox", "image", "select")


@dataclass(frozen=True)
class Field:
    """One declared field; `options` maps the keys that files store to the texts that people see."""

    name: str
    kind: str = "text"
    options: Mapping[str, str] = field(default_factory=dict)
    default: str = ""

    def value(self, raw: Any) -> Any:
        """A stored value as text, number, bool, or (of a checkbox) the list of the ticked options' texts."""
        if isinstance(raw, Mapping):
            return [self.text(key) for key, ticked in raw.items() if ticked and ticked != "false"]
        if isinstance(raw, list):
            return [self.text(str(entry)) for entry in raw]
        if isinstance(raw, str):
            return self.text(raw)
        return raw if isinstance(raw, bool | int | float) else ""

    def text(self, key: str) -> str:
        """The text of an option, the key itself where it has none."""
        return self.options.get(key) or key


def declared(entries: Any) -> dict[str, Field]:
    """The fields of VIA 2's `_via_attributes.region` (or `.file`)."""
    found = {}
    for name, entry in entries.items() if isinstance(entries, Mapping) else ():
        entry = entry if isinstance(entry, Mapping) else {}
        options = entry.get("options")
        options = {key: str(text) for key, text in options.items()} if isinstance(options, Mapping) else {}
        default = entry.get("default_options")
        default = next(iter(default), "") if isinstance(default, Mapping) else ""
        kind = entry.get("type")
        found[name] = Field(name, kind if isinstance(kind, str) else "text", options, str(default))
    return found


def values(entries: Any, fields: Mapping[str, Field]) -> dict[str, Any]:
    """All values of one region or file, by field name."""
    if not isinstance(entries, Mapping):
        return {}
    return {name: fields.get(name, Field(name)).value(raw) for name, raw in entries.items()}


def class_field(regions: Iterable[Mapping[str, Any]], fields: Mapping[str, Field], wanted: str | None) -> str | None:
    """The name of the field that holds the class, None if no region has any field.

    The one that the user names; else a usual name (`CLASS_NAMES`); else a field with choices; else the one that most
    regions fill in.

    Raises:
        UsageError: no region has the field that the user names.
    """
    filled = Counter(name for region in regions for name, value in region.items() if value not in ("", [], None))
    if wanted is not None:
        if wanted not in filled and wanted not in fields:
            raise UsageError(f"no region has an attribute {wanted!r}.{suggest(wanted, [*filled, *fields])}")
        return wanted
    for usual in CLASS_NAMES:
        for name in filled:
            if name.lower() == usual:
                return name
    chosen = {name: n for name, n in filled.items() if name in fields and fields[name].kind in _CHOICES}
    return max(chosen or filled, key=filled.__getitem__, default=None)


def label_of(attributes: dict[str, Any], name: str | None, default: str, where: str, lost: Lost) -> str:
    """Take the class out of a region's fields."""
    value = attributes.pop(name, "") if name is not None else ""
    if isinstance(value, list):
        if len(value) > 1:
            lost.changed("several options are ticked, the first is the class", where)
        value = value[0] if value else ""
    if value == "":
        lost.changed(f"a region without a class is called {default!r} (default_class)", where)
        return default
    return str(value)


def categories(fields: Mapping[str, Field], class_name: str | None) -> tuple[Category, ...]:
    """The classes that the options of the class field declare, with the other fields as their attributes."""
    if class_name is None or class_name not in fields:
        return ()
    rest = tuple(
        Attribute(one.name, tuple(map(one.text, one.options)), one.kind, one.text(one.default))
        for name, one in fields.items()
        if name != class_name
    )
    chosen = fields[class_name]
    return tuple(Category(text, attributes=rest) for text in dict.fromkeys(map(chosen.text, chosen.options)))

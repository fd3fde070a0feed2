"""The classes of a project: a class is its number in the masks, whatever its name, colour and place in the list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from intarsia.errors import UsageError
from intarsia.labels import Color, LabelArray, LabelSpace, distinct_colors
from intarsia.serving.project.revisions import OtherClasses

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Classes:
    """The classes, and the order in which they are shown.

    Attributes:
        space: names and colours by number.
        order: the numbers in the order in which people see them.
        chosen: whether data or a person said them; else they are a model's, and may give way to another model's.
        known_as: former names, and those of models, by which a class is still found: the number by the name.
        revision: counts the changes.
        numbered: the revision since which the classes have their numbers, which adding and renaming leave as they are.
    """

    space: LabelSpace
    order: tuple[int, ...]
    chosen: bool
    known_as: Mapping[str, int] = field(default_factory=dict)
    revision: int = 1
    numbered: int = 1

    @classmethod
    def of(cls, space: LabelSpace, *, chosen: bool) -> Classes:
        """The classes of a space in their own order."""
        return cls(space, tuple(range(len(space))), chosen)

    def replaced(self, space: LabelSpace) -> Classes:
        """The classes of a model in place of these, which nobody said."""
        revision = self.revision + 1
        return replace(Classes.of(space, chosen=False), revision=revision, numbered=revision)

    def require(self, revision: int | None) -> None:
        """Refuse what began with other classes than these.

        Raises:
            OtherClasses: the revision is another one; None is any.
        """
        if revision not in (None, self.revision):
            raise OtherClasses(self.revision, revision or 0)

    def require_numbers(self, revision: int | None) -> None:
        """Refuse what goes by numbers that classes had before.

        Raises:
            OtherClasses: classes were removed since the revision; None is any.
        """
        if revision is not None and revision < self.numbered:
            raise OtherClasses(self.revision, revision)

    def rows(self) -> list[dict[str, Any]]:
        """Each class as {"index", "name", "color"}, in the order in which they are shown."""
        return [
            {"index": index, "name": self.space.names[index], "color": hex_of(self.space.palette[index])}
            for index in self.order
        ]

    def changed(self, rows: Sequence[Mapping[str, Any]], *, unused: bool = False) -> Classes:
        """Add, rename, recolour and reorder classes; remove some where no mask holds any.

        Args:
            rows: all classes in the order in which they shall be shown; one without "index" is new, and one without
                "color" gets a colour.
            unused: whether classes may be left out, as no mask holds their numbers: the others are numbered anew.

        Raises:
            UsageError: a class is missing, doubled or unnamed, a colour is none, or there are too many.
        """
        before = range(len(self.space))
        said = {int(row["index"]) for row in rows if row.get("index") is not None}
        kept = [index for index in before if index in said] if unused else list(before)
        place = {old: new for new, old in enumerate(kept)}
        new = iter(range(len(kept), len(kept) + len(rows)))
        numbers = [row.get("index") for row in rows]
        order = [next(new) if number is None else place.get(int(number), int(number)) for number in numbers]
        self._check(order, len(kept))
        if len(order) > self.space.ignore_index:
            raise UsageError(f"{len(order)} classes are too many: the masks have room for {self.space.ignore_index}")
        names, colors = [""] * len(order), list(distinct_colors(len(order)))
        colors[: len(kept)] = [self.space.palette[index] for index in kept]
        for index, row in zip(order, rows, strict=True):
            names[index] = " ".join(str(row.get("name", "")).split())
            colors[index] = rgb_of(row["color"]) if row.get("color") else colors[index]
        _check_names(names)
        space = LabelSpace(tuple(names), tuple(colors), self.space.ignore_index)
        former = {**self.known_as, **{name: index for index, name in enumerate(self.space.names) if name not in names}}
        known_as = {name: place[index] for name, index in former.items() if index in place}
        revision = self.revision + 1
        numbered = self.numbered if len(kept) == len(before) else revision
        return Classes(space, tuple(order), True, known_as, revision, numbered)

    def lookup_from(self, other: LabelSpace) -> LabelArray:
        """Lookup table from a model's labels to the project's, by the names that classes have or had."""
        rename = {
            name: self.space.names[index] for name, index in self.known_as.items() if name not in self.space.names
        }
        return self.space.lookup_from(other, rename)

    def lacks(self, other: LabelSpace) -> tuple[str, ...]:
        """The classes of a model that the project has no counterpart for."""
        return tuple(name for name in other.names if name not in self.space.names and name not in self.known_as)

    def _check(self, order: list[int], kept: int) -> None:
        missing = sorted(set(range(kept)) - set(order))
        if missing:
            raise UsageError(
                f"class {self.space.names[missing[0]]!r} is missing: masks may hold it, so it can be renamed, but "
                "not removed"
            )
        if sorted(order) != list(range(len(order))):
            raise UsageError(
                f"class numbers are 0 to {len(order) - 1}, each once, not {order}; leave out those of new ones"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            **self.space.to_json(),
            "order": list(self.order),
            "chosen": self.chosen,
            "known_as": dict(self.known_as),
            "revision": self.revision,
            "numbered": self.numbered,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Classes:
        """Read `to_json`'s form."""
        space = LabelSpace.from_json(value)
        counted = int(value.get("revision", 1)), int(value.get("numbered", 1))  # older files lack them
        return cls(space, tuple(value["order"]), bool(value["chosen"]), dict(value["known_as"]), *counted)


def _check_names(names: Sequence[str]) -> None:
    """Refuse what is no name, and what is the name of two."""
    unnamed = [index for index, name in enumerate(names) if not name]
    if unnamed:
        raise UsageError(f"class {unnamed[0]} has no name; give it one")
    odd = [name for name in names if not name.isprintable()]
    if odd:
        raise UsageError(f"{odd[0]!r} is no name of a class: it has characters that cannot be shown")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UsageError(f"two classes are named {doubled[0]!r}; give one of them another name")


def hex_of(color: Color) -> str:
    """A colour as "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def rgb_of(text: object) -> Color:
    """A colour from "#rrggbb".

    Raises:
        UsageError: it is none.
    """
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise UsageError(f"a colour is written #rrggbb, for instance #e69f00, not {text!r}")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)

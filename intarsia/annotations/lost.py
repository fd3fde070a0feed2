"""Lost: what a reader skipped and what a conversion could not express, counted with reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["dropped", "changed"]

_SHOWN = 3
_MOST_EXAMPLES = _SHOWN + 1  # one more than is shown tells that there are more


@dataclass
class Entry:
    """One reason: how often, and the first different places where."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def see(self, where: str) -> None:
        """Note a place, if it is a new one and there is room."""
        if where and where not in self.examples and len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(where)


class Lost:
    """A tally of what did not come through.

    `dropped` is gone (a shape, an attribute, a file); `changed` is still there in another form (a circle that became
    a polygon). Reasons are short plain texts that repeat word for word, so that they can be counted ("circle became a
    polygon", not "circle 7 became ..."); the place goes into `where`.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[Kind, str], Entry] = {}

    def dropped(self, reason: str, where: object = "", count: int = 1) -> None:
        """Count something that is gone."""
        self._add("dropped", reason, str(where), count)

    def changed(self, reason: str, where: object = "", count: int = 1) -> None:
        """Count something that is kept in another form."""
        self._add("changed", reason, str(where), count)

    def merge(self, other: Lost) -> None:
        """Take over another tally."""
        for (kind, reason), entry in other.entries.items():
            mine = self.entries.setdefault((kind, reason), Entry())
            mine.count += entry.count
            for where in entry.examples:
                mine.see(where)

    def forget(self, containing: str) -> None:
        """Leave out the reasons that contain a text, where what is gone is nobody's work."""
        self.entries = {key: entry for key, entry in self.entries.items() if containing not in key[1]}

    def _add(self, kind: Kind, reason: str, where: str, count: int) -> None:
        if count:
            entry = self.entries.setdefault((kind, reason), Entry())
            entry.count += count
            entry.see(where)

    def count(self, kind: Kind | None = None, containing: str = "") -> int:
        """Count what is lost of a kind (None: of both), for reasons that contain a text."""
        return sum(
            entry.count for (k, reason), entry in self.entries.items() if kind in (None, k) and containing in reason
        )

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __repr__(self) -> str:
        return f"<Lost: {'; '.join(self.lines()) or 'nothing'}>"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Write one line a reason, the commonest first: `dropped 12: cuboid has no counterpart (a.jpg, b.jpg, ...)`."""
        order = sorted(self.entries.items(), key=lambda entry: (entry[0][0] != "dropped", -entry[1].count))
        return [f"{kind} {entry.count}: {reason}{_examples(entry)}" for (kind, reason), entry in order]

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON values."""
        return [
            {"kind": kind, "reason": reason, "count": entry.count, "examples": entry.examples}
            for (kind, reason), entry in self.entries.items()
        ]


def _examples(entry: Entry) -> str:
    if not entry.examples:
        return ""
    more = ", ..." if len(entry.examples) > _SHOWN else ""
    return f" ({', '.join(entry.examples[:_SHOWN])}{more})"

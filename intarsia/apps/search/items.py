"""What an index holds of a photo, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


class Item(NamedTuple):
    """One photo in an index.

    Attributes:
        name: posix path from the folder of the index.
        size: bytes of the file.
        time: of its last change, in nanoseconds.
        folder: name of the folder that it lies in.
        category: what it shows, as the network says.
        mask: how the thing was found in it: "clothes", "foreground" or "whole".
    """

    name: str
    size: int
    time: int
    folder: str
    category: str
    mask: str


@dataclass(frozen=True)
class Match:
    """One answer.

    Attributes:
        rank: from 1.
        score: cosine of the angle between the vectors, -1..1; 1 is alike.
        path: of the photo.
        item: what the index holds of it.
        colours: its main colours as "#rrggbb", the largest first.
    """

    rank: int
    score: float
    path: Path
    item: Item
    colours: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        item = self.item
        return {
            "rank": self.rank, "score": self.score, "path": str(self.path), "name": item.name, "folder": item.folder,
            "category": item.category, "mask": item.mask, "colours": list(self.colours),
        }  # fmt: skip

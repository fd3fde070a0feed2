"""Pictures that are changed instead of labelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from intarsia.media.photos import PhotoReader
from intarsia.media.pixels import RGB


@dataclass(frozen=True)
class Edited:
    """A changed picture.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, whose transparency stays as it was, or (H, W, 4) RGBA.
        areas: share of the picture by what it was changed to, largest first.
        notes: what was decided or left out, in sentences.
        details: what only this app has, as plain JSON.
    """

    pixels: RGB
    areas: dict[str, float]
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


class Editor(Protocol):
    """What changes pictures."""

    def edit(self, photo: PhotoReader) -> Edited:
        """Change one picture; `NothingFound` if what should be changed is not in it."""

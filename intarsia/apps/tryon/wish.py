"""What somebody wants to try on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from intarsia.errors import UsageError, suggest
from intarsia.jobs.manifest import fingerprint
from intarsia.media.images import ImageLike
from intarsia.media.oklab import colour

GARMENTS = ("upper", "outer", "dress", "lower", "legs", "shoes", "hat", "bag")
"""Classes of the clothes model that can be made of other cloth."""


@dataclass(frozen=True)
class Wish:
    """What shall be tried on; one of colour, texture and other.

    Attributes:
        garment: which class of clothes is changed.
        colour: as people write it.
        texture: picture of a cloth or print.
        scale: width of the texture, in sizes of the garment.
        other: photo of somebody who wears such a garment.
    """

    garment: str
    colour: str | None = None
    texture: ImageLike | None = None
    scale: float = 0.5
    other: ImageLike | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; of files also their size and time of change."""
        files = {"texture": self.texture, "other": self.other}
        told = {
            name: [os.fspath(file), fingerprint(os.fspath(file))]
            for name, file in files.items()
            if isinstance(file, str | os.PathLike)
        }
        return {"garment": self.garment, "colour": self.colour, "scale": self.scale, **told}

    def __post_init__(self) -> None:
        given = [value for value in (self.colour, self.texture, self.other) if value is not None]
        if len(given) != 1:
            raise UsageError("say what the garment shall be made of: one of colour, texture and another photo (from)")
        if self.colour is not None:
            colour(self.colour)
        if not self.scale > 0:
            raise UsageError(f"the width of a texture is above 0 (sizes of the garment), not {self.scale}")
        if self.garment not in GARMENTS:
            raise UsageError(
                f"no garment is named {self.garment!r}; there are {', '.join(GARMENTS)}."
                f"{suggest(self.garment, GARMENTS)}"
            )

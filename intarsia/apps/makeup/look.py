"""What is painted on a face, as somebody says it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from intarsia.errors import UsageError
from intarsia.media.oklab import colour

COLOURED = ("hair", "brows", "eyes", "lips")


@dataclass(frozen=True)
class Look:
    """A make-up.

    Attributes:
        lips: colour of the lips: a name, "#b0123b", "rgb(176, 18, 59)"; None, as with all others, changes nothing.
        hair: colour of the hair.
        skin: "smooth" evens the skin out.
        eyes: colour of the irises.
        brows: colour of the eyebrows.
        strength: of all of it, 0 (nothing happens) to 1 (the very colour).

    Raises:
        UsageError: no such colour, a strength out of range, or nothing to paint.
    """

    lips: str | None = None
    hair: str | None = None
    skin: Literal["smooth"] | None = None
    eyes: str | None = None
    brows: str | None = None
    strength: float = 0.8

    def __post_init__(self) -> None:
        """Check what was said."""
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength is between 0 (nothing happens) and 1 (the very colour), not {self.strength}")
        if self.skin not in (None, "smooth"):
            raise UsageError(f"skin is smooth, or left as it is, not {self.skin!r}")
        if not any((self.lips, self.hair, self.skin, self.eyes, self.brows)):
            raise UsageError(
                "nothing to paint: say one of lips, hair, skin, eyes and brows at least (--lips '#b0123b')"
            )
        self.colours()

    def colours(self) -> dict[str, tuple[int, int, int]]:
        """Read the colours (red, green and blue, 0 to 255) of what gets one."""
        said = ((name, getattr(self, name)) for name in COLOURED)
        return {name: colour(value) for name, value in said if value}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form of what was said."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}

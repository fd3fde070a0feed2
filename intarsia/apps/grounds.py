"""Grounds: what comes behind a person: a colour, a picture, nothing, or the photo's own background blurred."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from intarsia.errors import UsageError, suggest
from intarsia.media.images import read_image
from intarsia.media.oklab import colour

Pixels = NDArray[np.uint8]
TRANSPARENT, BLUR = "transparent", "blur"


@dataclass(frozen=True)
class Blur:
    """The background itself, out of focus.

    Attributes:
        strength: above 0, at most 1; see `bokeh.out_of_focus`.

    Raises:
        UsageError: the strength is out of range.
    """

    strength: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise UsageError(f"blur is a number above 0 and at most 1, not {self.strength}")

    @property
    def settings(self) -> dict[str, Any]:
        """What tells it from others, as plain JSON."""
        return {"background": BLUR, "strength": self.strength}


@dataclass(frozen=True)
class Transparent:
    """Nothing."""

    @property
    def settings(self) -> dict[str, Any]:
        """What tells it from others, as plain JSON."""
        return {"background": TRANSPARENT}


@dataclass(frozen=True, eq=False)
class Plain:
    """A colour, or a picture that covers.

    Attributes:
        picture: (h, w, 3) uint8 RGB.
    """

    picture: Pixels

    @property
    def settings(self) -> dict[str, Any]:
        """What tells it from others, as plain JSON."""
        checksum = hashlib.sha256(self.picture.tobytes()).hexdigest()
        return {"background": checksum, "size": list(self.picture.shape[1::-1])}

    def covering(self, height: int, width: int) -> Pixels:
        """The picture, scaled until it covers this size, and its middle cut out: (height, width, 3)."""
        rows, columns = self.picture.shape[:2]
        scale = max(height / rows, width / columns)
        cut = (min(rows, max(1, round(height / scale))), min(columns, max(1, round(width / scale))))
        top, left = (rows - cut[0]) // 2, (columns - cut[1]) // 2
        middle = np.ascontiguousarray(self.picture[top : top + cut[0], left : left + cut[1]])
        shrinks = scale < 1
        found = cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return np.asarray(found, dtype=np.uint8)


Ground: TypeAlias = Blur | Transparent | Plain


def read_ground(said: str | os.PathLike[str]) -> Ground:
    """Understand what shall be behind a person.

    Args:
        said: ``blur``, ``transparent``, a picture file, or a colour (``"#b0123b"``, ``navy``, ``"rgb(10, 20, 30)"``).

    Raises:
        UsageError: it is none of them.
        DataError: the picture cannot be read.
    """
    name = os.fspath(said)
    return Plain(read_image(name)) if Path(name).exists() else named_ground(name)


def named_ground(name: str) -> Ground:
    """Understand a ground that needs no file: ``blur``, ``transparent`` or a colour.

    Raises:
        UsageError: it is none of them.
    """
    if name in (BLUR, TRANSPARENT):
        return Blur() if name == BLUR else Transparent()
    try:
        values = colour(name)
    except UsageError:
        if Path(name).suffix:
            raise UsageError(f"there is no file {name} to be the background") from None
        known = suggest(name, [BLUR, TRANSPARENT, *ImageColor.colormap])
        advice = known if known.startswith(" Did") else f" Say {BLUR}, {TRANSPARENT}, #rrggbb, or navy for instance."
        raise UsageError(f"{name!r} is neither a picture file nor a colour.{advice}") from None
    return Plain(np.full((1, 1, 3), values, dtype=np.uint8))

"""View: what a click is decided on, a square part of the picture with what is there already and what was clicked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.media.pixels import RGB

RADIUS = 4
"""Of a click's disc, in pixels of the view."""
CHANNELS = 7
"""Of the bundled network's input: red, green, blue, `same`, `source`, clicks for and clicks against."""

Mask = NDArray[np.bool_]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class View:
    """A square part of a picture, around a click.

    Attributes:
        pixels: (S, S, 3) uint8 RGB; grey where the picture has ended.
        same: (S, S), where the clicked class is already.
        source: (S, S), the connected part that has one class now and holds the click: it, or a part of it, moves.
        inside: (S, S), where the picture is.
        yes: (x, y) of the clicks for the class, in pixels of the view; the last of them is the newest.
        no: (x, y) of the clicks for other classes.
    """

    pixels: RGB
    same: Mask
    source: Mask
    inside: Mask
    yes: Points
    no: Points = ()


class ClickModel(Protocol):
    """Decides how far a click reaches.

    Attributes:
        side: S of the views that it takes.
        whole: it wants to see all of the picture at each click, instead of the part around the click.
    """

    side: int
    whole: bool

    def probability(self, view: View) -> NDArray[np.float32]:
        """Tell how likely each pixel of a view is of the thing that was clicked, (S, S) in 0..1."""
        ...


def drawn(points: Iterable[tuple[float, float]], side: int) -> NDArray[np.uint8]:
    """Draw clicks as discs, (S, S) of 0 and 1."""
    made = np.zeros((side, side), np.uint8)
    for x, y in points:
        cv2.circle(made, (round(x), round(y)), RADIUS, 1, -1)
    return made


def stacked(view: View) -> NDArray[np.uint8]:
    """Make a view the bundled network's input, (7, S, S): colours 0..255, all other channels 0 and 1."""
    side = view.pixels.shape[0]
    maps = [view.same, view.source, drawn(view.yes, side), drawn(view.no, side)]
    return np.concatenate([view.pixels.transpose(2, 0, 1), np.stack([one.astype(np.uint8) for one in maps])])

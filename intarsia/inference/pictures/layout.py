"""Layout: how the network goes over a picture."""

from __future__ import annotations

from typing import NamedTuple

from intarsia.runtimes.upsampling import Span, Upsampling


class Layout(NamedTuple):
    """How the network goes over a picture.

    Attributes:
        size: (height, width) that it sees.
        cells: (height, width) of the logits.
        rows: of the tiles, from top to bottom; one span for a picture that is seen whole.
        columns: of the tiles.
        upsampling: from cells to the picture's own size.
        plan: bands of the picture's own rows that can be decided after each row of tiles.
    """

    size: tuple[int, int]
    cells: tuple[int, int]
    rows: list[Span]
    columns: list[Span]
    upsampling: Upsampling
    plan: list[list[Span]]

"""Stretches: rows of tiles of one large picture that are segmented by themselves, to the same labels."""

from __future__ import annotations

from intarsia.runtimes.upsampling import Span, Upsampling


def first_tile(own: int, rows: list[Span], plan: list[list[Span]], upsampling: Upsampling, stride: int) -> int:
    """Find the row of tiles that a stretch has to begin with, so that the logits of its own rows are whole.

    Args:
        own: the first row of tiles whose bands are wanted.
        rows: spans of all rows of tiles.
        plan: bands of the picture's own rows that can be decided after each of them.
        upsampling: from logits to the picture's own size.
        stride: pixels per logit.
    """
    if own == 0:
        return 0
    cell = upsampling.first_cell(next(bands[0][0] for bands in plan[own:] if bands))
    return next(number for number, (_, bottom) in enumerate(rows) if -(-bottom // stride) > cell)

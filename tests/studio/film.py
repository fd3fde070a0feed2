"""A moving picture of what a test does with the page, for the documentation."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

QUALITY = 75
ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))  # a pointer, which screenshots leave out


class Film:
    """Screenshots one after the other, each shown for a while.

    Args:
        path: of the animated WebP; None: nobody asked for one, and nothing is taken.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.frames: list[Image.Image] = []
        self.shown: list[int] = []

    def take(self, page: Any, milliseconds: int, pointer: tuple[float, float] | None = None) -> None:
        """Add what the page shows now, with the pointer where the mouse is."""
        if self.path is None:
            return
        frame = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        if pointer is not None:
            x, y = pointer
            arrow = [(x + dx, y + dy) for dx, dy in ARROW]
            ImageDraw.Draw(frame).polygon(arrow, fill="black", outline="white", width=1)
        self.frames.append(frame)
        self.shown.append(milliseconds)

    def save(self) -> None:
        """Write the film, which begins anew when it has ended."""
        if self.path is not None:
            first, *others = self.frames
            first.save(
                self.path, save_all=True, append_images=others, duration=self.shown, loop=0, quality=QUALITY, method=6
            )


def along(places: list[list[float]], steps: int) -> list[tuple[float, float]]:
    """Places on the way from each place to the next, the first left out."""
    return [
        (x + (u - x) * step / steps, y + (v - y) * step / steps)
        for (x, y), (u, v) in pairwise(places)
        for step in range(1, steps + 1)
    ]

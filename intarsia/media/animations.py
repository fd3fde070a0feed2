"""Animated pictures (GIF, WebP, APNG, AVIF) as videos: frames as they are composed, with their own times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from intarsia.media.frames import Frame
from intarsia.media.header import check_size, check_sums, file_size, has_frames, opened
from intarsia.media.pixels import to_rgb
from intarsia.media.video import MAX_PIXELS

ANIMATED_SUFFIXES = (".gif", ".webp", ".png", ".apng", ".avif", ".avifs")

_USUAL = 100  # ms of a frame that says 0, as browsers show it


def is_animation(source: object) -> bool:
    """Tell whether a name stands for a picture file of several frames."""
    return has_frames(source, ANIMATED_SUFFIXES)


class Animation:
    """An animated picture; see `intarsia.media.frames.FrameSource`.

    Args:
        source: the file.
        max_pixels: larger frames are refused.

    Raises:
        DataError: missing, damaged, or too large.
    """

    is_live = False
    audio: Path | None = None
    aspect = Fraction(1)
    time_base = Fraction(1, 1000)

    def __init__(self, source: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> None:
        self._path, self.name = Path(source), os.fspath(source)
        self.notes: list[str] = []
        with opened(self._path, self.name) as image:
            check_size(image, self.name, file_size(self._path), max_pixels)
            check_sums(image)
            self.width, self.height = image.size
            # The picture that programs show which cannot play a PNG file is no part of its animation.
            self._first = int(bool(getattr(image, "default_image", False)))
            frames = int(getattr(image, "n_frames", 1))
            total = 0
            for index in range(self._first, frames):
                image.seek(index)
                if image.format in ("WEBP", "AVIF"):
                    image.load()  # or the time would be that of the frame before
                total += _milliseconds(image.info.get("duration"))
        self.count: int | None = frames - self._first
        self.rate = Fraction(1000 * self.count, total).limit_denominator(1000)

    def __iter__(self) -> Iterator[Frame]:
        pts = 0
        with opened(self._path, self.name) as image:
            for index in range(self.count or 0):
                image.seek(self._first + index)
                yield Frame(to_rgb(image.copy(), self.name), pts, index)
                pts += _milliseconds(image.info.get("duration"))


def _milliseconds(said: object) -> int:
    return max(1, round(said)) if isinstance(said, int | float) and said > 0 else _USUAL

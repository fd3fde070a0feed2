"""Frames: what every video is gone through as, whatever it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from intarsia.media.pixels import RGB


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright; not to be changed.
        pts: its time in units of the source's `time_base`; larger for each later frame.
        index: 0 for the first.
    """

    image: RGB
    pts: int
    index: int

    @classmethod
    def of(cls, given: Frame | RGB, index: int) -> Frame:
        """A frame as it is, or a picture as the frame of that number, whose time is its number."""
        return given if isinstance(given, Frame) else cls(given, index, index)


class FrameSource(Protocol):
    """What gives frames.

    Attributes:
        name: path or display name, for messages.
        width: columns of the first frame, upright.
        height: rows of the first frame, upright.
        time_base: seconds per unit of time.
        rate: frames a second on average.
        count: frames that the header announces, or that follow from its duration; None if it tells neither. It is
            good for a progress bar and nothing else.
        is_live: whether frames come at their own pace.
        aspect: width of a pixel by its height.
        audio: file whose sound belongs to the pictures; None for silent ones.
        notes: what was wrong with it, in words, as far as it has been read.
    """

    name: str
    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    count: int | None
    is_live: bool
    aspect: Fraction
    audio: Path | None

    @property
    def notes(self) -> list[str]: ...

    def __iter__(self) -> Iterator[Frame]: ...


class SharedSource(FrameSource, Protocol):
    """What several readers can go through at the same time, each a stretch of its own."""

    @property
    def span(self) -> tuple[int, int] | None:
        """The time of the first frame and that of the end, as the header tells them; None if it does not."""

    def between(self, start: int, end: int) -> Iterator[Frame]:
        """Go through the frames of ``start <= pts < end``, whose numbers (`Frame.index`) are not told."""

"""Pictures in their order as the frames of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from intarsia.errors import DataError, UsageError
from intarsia.media.depth import Windows
from intarsia.media.frames import Frame
from intarsia.media.images import open_image

_LOOKED_AT = 8  # pictures of a sequence whose depth decides


class PictureSequence:
    """Pictures in the order of their names, as a video; see `FrameSource`.

    Args:
        paths: the pictures, at least one.
        rate: frames a second.
        windows: see `intarsia.media.images.open_image`; None takes the depth that some of the pictures fill, for all.

    Raises:
        DataError: there is no picture, or the first one cannot be read.
        UsageError: the rate is not positive.
    """

    def __init__(self, paths: Sequence[Path], *, rate: float | Fraction = 25, windows: Windows | None = None) -> None:
        if rate <= 0:
            raise UsageError(f"rate is a number of frames a second, above 0, not {rate}")
        if not paths:
            raise DataError("a sequence of pictures needs at least one picture")
        self._paths = [Path(path) for path in paths]
        first = open_image(self._paths[0])
        self.width, self.height = first.width, first.height
        self._windows = windows
        self._told: list[str] = []
        if first.is_deep and windows is None:
            self._windows = ((0.0, float((1 << self._depth()) - 1)),)
        self.name = str(self._paths[0].parent)
        self.rate = Fraction(rate).limit_denominator(100_000)
        self.time_base = 1 / self.rate
        self.count: int | None = len(self._paths)
        self.is_live = False
        self.aspect = Fraction(1)
        self.audio: Path | None = None
        self.skipped = self.resized = 0

    @property
    def notes(self) -> list[str]:
        """Say in words what was wrong, as far as it has been read."""
        found = list(self._told)
        found += [f"{self.skipped} pictures could not be read and were left out"] if self.skipped else []
        return found + ([f"{self.resized} pictures have another size than the first"] if self.resized else [])

    def _depth(self) -> int:
        """The bits that some of the 16-bit pictures fill: one range for all, or they would flicker."""
        some = [open_image(path) for path in self._paths[:: max(1, len(self._paths) // _LOOKED_AT)]]
        bits = max(one.bits for one in some)
        if bits < 16:
            self._told.append(f"its 16-bit pictures are taken as {bits}-bit ones, by {len(some)} of them")
        return bits

    def __iter__(self) -> Iterator[Frame]:
        self.skipped = self.resized = 0
        for index, frame in enumerate(self.between(0, len(self._paths))):
            self.resized += frame.image.shape[:2] != (self.height, self.width)
            yield replace(frame, index=index)

    @property
    def span(self) -> tuple[int, int]:
        """The numbers of the first picture and of the end."""
        return 0, len(self._paths)

    def between(self, start: int, end: int) -> Iterator[Frame]:
        """Go through those pictures that can be read, of some that follow each other."""
        for pts, path in enumerate(self._paths[start:end], start):
            try:
                image = open_image(path, windows=self._windows).read()
            except DataError:
                if len(self._paths) == 1:
                    raise
                self.skipped += 1
                continue
            yield Frame(image, pts, 0)

"""Few colours: what tells a mask, or a drawing, from a photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import counted

MOST = 32
"""Colours that a mask may have; photos have thousands, unless they are tiny."""

_LEAST_PIXELS = 64 * 64
_SAMPLE = 4096


class FewColours:
    """Counts the colours of a picture as its rows come, until there are too many for a mask."""

    def __init__(self) -> None:
        self._found = np.empty(0, np.uint32)
        self._pixels, self._many = 0, False

    def add(self, image: NDArray[np.uint8]) -> None:
        """Take in some rows (h, W, 3)."""
        self._pixels += image.shape[0] * image.shape[1]
        pixels = image.reshape(-1, 3)
        for part in (pixels[:: 1 + len(pixels) // _SAMPLE], pixels):  # of a photo, some pixels are enough
            if not self._many:
                red, green, blue = part.astype(np.uint32).T
                self._found = np.union1d(self._found, red << 16 | green << 8 | blue)
                self._many = len(self._found) > MOST

    @property
    def count(self) -> int | None:
        """How many there are; None where there are too many, or too few pixels to say."""
        return None if self._many or self._pixels < _LEAST_PIXELS else len(self._found)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said of it, in a sentence; nothing of a photo."""
        if self.count is None:
            return ()
        return (
            f"it has {counted(self.count, 'colour')} alone, as masks, drawings and scans have and photos do not; it "
            "was segmented as if it were a photo. Masks are what intarsia metrics, count, data check and train read.",
        )

    @property
    def details(self) -> dict[str, int]:
        """What a record keeps of it."""
        return {} if self.count is None else {"colours": self.count}

"""What an item looks like: its size, its frames, and its pixels as upright 8-bit RGB."""

from __future__ import annotations

import cv2

from intarsia.errors import DataError, UsageError
from intarsia.media.pixels import RGB
from intarsia.media.volumes import Window
from intarsia.serving.keeping import Kept
from intarsia.serving.project.items import Found
from intarsia.serving.project.shown import Facts, Shown, shown_as

_KEPT = 8  # opened items: videos stay open
_SIZES = 100_000


class Views:
    """Reads items for people's eyes; what was read last is kept."""

    def __init__(self) -> None:
        self._sizes, self._open = Kept[Facts](_SIZES), Kept[Shown](_KEPT)

    def open(self, item: Found) -> Shown:
        """An item as its medium shows it.

        Raises:
            DataError: its file is gone.
        """
        return self._open.made(stamp(item), lambda: shown_as(item)(item))

    def facts(self, item: Found) -> Facts:
        """Size and frames of an item, from its header.

        Raises:
            DataError: it cannot be read.
        """
        return self._sizes.made(stamp(item), lambda: self.open(item).facts())

    def picture(self, item: Found, frame: int = 0, window: Window | None = None) -> RGB:
        """The pixels (H, W, 3) as models see them; see `Shown.picture`.

        Raises:
            DataError: it cannot be read.
            UsageError: there is no such frame, or it has no pixels.
        """
        self._require_frame(item, frame)
        return self.open(item).picture(frame, window)

    def thumbnail(self, item: Found, side: int, frame: int = 0, window: Window | None = None) -> RGB:
        """As `picture`, its longer side at most so many pixels; large files are not decoded in full."""
        width, height, _ = self.facts(item)
        scale = min(1.0, side / max(width, height, 1))
        if scale == 1:
            return self.picture(item, frame, window)
        self._require_frame(item, frame)
        return self.open(item).thumbnail((max(1, round(width * scale)), max(1, round(height * scale))), frame, window)

    def _require_frame(self, item: Found, frame: int) -> None:
        count = self.facts(item).frames or 1
        if not 0 <= frame < count:
            raise UsageError(f"{item.place} has {count} frame{'s' * (count > 1)}, numbered from 0; there is no {frame}")


def stamp(item: Found) -> tuple[str, int, int]:
    """What changes when the file of an item does.

    Raises:
        DataError: the file is gone.
    """
    try:
        status = item.file.stat()
    except OSError as error:
        raise DataError(f"cannot read {item.file}: {error.strerror}; was it moved?") from error
    return str(item.source), status.st_mtime_ns, status.st_size


def encode(pixels: RGB) -> bytes:
    """A picture as PNG, lossless and quick to make (level 1)."""
    done, data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise DataError("the picture cannot be written as PNG")
    return data.tobytes()

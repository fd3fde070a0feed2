"""Labelbox's masks: links in its exports, which are never followed; their files are looked for in a local folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from intarsia.annotations.bitmaps import read_bitmap
from intarsia.annotations.finding import are_copies, walk
from intarsia.annotations.geometry import Mask
from intarsia.annotations.reading import BadShape, MissingMask
from intarsia.errors import DataError, UsageError, suggest
from intarsia.labels import Color

MISSING = ("error", "skip")


class MaskFolder:
    """The downloaded PNG files below a folder, by their stems.

    Attributes:
        used: the files that were read.
        size: (H, W) of the one that was read last.

    Args:
        folder: where they are.
        missing: "error" or "skip".
    """

    def __init__(self, folder: Path, missing: str) -> None:
        if missing not in MISSING:
            raise UsageError(f"no way to treat missing masks is named {missing!r}.{suggest(missing, MISSING)}")
        self._folder = folder
        self._missing = missing
        self.used: set[Path] = set()
        self.size: tuple[int, int] | None = None

    def read(
        self,
        own: Sequence[str],
        shared: Sequence[str],
        *,
        where: str,
        size: tuple[int, int] | None,
        color: Color | None = None,
        photo: Path | None = None,
    ) -> Mask:
        """Read the mask of one object.

        Args:
            own: stems of a file with this object alone, likeliest first.
            shared: stems of a file with all objects of the image in colours, likeliest first.
            where: the export file, and what of it, for messages.
            size: (H, W) of the photo, if known.
            color: this object's colour in a shared file; None: the shared file holds nothing else.
            photo: the photo itself, which is no mask.

        Raises:
            BadShape: the mask is empty; or missing, and that shall be counted only.
            MissingMask: it is missing.
            DataError: it is damaged or of another size, or several files may be it.
        """
        for stems, key in ((own, None), (shared, color)):
            for stem in stems:
                found = [path for path in self._files.get(stem, ()) if path != photo]
                if len(found) > 1 and not are_copies(found):
                    shown = " and ".join(str(path.relative_to(self._folder)) for path in found[:2])
                    raise DataError(f"{where}: which mask is meant, {shown}? Name its folder (masks=FOLDER)")
                for path in found[:1]:
                    self.used.add(path)
                    mask, self.size = read_bitmap(path, str(path), size=size, color=key)
                    if not mask.bitmap.size:
                        raise BadShape("a mask is empty")
                    return mask
        if self._missing == "skip":
            raise BadShape("a mask's file is missing")
        raise MissingMask(
            f"{where}: its mask {[*own, *shared][0]}.png is not in {self._folder}; Labelbox's links need your API key, "
            "so download the masks yourself and name their folder with the reader's option masks=FOLDER "
            "(missing_masks=skip leaves such objects out)"
        )

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in walk(self._folder, (".png",)):
            found.setdefault(path.stem, []).append(path)
        return found


def stem(name: str | None) -> str:
    """A name's last part without its suffix."""
    return PurePosixPath(name.replace("\\", "/")).stem if name else ""

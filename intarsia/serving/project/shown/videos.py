"""Videos: any frame by its number, and corrected frames as pictures of their own."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from intarsia.files import make_folder
from intarsia.labels import LabelSpace
from intarsia.media.images import write_image
from intarsia.media.pixels import RGB
from intarsia.media.seeking import SeekingVideo
from intarsia.media.volumes import Window
from intarsia.serving.keeping import Kept
from intarsia.serving.project.items import Found
from intarsia.serving.project.publishing import FRAMES, Labels, frame_name, write_mask
from intarsia.serving.project.shown.contract import Facts, Shown

_KEPT = 3  # decoded frames


class ShownVideo(Shown):
    """A video that stays open; the frames that were decoded last are kept."""

    medium, photographic = "video", True

    def __init__(self, item: Found) -> None:
        super().__init__(item)
        self._frames = Kept[RGB](_KEPT)

    @cached_property
    def _video(self) -> SeekingVideo:
        return SeekingVideo(self.item.file)

    def facts(self) -> Facts:
        """Its size, and how many frames it has."""
        return Facts(self._video.width, self._video.height, len(self._video.pts))

    def details(self) -> dict[str, Any]:
        """Seconds of its frames, from the first."""
        return {"times": self._video.seconds}

    def picture(self, frame: int = 0, window: Window | None = None) -> RGB:
        """A frame."""
        return self._frames.made(frame, lambda: self._video.frame(frame).image)

    @classmethod
    def mask(cls, folder: Path, name: str, frame: int) -> Path:
        """The PNG of a frame, in a data set of its own."""
        return folder / FRAMES / "masks" / f"{frame_name(name, frame)}.png"

    def write(self, folder: Path, name: str, frame: int, labels: Labels, space: LabelSpace) -> None:
        """Write one frame with its labels, as a picture of its own."""
        image = folder / FRAMES / "images" / f"{frame_name(name, frame)}.png"
        make_folder(image.parent)
        if not image.exists():
            write_image(image, self.picture(frame), encoding={"compress_level": 1})
        write_mask(self.mask(folder, name, frame), labels, space)

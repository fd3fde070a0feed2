"""Shown: what the studio asks of an item, whatever its medium; and where its labels lie for trainings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import cv2
import numpy as np

from intarsia.errors import UsageError
from intarsia.labels import LabelSpace
from intarsia.media.images import open_image
from intarsia.media.pixels import RGB
from intarsia.media.source import PixelSource
from intarsia.media.volumes import Window
from intarsia.preprocessing import AnyPreprocessing
from intarsia.serving.project.items import Found, MediumName
from intarsia.serving.project.publishing import Labels

Things = Literal["picture", "volume", "cloud"]
"""What a model can learn together: pictures (maps and frames of videos among them), scans, or clouds."""


class Facts(NamedTuple):
    """What a header tells.

    Attributes:
        width: columns, upright.
        height: rows, upright.
        frames: pictures of a video, or slices of a volume; None of what is a single picture.
    """

    width: int
    height: int
    frames: int | None = None


class Shown(ABC):
    """An item of one medium. What is asked of the medium itself needs no instance, and so no look into a file.

    Args:
        item: it is opened when something of it is asked for.

    Attributes:
        medium: its name.
        things: what it is learnt from together with.
        photographic: whether a look at it chooses among the bundled models.
        known: whether the classes of the usual model mean something for it.
        gathered: `Project.gather` brings its labels to where trainings look for them; else its own code does.
        is_whole: its labels are written as a whole and not frame by frame; see `Project.gather`.
        holds_names: the file of its labels holds the classes' names.
    """

    medium: ClassVar[MediumName]
    things: ClassVar[Things] = "picture"
    photographic: ClassVar[bool] = False
    known: ClassVar[bool] = True
    gathered: ClassVar[bool] = True
    is_whole: ClassVar[bool] = False
    holds_names: ClassVar[bool] = False

    def __init__(self, item: Found) -> None:
        self.item = item

    @abstractmethod
    def facts(self) -> Facts:
        """Size and frames, from the header.

        Raises:
            DataError: it cannot be read.
        """

    def check(self) -> None:
        """Look whether it can be read, before it is added to a project.

        Raises:
            DataError: it cannot.
        """
        self.facts()

    def details(self) -> dict[str, Any]:
        """What only this medium has, as the API tells it."""
        return {}

    @abstractmethod
    def picture(self, frame: int = 0, window: Window | None = None) -> RGB:
        """The pixels (H, W, 3) as people see them.

        Args:
            frame: of a video, or the slice of a volume.
            window: stored values that become black and white, of volumes, rasters and 16-bit pictures.

        Raises:
            DataError: it cannot be read.
            UsageError: it has no pixels.
        """

    def thumbnail(self, size: tuple[int, int], frame: int = 0, window: Window | None = None) -> RGB:
        """The same in (width, height) pixels, fewer than it has; large files are not decoded in full."""
        resized = cv2.resize(self.picture(frame, window), size, interpolation=cv2.INTER_AREA)
        return np.asarray(resized, dtype=np.uint8)

    def source(self, seen: AnyPreprocessing, frame: int) -> PixelSource:
        """What a model reads of it: one for this medium the file itself, others see it as people do.

        Raises:
            DataError: it cannot be read, or the model is for another medium.
            UsageError: the model cuts volumes along another plane.
        """
        ways = {"picture": self.plain_source, self.medium: self.own_source}
        way = ways.get(seen.medium)
        if way is None:
            seen.check_medium(self.medium, self.item.place)
        return (way or self.plain_source)(seen, frame)

    def own_source(self, seen: Any, frame: int) -> PixelSource:
        """What a model for this very medium reads: with its own bands or window."""
        return self.plain_source(seen, frame)

    def plain_source(self, seen: Any, frame: int) -> PixelSource:
        """What a model for pictures reads."""
        return open_image(self.picture(frame), name=self.item.place)

    @classmethod
    def mask(cls, folder: Path, name: str, frame: int) -> Path:
        """Where in a project the labels of an item (or of one of its frames) lie for trainings."""
        raise NotImplementedError(f"{cls.medium}s are written by their own code")

    def write(self, folder: Path, name: str, frame: int, labels: Labels, space: LabelSpace) -> None:
        """Write labels, and what they are of, where trainings look for them.

        The file itself is linked to where it lies, unless it is there already; where links cannot be made, or the file
        does not last, it is copied.

        Args:
            folder: of the project.
            name: the item's id.
            frame: of a video.
            labels: in the project's classes.
            space: these.
        """
        raise NotImplementedError(f"{self.medium}s are written as a whole")

    @classmethod
    def cloud_file(cls, item: Found) -> Path:
        """The file of a point cloud.

        Raises:
            UsageError: it is none.
        """
        raise UsageError(f"{item.place} is no point cloud")

    @classmethod
    def revision(cls, kept: Path) -> int:
        """How often labels that are not kept frame by frame have changed, by the item's own folder."""
        return 0

    @classmethod
    def brings_labels(cls, item: Found, kept: Path) -> bool:
        """Whether the item's own file holds labels, as far as is known."""
        return False

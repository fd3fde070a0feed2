"""Point clouds: they have no picture; what is seen and corrected of them is sent point by point (see `clouds`)."""

from __future__ import annotations

from pathlib import Path

from intarsia.errors import UsageError
from intarsia.media.clouds import open_cloud
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.pixels import RGB
from intarsia.media.volumes import Window
from intarsia.serving.project.cloudlabels import brings_labels, saved_revision
from intarsia.serving.project.items import Found
from intarsia.serving.project.shown.contract import Facts, Shown


class ShownCloud(Shown):
    """A cloud."""

    medium, things, gathered = "cloud", "cloud", False

    def facts(self) -> Facts:
        """No size: it has no pixels."""
        return Facts(0, 0)

    def check(self) -> None:
        """Open it, as what is no cloud has no size that would tell."""
        open_cloud(self.item.file)

    def picture(self, frame: int = 0, window: Window | None = None) -> RGB:
        """Refuse."""
        raise UsageError(f"{self.item.place} is a point cloud: it has no picture")

    @classmethod
    def cloud_file(cls, item: Found) -> Path:
        """The file."""
        return item.file

    @classmethod
    def revision(cls, kept: Path) -> int:
        """How often its points were given other classes."""
        return saved_revision(kept / "cloud")

    @classmethod
    def brings_labels(cls, item: Found, kept: Path) -> bool:
        """Whether its file, or the data set, says classes."""
        return item.coded or brings_labels(kept / "cloud", is_las=item.file.suffix.lower() in LAS)

"""Pictures, and maps: rasters with a place on the Earth."""

from __future__ import annotations

from pathlib import Path

from intarsia.datasets.parts import open_picture, read_picture
from intarsia.errors import DataError
from intarsia.files import make_folder
from intarsia.labels import LabelSpace
from intarsia.media.images import open_image
from intarsia.media.medium import RASTER
from intarsia.media.pixels import RGB
from intarsia.media.rasters import RasterReader, open_raster
from intarsia.media.source import PixelSource
from intarsia.media.volumes import Window
from intarsia.preprocessing import Preprocessing
from intarsia.serving.project.publishing import Labels, bring, write_mask
from intarsia.serving.project.shown.contract import Facts, Shown


class ShownPicture(Shown):
    """A picture, or a page of a stack."""

    medium, photographic = "picture", True

    def facts(self) -> Facts:
        """Its size."""
        reader = open_picture(self.item.source)
        return Facts(reader.width, reader.height)

    def picture(self, frame: int = 0, window: Window | None = None) -> RGB:
        """Its pixels, upright."""
        return read_picture(self.item.source, (window,) if window else None)

    def thumbnail(self, size: tuple[int, int], frame: int = 0, window: Window | None = None) -> RGB:
        """As JPEG can be decoded smaller."""
        reader = open_picture(self.item.source)
        return reader.picture(reader.thumbnail(*size))

    def plain_source(self, seen: Preprocessing, frame: int) -> PixelSource:
        """The file, with the model's window: it may have 16 bits."""
        item = self.item
        source = item.source if isinstance(item.source, Path) else item.source.load()
        return open_image(source, name=item.place, windows=seen.windows)

    @classmethod
    def mask(cls, folder: Path, name: str, frame: int) -> Path:
        """A PNG beside images/."""
        return folder / "masks" / f"{name}.png"

    def write(self, folder: Path, name: str, frame: int, labels: Labels, space: LabelSpace) -> None:
        """Write its mask, in the project's colours."""
        bring(folder / "images", name, self.item)
        write_mask(self.mask(folder, name, frame), labels, space)


class ShownRaster(Shown):
    """A map. The file of its labels says where it lies, and the names of the classes."""

    medium, known, holds_names = "raster", False, True

    def facts(self) -> Facts:
        """Its size."""
        reader = _open(self.item.file)
        return Facts(reader.width, reader.height)

    def picture(self, frame: int = 0, window: Window | None = None) -> RGB:
        """Its colours, or its only band as grey."""
        reader = _open(self.item.file, window)
        return reader.picture(reader.read())

    def thumbnail(self, size: tuple[int, int], frame: int = 0, window: Window | None = None) -> RGB:
        """By the file's own overviews."""
        reader = _open(self.item.file, window)
        return reader.picture(reader.thumbnail(*size))

    def own_source(self, seen: Preprocessing, frame: int) -> PixelSource:
        """Its stored values, with the model's bands and windows."""
        return open_raster(self.item.file, bands=seen.bands, windows=seen.windows)

    @classmethod
    def mask(cls, folder: Path, name: str, frame: int) -> Path:
        """A GeoTIFF."""
        return folder / "masks" / f"{name}.tif"

    def write(self, folder: Path, name: str, frame: int, labels: Labels, space: LabelSpace) -> None:
        """Write its labels with its place on the map."""
        bring(folder / "images", name, self.item)
        target = self.mask(folder, name, frame)
        make_folder(target.parent)
        reader = open_raster(self.item.file, bands=(1, 1, 1), windows=((0.0, 1.0),))  # only where it lies is asked for
        assert RASTER.writer is not None
        with RASTER.writer(target, reader, space) as rows:
            rows.write(labels.read())


def _open(path: Path, window: Window | None = None) -> RasterReader:
    """A raster that is shown: values beyond 8 bits in the range that they fill, and no colours but one band as grey."""
    bands = None
    try:
        return open_raster(path, windows=(window,) if window else None)
    except DataError:
        try:
            reader = open_raster(path, windows=((0.0, 1.0),))
        except DataError:
            bands = (1, 1, 1)
            reader = open_raster(path, bands=bands, windows=((0.0, 1.0),))
        return open_raster(path, bands=bands, windows=(window,) if window else reader.ranges())

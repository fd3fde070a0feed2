"""What an item looks like: its size, its frames, and its pixels as upright 8-bit RGB."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np

from intarsia.datasets.layouts import voxels
from intarsia.datasets.parts import open_picture, read_picture
from intarsia.errors import DataError, UsageError
from intarsia.media.images import ImageReader
from intarsia.media.pixels import RGB
from intarsia.media.rasters import RasterReader, open_raster
from intarsia.media.seeking import SeekingVideo
from intarsia.media.volumes import Window, open_volume
from intarsia.serving.project.items import Found

T = TypeVar("T")
_KEPT = 8  # opened videos, and decoded frames
_SIZES = 100_000


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


class _Recent:
    """The last few things by key, made when they are not there; safe for threads."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key]
                return found
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made


class Views:
    """Reads items for people's eyes; what was read last is kept."""

    def __init__(self) -> None:
        self._sizes, self._videos, self._frames = _Recent(_SIZES), _Recent(_KEPT), _Recent(_KEPT)

    def facts(self, item: Found) -> Facts:
        """Size and frames of an item, from its header.

        Raises:
            DataError: it cannot be read.
        """
        return self._sizes.get(stamp(item), lambda: self._measure(item))

    def _measure(self, item: Found) -> Facts:
        if item.medium == "video":
            video = self._video(item)
            return Facts(video.width, video.height, len(video.pts))
        if item.medium == "volume":
            grid = open_volume(item.file).grid
            depth, height, width = grid.view(np.broadcast_to(np.uint8(0), grid.shape), "axial").shape
            return Facts(width, height, depth)
        if item.medium == "cloud":
            return Facts(0, 0)
        reader = _raster(item.file) if item.medium == "raster" else open_picture(item.source)
        return Facts(reader.width, reader.height)

    def times(self, item: Found) -> tuple[float, ...]:
        """Seconds of the frames of a video, from the first; of other items nothing."""
        return self._video(item).seconds if item.medium == "video" else ()

    def spacing(self, item: Found) -> tuple[float, ...]:
        """Millimetres between slices, rows and columns of a volume; of other items nothing."""
        return open_volume(item.file).grid.view_spacing("axial") if item.medium == "volume" else ()

    def window(self, item: Found) -> Window | None:
        """The values that are black and white where nobody says them, of volumes."""
        return open_volume(item.file).range() if item.medium == "volume" else None

    def picture(self, item: Found, frame: int = 0, window: Window | None = None) -> RGB:
        """The pixels (H, W, 3) as models see them.

        Args:
            item: what is looked at.
            frame: of a video or the slice of a volume.
            window: stored values that become black and white, of volumes, rasters and 16-bit pictures.

        Raises:
            DataError: it cannot be read.
            UsageError: there is no such frame, or it has no pixels.
        """
        self._require_frame(item, frame)
        if item.medium == "video":
            return self._frames.get((*stamp(item), frame), lambda: self._video(item).frame(frame).image)
        if item.medium == "volume":
            plane = voxels.slices(item.file, window, "axial")[frame]
            return np.repeat(plane[..., None], 3, axis=2)
        if item.medium == "raster":
            raster = _raster(item.file, window)
            return raster.picture(raster.read())
        return read_picture(item.source, (window,) if window else None)

    def thumbnail(self, item: Found, side: int, frame: int = 0, window: Window | None = None) -> RGB:
        """As `picture`, its longer side at most so many pixels; large files are not decoded in full."""
        width, height, _ = self.facts(item)
        scale = min(1.0, side / max(width, height, 1))
        small = max(1, round(width * scale)), max(1, round(height * scale))
        if scale == 1:
            return self.picture(item, frame, window)
        if item.medium in ("video", "volume"):
            resized = cv2.resize(self.picture(item, frame, window), small, interpolation=cv2.INTER_AREA)
            return np.asarray(resized, dtype=np.uint8)
        self._require_frame(item, frame)
        reader: ImageReader | RasterReader = (
            _raster(item.file, window) if item.medium == "raster" else open_picture(item.source)
        )
        return reader.picture(reader.thumbnail(*small))

    def _require_frame(self, item: Found, frame: int) -> None:
        if item.medium == "cloud":
            raise UsageError(f"{item.place} is a point cloud: it has no picture")
        count = self.facts(item).frames or 1
        if not 0 <= frame < count:
            raise UsageError(f"{item.place} has {count} frame{'s' * (count > 1)}, numbered from 0; there is no {frame}")

    def _video(self, item: Found) -> SeekingVideo:
        return self._videos.get(stamp(item), lambda: SeekingVideo(item.file))


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


def _raster(path: Path, window: Window | None = None) -> RasterReader:
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


def encode(pixels: RGB) -> bytes:
    """A picture as PNG, lossless and quick to make (level 1)."""
    done, data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise DataError("the picture cannot be written as PNG")
    return data.tobytes()

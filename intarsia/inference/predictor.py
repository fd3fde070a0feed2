"""Predictor: pictures, rasters, volumes and videos in, results out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.inference.pictures.predictor import GridPredictor
from intarsia.inference.segmenting import Ways, segment_many
from intarsia.inference.video import VideoPredictor
from intarsia.inference.volumes import segment_volume
from intarsia.media.frames import Frame
from intarsia.media.images import ImageLike, open_image
from intarsia.media.medium import ROWS, medium_of
from intarsia.media.source import PixelSource
from intarsia.media.volumes import VolumeReader
from intarsia.result import Segmentation, VolumeSegmentation

Source = ImageLike | Iterable[ImageLike]


class Predictor(GridPredictor):
    """A bundle made ready to segment pictures of any size; for the arguments, see `GridPredictor`."""

    @overload
    def segment(self, source: bytes | Image.Image | NDArray[np.uint8]) -> Segmentation: ...
    @overload  # a path may name one picture or many; Any spares callers, who know which, a cast
    def segment(self, source: str | os.PathLike[str]) -> Any: ...
    @overload
    def segment(self, source: Iterable[ImageLike]) -> Iterator[Any]: ...
    def segment(self, source: Source) -> Any:
        """Segment one picture, or many lazily.

        Args:
            source: a path, encoded bytes (or a file opened for them), a PIL image, an array or a tensor ((H, W),
                (H, W, 3) RGB or (H, W, 4), uint8) for one picture; a folder (with its sub-folders), a glob pattern, a
                video file, ``camera:0``, or any iterable of sources for many. A video's frames are segmented in their
                order, see `VideoPredictor`. A NIfTI file or a DICOM folder is one volume; the pages of a TIFF are
                pictures, one after the other.

        Returns:
            One result, at the picture's own size (EXIF orientation applied), of a volume a `VolumeSegmentation`; for
            many, an iterator that segments each picture when it is asked for it, in the order of the paths, and
            raises a bad picture's error at its turn.

        Raises:
            DataError: the picture cannot be read, or the folder or pattern holds no picture.
            UsageError: the predictor was made with an option that means nothing to such a source.
        """
        ways: Ways = {
            "rows": self.segment_opened, "volume": self._volume, "frames": self._frames,
            "pages": lambda stack: (self.segment_opened(page) for page in stack.pages()),
        }  # fmt: skip
        return segment_many(self, source, ways)

    def probabilities(self, source: ImageLike) -> NDArray[np.float32]:
        """Compute the softmax probabilities (C, H, W) of one picture; classes x pixels x 4 bytes of memory.

        Raises:
            DataError: the picture cannot be read.
        """
        reader = medium_of(source, self.given, media=ROWS).open(source, self.preprocessing, {})
        rows = self.rows(reader, probabilities=True)
        return np.concatenate([part.probabilities for part in rows if part.probabilities is not None], axis=1)

    def segment_opened(self, reader: PixelSource, *, photo: bool = True) -> Segmentation:
        """Segment one opened picture whole; `photo`: the result holds the picture too."""
        size = (reader.height, reader.width)
        labels = np.empty(size, dtype=self.space.dtype)
        image = np.empty((*size, 3), dtype=np.uint8) if photo else None
        confidence = np.empty(size, dtype=np.float16) if self.confidence else None
        for part in self.rows(reader):
            place = slice(part.top, part.top + len(part.labels))
            labels[place] = part.labels
            if image is not None:
                image[place] = part.image
            if confidence is not None and part.confidence is not None:
                confidence[place] = part.confidence
        return Segmentation(labels, self.space, confidence=confidence, source=reader.name, image=image)

    def of_pictures(self, name: str) -> Self:
        """Give itself."""
        return self

    def filming(self, **schedule: Any) -> VideoPredictor:
        """Make it ready for a video; for the arguments, see `VideoPredictor`."""
        return VideoPredictor(self, **schedule)

    def warm_up(self, pictures: Iterable[NDArray[np.uint8]]) -> None:
        """Segment pictures (H, W, 3), if it is for such: what comes later finds everything prepared."""
        if self.preprocessing.is_for("picture"):
            for pixels in pictures:
                self.segment_opened(open_image(pixels))

    def _volume(self, reader: VolumeReader) -> VolumeSegmentation:
        return segment_volume(self, reader)

    def _frames(self, frames: Iterable[Frame]) -> Iterator[Segmentation]:
        return (result.segmentation for result in VideoPredictor(self).stream(frames))

"""Single frames of a video file, in any order: the very ones that reading it from the start gives."""

from __future__ import annotations

import os
from bisect import bisect_right
from fractions import Fraction

from intarsia.errors import DataError
from intarsia.media.frames import Frame
from intarsia.media.video import MAX_PIXELS, VideoFile


class SeekingVideo(VideoFile):
    """A video file whose frames are asked for by number; the container is read once, without decoding, for their times.

    Attributes:
        pts: the time of every frame, rising, in units of `time_base`.
    """

    def __init__(self, source: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> None:
        super().__init__(source, max_pixels=max_pixels)
        self.pts: tuple[int, ...] = ()
        self._keys: tuple[int, ...] = ()
        with self._open() as container:
            stream = self._stream(container)
            shown = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        times = sorted(packet.pts for packet in shown if packet.pts is not None)
        if len(times) == len(shown) and len(set(times)) == len(times):
            self.pts = tuple(times)
            self._keys = tuple(sorted(packet.pts for packet in shown if packet.is_keyframe))
        else:  # broken or missing times: only a reading from the start tells them
            self.pts = tuple(frame.pts for frame in self)

    @property
    def seconds(self) -> tuple[float, ...]:
        """The time of every frame, from that of the first."""
        start = self.pts[0] if self.pts else 0
        return tuple(float((pts - start) * Fraction(self.time_base)) for pts in self.pts)

    def frame(self, index: int) -> Frame:
        """One frame.

        Raises:
            DataError: there is no such frame, or it cannot be decoded.
        """
        if not 0 <= index < len(self.pts):
            raise DataError(f"{self.name} has {len(self.pts)} frames, numbered from 0; there is no frame {index}")
        wanted = self.pts[index]
        found = self._from_key(wanted) if self._keys else None
        if found is None:  # not seekable, or its index is wrong
            found = next((frame for frame in self if frame.pts >= wanted), None)
        if found is None or found.pts != wanted:
            raise DataError(f"{self.name}: frame {index} cannot be decoded; copy or export the file again")
        return Frame(found.image, wanted, index)

    def _from_key(self, wanted: int) -> Frame | None:
        """Decode from the last key frame before a time; None where the frame does not come."""
        place = bisect_right(self._keys, wanted)
        if not place:
            return None
        with self._open() as container:
            stream = self._stream(container)
            container.seek(self._keys[place - 1], stream=stream, backward=True)
            for frame in self._decoded(container, stream):
                if frame.pts is None or frame.pts > wanted:
                    return None
                if frame.pts == wanted:
                    self._check_size(frame.width, frame.height)
                    return Frame(self._upright(frame), wanted, 0)
        return None

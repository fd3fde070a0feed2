"""Reading video lazily: files of every kind, cameras, and numbered pictures; through FFmpeg (the extra "video")."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from intarsia.errors import DataError, UsageError, require
from intarsia.media.frames import Frame, FrameSource
from intarsia.media.header import IMAGE_SUFFIXES
from intarsia.media.pixels import RGB
from intarsia.media.tones import beyond, ordinary

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv",
    ".3gp", ".mxf", ".y4m", ".ivf", ".h264", ".264", ".hevc", ".265", ".mjpeg", ".qt", ".3g2", ".f4v", ".vob", ".m2t",
    ".trp", ".mpe", ".m1v", ".m2v", ".mod", ".tod", ".asf", ".divx", ".dv", ".nut", ".obu", ".ogm",
)  # fmt: skip

MAX_PIXELS = 100_000_000
"""Largest accepted frame; a decoder holds several of them."""


# Playlists and other files that name further files or addresses are left out: a video is read, nothing else.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,ivf,h264,hevc,obu,av1,asf,mxf,nut,mjpeg,"
    "m4v,yuv4mpegpipe,dv,apng,gif,webp_pipe"
)
_BEGINNINGS = (
    b"\x1aE\xdf\xa3", b"FLV\x01", b"OggS", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"\x30\x26\xb2\x75",
    b"YUV4MPEG2", b"DKIF",
)  # fmt: skip
_PACKET = 188  # bytes, of MPEG transport streams
_CAMERA = re.compile(r"camera:(\d+)")
_QUARTERS = {0: None, 90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def is_video(source: object) -> bool:
    """Tell whether a name stands for a video file or a camera: by its suffix, or its first bytes if that is unknown."""
    if not isinstance(source, str | os.PathLike):
        return False
    text = os.fspath(source)
    suffix = Path(text).suffix.lower()
    if suffix in VIDEO_SUFFIXES or _CAMERA.fullmatch(text) is not None:
        return True
    return suffix not in IMAGE_SUFFIXES and _begins_as_video(Path(text))


def _begins_as_video(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            head = stream.read(2 * _PACKET + 1)
    except OSError:
        return False
    if head[4:8] == b"ftyp":  # also of photos
        return head[8:12] not in (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")
    if head.startswith(_BEGINNINGS) or (head.startswith(b"RIFF") and head[8:12] == b"AVI "):
        return True
    return len(head) > 2 * _PACKET and set(head[::_PACKET]) == {ord("G")}  # MPEG transport stream


def open_video(source: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> FrameSource:
    """Open a video file, or ``camera:0`` and its siblings, by its header.

    Raises:
        DataError: missing, empty, damaged, not a video, without a picture, or with frames larger than `max_pixels`.
        UsageError: PyAV is not installed.
    """
    camera = _CAMERA.fullmatch(os.fspath(source))
    if camera is not None:
        return _open_camera(int(camera[1]), max_pixels)
    return VideoFile(source, max_pixels=max_pixels)


class VideoFile:
    """A video file, or a device; see `FrameSource` and `open_video`.

    Attributes:
        skipped: packets that could not be decoded.
        damaged: frames that were decoded with errors.
        resized: frames of another size than the first.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        max_pixels: int = MAX_PIXELS,
        device: str = "",
        options: dict[str, str] | None = None,
    ) -> None:
        self._av = require("av", "video")
        self._source, self._device, self._options = os.fspath(source), device, options or {}
        self._max_pixels = max_pixels
        self.name = self._source
        self.is_live = bool(device)
        self.skipped = self.damaged = self.resized = 0
        self._end = Fraction(0)
        with self._open() as container:
            stream = self._stream(container)
            context = stream.codec_context
            self._check_size(context.width, context.height)
            self.time_base = stream.time_base or Fraction(1, 1000)
            self.rate = _plausible_rate(stream.average_rate or stream.guessed_rate)
            self._begin, self._duration = stream.start_time or 0, _duration(container, stream)
            self.count = stream.frames or (round(self._duration * self.rate) if self._duration else None) or None
            has_sound = not device and any(other.type == "audio" for other in container.streams)
            self.audio = Path(self._source) if has_sound else None
            shape = stream.sample_aspect_ratio
            first = next(iter(self._decoded(container, stream)), None)
        self.skipped = self.damaged = 0
        if first is None:
            raise DataError(f"cannot read {self.name}: it holds no frame that can be decoded; copy or export it again")
        image = self._upright(first)
        self.height, self.width = image.shape[:2]
        self.aspect = _aspect(shape, turned=round(first.rotation) % 180 == 90)
        self._beyond, self._bits = beyond(first), max(part.bits for part in first.format.components)

    @property
    def notes(self) -> list[str]:
        """Say in words what was converted, and what was wrong as far as the file has been read."""
        found = []
        if self._beyond:
            found.append(f"its colours are {self._beyond}; they were converted to ordinary ones (BT.709, 8 bits)")
        elif self._bits > 8:
            found.append(f"its {self._bits}-bit samples are read, and drawn, with 8 bits")
        if self.skipped:
            found.append(f"{self.skipped} packets could not be decoded and were left out")
        if self.damaged:
            found.append(f"{self.damaged} frames were decoded with errors")
        if self.resized:
            found.append(f"{self.resized} frames have another size than the first")
        if self._duration and self._end and self._end < Fraction(9, 10) * self._duration - 1 / self.rate:
            found.append(
                f"the file ends after {float(self._end):.1f} of {float(self._duration):.1f} seconds; it is truncated"
            )
        return found

    def __iter__(self) -> Iterator[Frame]:
        self.skipped = self.damaged = self.resized = 0
        self._end = end = Fraction(0)
        last, size = None, (self.height, self.width)
        with self._open() as container:
            stream = self._stream(container)
            step = max(1, round(1 / (self.rate * self.time_base)))
            for index, frame in enumerate(self._decoded(container, stream)):
                self._check_size(frame.width, frame.height)
                pts = frame.pts
                if pts is None or (last is not None and pts <= last):  # broken or missing times
                    pts = 0 if last is None else last + step
                last = pts
                end = (pts + step) * self.time_base
                image = self._upright(frame)
                self.resized += image.shape[:2] != size
                self.damaged += bool(frame.is_corrupt)
                yield Frame(image, pts, index)
        self._end = end  # not where the reader stopped, but where the file did

    @property
    def span(self) -> tuple[int, int] | None:
        """Tell the time of the first frame and that of the end; see `SharedSource`."""
        if self.is_live or not self._duration:
            return None
        return self._begin, self._begin + round(self._duration / self.time_base)

    def between(self, start: int, end: int) -> Iterator[Frame]:
        """Go through the frames of ``start <= pts < end``, decoded from the key frame before them.

        Where a file's index is wrong, or what it calls a key frame is none, they differ from those that are read from
        the beginning, or are none.
        """
        with self._open() as container:
            stream = self._stream(container)
            if start > self._begin:
                try:
                    container.seek(start, stream=stream, backward=True)
                except (self._av.FFmpegError, OSError):
                    return
            for frame in self._decoded(container, stream):
                if frame.pts is not None and frame.pts >= end:
                    return
                if frame.pts is not None and frame.pts >= start:
                    self._check_size(frame.width, frame.height)
                    yield Frame(self._upright(frame), frame.pts, 0)

    def _open(self) -> Any:
        av, path = self._av, Path(self._source)
        if not self._device:
            if path.is_dir():
                raise DataError(f"cannot read {self.name}: it is a folder, not a video")
            if not path.exists():
                raise DataError(f"cannot read {self.name}: no such file")
            if path.stat().st_size == 0:
                raise DataError(f"cannot read {self.name}: the file is empty (0 bytes); copy or download it again")
        try:
            if self._device:
                return av.open(self._source, format=self._device, options=self._options)
            safe = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
            return av.open(self._source, options=safe, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            if self._device:
                raise DataError(f"cannot open {self.name}: {_reason(error)}; is it there, and not in use?") from error
            raise DataError(
                f"cannot read {self.name}: the file is truncated, corrupt or not a video ({_reason(error)}); "
                "copy or export it again, as MP4 with H.264 for instance"
            ) from error

    def _stream(self, container: Any) -> Any:
        pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not pictures:
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            raise DataError(f"cannot read {self.name}: it holds no moving picture (it holds {kinds})")
        stream = pictures[0]
        if stream.codec_context is None:
            raise DataError(
                f"cannot read {self.name}: this FFmpeg has no decoder for its format; export it as MP4 with H.264"
            )
        stream.thread_type = "AUTO"
        return stream

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """All frames that can be decoded; the packets that cannot are counted."""
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._av.FFmpegError:
                self.skipped += 1
                return  # the container itself ends here
            try:
                frames = packet.decode()
            except (self._av.FFmpegError, ValueError):
                self.skipped += 1
                continue
            yield from frames

    def _upright(self, frame: Any) -> RGB:
        image: RGB = ordinary(frame) if beyond(frame) else frame.to_ndarray(format="rgb24")
        turn = _QUARTERS.get(round(frame.rotation) % 360)
        return image if turn is None else np.asarray(cv2.rotate(image, turn), dtype=np.uint8)

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise DataError(
                f"refused {self.name}: frames of {width}x{height} are {width * height / 1e6:.0f} megapixels, the limit "
                f"is {self._max_pixels / 1e6:.0f}; scale the video down first"
            )


def _open_camera(number: int, max_pixels: int) -> VideoFile:
    if sys.platform == "darwin":
        return VideoFile(str(number), device="avfoundation", options={"framerate": "30"}, max_pixels=max_pixels)
    if sys.platform == "win32":
        raise UsageError("cameras are read on Linux and macOS only so far")
    return VideoFile(f"/dev/video{number}", device="v4l2", max_pixels=max_pixels)


def _is_cover(stream: Any) -> bool:
    """Tell whether a stream is the still picture of an album."""
    return "attached_pic" in str(stream.disposition)


def _aspect(ratio: Fraction | None, *, turned: bool) -> Fraction:
    """The shape of a pixel as it is shown; 1 where the file does not say a plausible one."""
    if not ratio or not Fraction(1, 10) <= ratio <= 10:
        return Fraction(1)
    return 1 / Fraction(ratio) if turned else Fraction(ratio)


def _plausible_rate(rate: Fraction | None) -> Fraction:
    return rate if rate is not None and Fraction(1, 1000) <= rate <= 1000 else Fraction(25)


def _duration(container: Any, stream: Any) -> Fraction | None:
    """Seconds that the header announces."""
    if stream.duration and stream.duration > 0 and stream.time_base:
        return Fraction(stream.duration * stream.time_base)
    if container.duration and container.duration > 0:
        return Fraction(container.duration, 1_000_000)
    return None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).split(":")[0].strip().lower() or type(error).__name__

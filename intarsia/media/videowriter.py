"""Writing video as frames come: colour, lossless labels, or colour with transparency; sound is copied as it is."""

from __future__ import annotations

import math
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, counted, require, suggest
from intarsia.files import atomic_path
from intarsia.media.x264 import repeatable


@dataclass(frozen=True)
class _Codec:
    """An encoder and how it is used.

    Attributes:
        name: FFmpeg's.
        pixels: pixel format.
        options: the encoder's own.
        even: whether width and height have to be even.
        shaped: whether its files say that pixels are not square.
    """

    name: str
    pixels: str
    options: tuple[tuple[str, str], ...] = ()
    even: bool = False
    shaped: bool = True


_H264 = (
    _Codec("libx264", "yuv420p", (("crf", "20"), ("preset", "veryfast")), even=True),
    _Codec("libopenh264", "yuv420p", (("b", "8M"),), even=True),
    _Codec("mpeg4", "yuv420p", (("qscale", "3"),), even=True),
)
_VP9_OPTIONS = (("crf", "30"), ("b:v", "0"), ("deadline", "realtime"), ("cpu-used", "6"), ("row-mt", "1"))
_VP9 = _Codec("libvpx-vp9", "yuv420p", _VP9_OPTIONS, even=True, shaped=False)
_VP9_ALPHA = _Codec("libvpx-vp9", "yuva420p", (*_VP9_OPTIONS, ("auto-alt-ref", "0")), even=True, shaped=False)
# What is written -> suffix of the file -> encoders, the preferred one first.
_CODECS: dict[str, dict[str, tuple[_Codec, ...]]] = {
    "colour": {
        ".mp4": _H264, ".mov": _H264, ".mkv": _H264, ".webm": (_VP9,)
    },
    "labels": {".mkv": (_Codec("ffv1", "gray", (("level", "3"),), shaped=False),)},
    "alpha": {
        ".webm": (_VP9_ALPHA,),
        ".mov": (_Codec("prores_ks", "yuva444p10le", (("profile", "4444"),)), _Codec("qtrle", "argb")),
    },
}  # fmt: skip
_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
WRITTEN_SUFFIXES = tuple(_FORMATS)
"""Suffixes of the video files that are written."""

_REPEATABLE = {"fflags": "+bitexact"}
"""Without it, a Matroska file says a number drawn by chance, and no two are the same."""

_LABEL_FORMATS = {1: "gray", 2: "gray16le"}
_LIMITED = 1  # the range of samples, 16 to 235; numbers are those of ITU-T H.273
_COARSEST, _FINEST = Fraction(1, 1000), Fraction(1, 1_000_000)


class VideoWriter:
    """Write frames of one size, in constant memory, whole or not at all. A context manager; no frame, no file.

    A frame of another size than the first is stretched to it: colour linearly, labels to the nearest.

    Args:
        path: target; its suffix chooses the container.
        kind: "colour" takes (H, W, 3) RGB, "labels" (H, W) uint8 or uint16 and stores them without loss, "alpha"
            (H, W, 4) RGBA; all else uint8.
        width: columns. H.264 and VP9 have even sides: the last column and row are repeated where they are odd.
        height: rows.
        time_base: seconds per unit of the frames' times.
        rate: frames a second on average.
        audio: file whose sound is copied, without encoding it again; None for none.
        aspect: width of a pixel by its height. Where a format does not say it, pictures are stretched to square pixels,
            and labels stay as they are; `notes` tells.

    Raises:
        UsageError: no encoder is known, or installed, for this kind and suffix; the message says what is.
        DataError: the disk is full, or the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        kind: str,
        width: int,
        height: int,
        time_base: Fraction,
        rate: Fraction,
        audio: Path | None = None,
        aspect: Fraction = Fraction(1),
    ) -> None:
        self._av = require("av", "video")
        self.path, self.kind, self.width, self.height = Path(path), kind, width, height
        self._codec = _choose(self._av, kind, self.path)
        self._aspect = aspect
        self._time_base, self._rate, self._audio_file = time_base, rate, audio
        self._stack = ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self._sound: _Sound | None = None
        self._notes: list[str] = self._shape()
        self.frames = 0

    @property
    def notes(self) -> list[str]:
        """What the file cannot hold, and what was done about it."""
        return self._notes + ([] if self._sound is None else self._sound.notes)

    def _shape(self) -> list[str]:
        """Keep the shape of pixels, or make them square; say so."""
        if self._aspect == 1 or self._codec.shaped:
            return []
        said = f"{self.path.suffix} cannot say that pixels are {self._aspect.numerator}:{self._aspect.denominator}"
        if self.kind == "labels":
            return [f"{said}: labels are stored pixel by pixel, and shown narrower or wider than the video"]
        if self._aspect > 1:
            self.width = round(self.width * self._aspect)
        else:
            self.height = round(self.height / self._aspect)
        self._aspect = Fraction(1)
        return [f"{said}: it was stretched to square ones ({self.width}x{self.height})"]

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            # Writing through Python's file keeps the system's reason when the disk is full.
            self._file: BinaryIO = stack.enter_context(temporary.open("w+b"))
            self._container = self._av.open(
                self._file, "w", format=_FORMATS[self.path.suffix.lower()], container_options=_REPEATABLE
            )
            self._add_streams(stack)
            self._stack = stack.pop_all()
        return self

    def write(self, pixels: NDArray[Any], pts: int) -> None:
        """Append a frame.

        Args:
            pixels: of the writer's kind.
            pts: its time, larger than the one before's.
        """
        size = (self.width, self.height)
        if pixels.shape[:2] != (self.height, self.width):
            nearest = cv2.INTER_NEAREST_EXACT if self.kind == "labels" else cv2.INTER_LINEAR
            pixels = cv2.resize(pixels, size, interpolation=nearest)
        if self._codec.even:
            pixels = np.pad(pixels, [(0, self.height % 2), (0, self.width % 2), (0, 0)], mode="edge")
        layout = {"colour": "rgb24", "alpha": "rgba"}.get(self.kind) or _LABEL_FORMATS[pixels.dtype.itemsize]
        if self.frames == 0 and self.kind == "labels":
            self._stream.pix_fmt = layout
        frame = self._coloured(self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=layout))
        frame.pts = round(pts * self._time_base / self._stream.codec_context.time_base)
        frame.time_base = self._stream.codec_context.time_base
        self._mux(self._stream.encode(frame))
        if self._sound is not None:
            self._copy(self._sound, pts * self._time_base)
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or self.frames == 0:
            self._abandon(error or _NoFrames())
            return
        with self._stack:
            self._mux(self._stream.encode(None))
            if self._sound is not None:
                self._copy(self._sound, None)
            self._close()

    def _close(self) -> None:
        try:
            self._container.close()
        except self._av.FFmpegError as failure:
            raise DataError(f"cannot write {self.path}: {failure.strerror}; is the disk full?") from failure

    def _abandon(self, cause: BaseException) -> None:
        """Remove the half-written file; an error of the system is explained on the way."""
        with suppress(self._av.FFmpegError, OSError, ValueError):  # what went wrong before is the reason
            self._container.close()
        self._stack.__exit__(type(cause), cause, cause.__traceback__)

    def _coloured(self, frame: Any) -> Any:
        """RGB in the encoder's own samples, by the matrix that the file names."""
        if not self._codec.pixels.startswith("yuv"):
            return frame
        standard = self._standard
        made = frame.reformat(format=self._codec.pixels, dst_colorspace=standard, dst_color_range=_LIMITED)
        made.colorspace = made.color_primaries = made.color_trc = standard
        made.color_range = _LIMITED
        return made

    @property
    def _standard(self) -> int:
        """Matrix, primaries and curve: BT.709 (1) in high definition, BT.601 (6) below, as players take for granted."""
        return 1 if self._stream.height >= 720 or self._stream.width >= 1280 else 6

    def _copy(self, sound: _Sound, end: Fraction | None) -> None:
        """Copy sound up to a time; what the file does not take ends it, and not the pictures."""
        try:
            for packet in sound.until(end):
                self._container.mux(packet)
        except OSError:
            raise
        except self._av.FFmpegError as failure:
            sound.end(f"the sound could not be copied to its end ({failure.strerror}), and stops where it failed")

    def _mux(self, packets: Any) -> None:
        for packet in packets:
            try:
                self._container.mux(packet)
            except OSError:
                raise
            except self._av.FFmpegError as failure:
                raise DataError(f"cannot write {self.path}: {failure.strerror}") from failure

    def _add_streams(self, stack: ExitStack) -> None:
        codec = self._codec
        options = dict(codec.options) | (repeatable() if codec.name == "libx264" else {})
        self._stream = self._container.add_stream(codec.name, rate=self._rate, options=options)
        self._stream.width = self.width + (self.width % 2 if codec.even else 0)
        self._stream.height = self.height + (self.height % 2 if codec.even else 0)
        self._stream.pix_fmt = codec.pixels
        context = self._stream.codec_context
        context.sample_aspect_ratio = self._aspect
        if codec.pixels.startswith("yuv"):
            context.colorspace = context.color_primaries = context.color_trc = self._standard
            context.color_range = _LIMITED
        # Some sources count time in units that encoders do not take; a finer one holds all of theirs.
        base = self._time_base if _FINEST <= self._time_base <= 1 else _COARSEST
        self._stream.codec_context.time_base = base if codec.name != "mpeg4" else max(base, Fraction(1, 60_000))
        if self._audio_file is None:
            return
        sound = stack.enter_context(_Sound(self._av, self._audio_file))
        if sound.stream.codec_context.name in self._container.supported_codecs:
            sound.attach(self._container)
            self._sound = sound
            if others := sound.others():
                self._notes.append(f"only the first sound track is copied; left out: {others}")
        else:
            self._notes.append(
                f"{self.path.suffix} cannot hold the sound's format ({sound.stream.codec_context.name}); "
                f"it was left out; write {'.mov' if self.kind == 'alpha' else '.mkv'} to keep it"
            )


_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # by channels; MP4 takes no PCM whose layout is not said


class _NoFrames(Exception):
    """Makes the temporary file go away."""


_PART = Fraction(1)  # seconds: a step back by more is the beginning of another part, not a slip


class _Sound:
    """The packets of a file's first sound track, up to the times that are asked for, their times always rising.

    Files that were joined begin anew in the middle, and some repeat times: containers take neither. A part that begins
    anew is moved behind the one before, a packet that slips back is moved just behind its forerunner.
    """

    def __init__(self, av: Any, path: Path) -> None:
        self._av = av
        self._container = av.open(os.fspath(path), metadata_errors="replace")
        self.stream = self._container.streams.audio[0]
        self._packets = self._container.demux(self.stream)
        self._next: Any = None
        self._target: Any = None
        self._last: int | None = None
        self._end = self._shift = 0
        self._repaired = 0
        self._failed = ""

    @property
    def notes(self) -> list[str]:
        """What was repaired or lost."""
        what = counted(self._repaired, "sound packet")
        found = [f"{what} had a time that repeats or goes back; it was moved on"] if self._repaired else []
        return found + ([self._failed] if self._failed else [])

    def others(self) -> str:
        """The file's further tracks, which are not copied, in words."""
        streams = self._container.streams
        tracks = {"sound track": len(streams.audio) - 1, "subtitle track": len(streams.subtitles)}
        return " and ".join(counted(number, what) for what, number in tracks.items() if number)

    def end(self, reason: str) -> None:
        """Copy nothing any more."""
        self._failed = reason

    def __enter__(self) -> _Sound:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def attach(self, target: Any) -> None:
        """Add the track to the output."""
        self._target = target.add_stream_from_template(self.stream)
        context = self._target.codec_context
        if context.layout.name.endswith("channels") and context.channels in _LAYOUTS:  # AVI says their number alone
            context.layout = _LAYOUTS[context.channels]

    def until(self, seconds: Fraction | None) -> Any:
        """The packets from where the last call ended to a time; None for all that are left."""
        while not self._failed:
            if self._next is None:
                try:
                    self._next = next(self._packets)
                except (StopIteration, self._av.FFmpegError):
                    return
                if not self._next.size:  # the end's empty packet
                    self._next = None
                    continue
                self._timed(self._next)
            packet = self._next
            if seconds is not None and packet.dts * packet.time_base > seconds:
                return
            self._next = None
            packet.stream = self._target
            yield packet

    def _timed(self, packet: Any) -> None:
        """Make a packet's times larger than those of the one before."""
        given = packet.dts
        dts = self._end if given is None else given + self._shift
        if self._last is not None and dts <= self._last:
            self._repaired += 1
            if (self._last - dts) * packet.time_base >= _PART:
                self._shift += self._end - dts
                dts = self._end
            else:
                dts = self._last + max(1, math.ceil(_COARSEST / packet.time_base))
        packet.pts = max(dts, dts if packet.pts is None else packet.pts + self._shift)
        packet.dts = self._last = dts
        self._end = dts + max(1, packet.duration or 0)


def _choose(av: Any, kind: str, path: Path) -> _Codec:
    suffixes = _CODECS[kind]
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise UsageError(
            f"cannot write {path}: {kind} video is written as {', '.join(suffixes)}.{suggest(suffix, suffixes)}"
        )
    for codec in suffixes[suffix]:
        if _has_encoder(av, codec.name):
            return codec
    wanted = " or ".join(codec.name for codec in suffixes[suffix])
    others = [other for other, codecs in suffixes.items() if any(_has_encoder(av, codec.name) for codec in codecs)]
    advice = f"write {' or '.join(others)} instead, or " if others else ""
    raise UsageError(
        f"cannot write {path}: this FFmpeg has no encoder {wanted}; {advice}pip install 'intarsia[video]' anew"
    )


def _has_encoder(av: Any, name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except (av.FFmpegError, ValueError):
        return False
    return True

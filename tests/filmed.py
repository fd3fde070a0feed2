"""Small video files for tests: whatever container, times, rotation, depth and sound a test needs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FrameArray = NDArray[np.uint8]


def moving_squares(count: int, height: int = 48, width: int = 64) -> list[FrameArray]:
    """A bright square that moves to the right over a dark ground; its place tells the frame."""
    frames = []
    for index in range(count):
        frame = np.full((height, width, 3), 40, dtype=np.uint8)
        left = 4 + 2 * index % (width - 20)
        frame[12:28, left : left + 12] = (220, 60, 60)
        frames.append(frame)
    return frames


def write_clip(
    path: Path,
    frames: Sequence[FrameArray],
    *,
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    rate: int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rotation: int = 0,
    sound: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Write frames (H, W, 3); `times` are in units of `time_base` and default to a constant rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"crf": "5", "g": "8"} if options is None else options)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = round(Fraction(index, rate) / time_base) if times is None else times[index]
            picture.time_base = time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if audio is not None:
            seconds = len(frames) / rate
            tone = np.sin(np.arange(int(8000 * seconds)) / 8).astype(np.float32)[None] * 0.3
            for start in range(0, tone.shape[1], 1024):
                chunk = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone[:, start : start + 1024]), "fltp", "mono")
                chunk.sample_rate, chunk.pts, chunk.time_base = 8000, start, Fraction(1, 8000)
                container.mux(audio.encode(chunk))
            container.mux(audio.encode(None))
    return path


def square_at(frame: FrameArray) -> int:
    """The column where the bright square begins."""
    return int(np.argmax(frame[20, :, 0] > 130))

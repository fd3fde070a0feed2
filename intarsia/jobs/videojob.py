"""Segment a video into files: overlay, masks, or the video with its background taken away."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError, suggest
from intarsia.files import atomic_path
from intarsia.inference.video import FrameResult, VideoPredictor
from intarsia.labels import LabelSpace
from intarsia.media.newest import Newest
from intarsia.media.video import Frame, FrameSource
from intarsia.media.videowriter import VideoWriter
from intarsia.result.renders import blend

OUTPUTS = ("overlay", "mask", "png", "alpha")

Progress = Callable[[int, int | None], None]


@dataclass
class VideoResult:
    """What a job did.

    Attributes:
        source: name of the video.
        outputs: what was written, by kind.
        frames: how many were segmented.
        keys: on how many of them the deep part ran.
        seconds: wall time of the whole job.
        notes: what was wrong with the source or could not be kept, in words.
        interrupted: whether it was stopped before the end.
    """

    source: str
    outputs: dict[str, str] = field(default_factory=dict)
    frames: int = 0
    keys: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def fps(self) -> float:
        """Frames a second, reading and writing included."""
        return self.frames / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "source": self.source, "outputs": self.outputs, "frames": self.frames, "key_frames": self.keys,
            "seconds": round(self.seconds, 3), "fps": round(self.fps, 2), "notes": self.notes,
            "interrupted": self.interrupted,
        }  # fmt: skip


class _Sink(Protocol):
    @property
    def notes(self) -> list[str]: ...

    def write(self, result: FrameResult) -> None: ...


def segment_video(
    predictor: VideoPredictor,
    source: FrameSource,
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    outputs: Sequence[str] = ("overlay",),
    keep: Sequence[str] = (),
    opacity: float = 0.5,
    overwrite: bool = False,
    limit: int | None = None,
    progress: Progress | None = None,
) -> VideoResult:
    """Segment a video, camera or sequence of pictures; memory does not grow with its length.

    Times, rotation (applied to the pixels) and, in overlays and alpha videos, sound are those of the source. An
    interruption (Ctrl-C) ends the job after the frame in work, and what is written until then is whole and playable; a
    second one stops at once, and nothing is left.

    Args:
        predictor: the model on video.
        source: what `open_video` gives, or a `PictureSequence`.
        out: folder of the results.
        name: stem of their names; None: the source's.
        outputs: any of "overlay" (NAME.overlay.mp4), "mask" (NAME.mask.mkv: class indices, lossless FFV1), "png" (a
            folder NAME.masks of index masks with ``times.json``) and "alpha" (NAME.alpha.webm: the classes to `keep` on
            a transparent ground).
        keep: names of the classes that stay in alpha videos.
        opacity: of the colours in overlays.
        overwrite: replace existing results.
        limit: stop after so many frames.
        progress: called after each frame with the number of frames done and the number of all, if it is known.

    Raises:
        UsageError: an unknown output or class, results exist, or an encoder is missing.
        DataError: the video cannot be read, or the disk is full.
    """
    kept = _kept(outputs, keep, predictor.space)
    stem = name or Path(source.name).stem
    targets = {kind: Path(out) / f"{stem}{_SUFFIXES[kind]}" for kind in outputs}
    for target in targets.values():
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists; overwrite it (--overwrite), or name another folder")
    result = VideoResult(source.name, {kind: str(target) for kind, target in targets.items()})
    total = source.count if limit is None else min(limit, source.count or limit)
    start = time.perf_counter()
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_request())
        sinks = [
            stack.enter_context(_sink(kind, target, source, predictor.space, opacity, kept))
            for kind, target in targets.items()
        ]
        frames: Iterator[Frame] = iter(Newest(iter(source))) if source.is_live else iter(source)
        for frame_result in predictor.stream(frames):
            for sink in sinks:
                sink.write(frame_result)
            result.frames += 1
            result.keys += frame_result.key
            if progress is not None:
                progress(result.frames, total)
            if stop.is_set():
                result.interrupted = True
                break
            if result.frames == limit:
                break
        result.notes = [*source.notes, *(note for sink in sinks for note in sink.notes)]
    result.seconds = time.perf_counter() - start
    return result


_SUFFIXES = {"overlay": ".overlay.mp4", "mask": ".mask.mkv", "png": ".masks", "alpha": ".alpha.webm"}


def _kept(outputs: Sequence[str], keep: Sequence[str], space: LabelSpace) -> NDArray[np.uint8]:
    """Opacity by label, of an alpha video."""
    for kind in outputs:
        if kind not in OUTPUTS:
            raise UsageError(f"no output of video is named {kind!r}.{suggest(kind, OUTPUTS)}")
    if not outputs:
        raise UsageError(f"name at least one output: {', '.join(OUTPUTS)}")
    if ("alpha" in outputs) != bool(keep):
        raise UsageError(
            "an alpha video needs the classes that stay (and only an alpha video): keep (--keep), for instance "
            f"{space.names[0]}"
        )
    opacity = np.zeros(np.iinfo(space.dtype).max + 1, dtype=np.uint8)
    opacity[[space.index(name) for name in keep]] = 255
    return opacity


def _sink(
    kind: str, target: Path, source: FrameSource, space: LabelSpace, opacity: float, kept: NDArray[np.uint8]
) -> AbstractContextManager[_Sink]:
    if kind == "png":
        return _Pictures(target, source)
    pixels: Callable[[FrameResult], NDArray[Any]]
    if kind == "mask":
        kind, pixels = "labels", _labels
    elif kind == "alpha":

        def pixels(result: FrameResult) -> NDArray[Any]:
            alpha = kept[result.segmentation.labels]
            return np.dstack([result.frame.image, alpha])
    else:
        kind = "colour"

        def pixels(result: FrameResult) -> NDArray[Any]:
            return blend(result.frame.image, result.segmentation.labels, space, opacity)

    writer = VideoWriter(
        target, kind=kind, width=source.width, height=source.height, time_base=source.time_base, rate=source.rate,
        audio=None if kind == "labels" else source.audio,
    )  # fmt: skip
    return _Video(writer, pixels)


def _labels(result: FrameResult) -> NDArray[Any]:
    return result.segmentation.labels


class _Video:
    """One video file."""

    def __init__(self, writer: VideoWriter, pixels: Callable[[FrameResult], NDArray[Any]]) -> None:
        self._writer, self._pixels = writer, pixels

    @property
    def notes(self) -> list[str]:
        return self._writer.notes

    def __enter__(self) -> _Video:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.__exit__(*error)

    def write(self, result: FrameResult) -> None:
        self._writer.write(self._pixels(result), result.frame.pts)


class _Pictures:
    """A folder of index masks, and the time of each."""

    def __init__(self, folder: Path, source: FrameSource) -> None:
        self._folder, self._time_base = folder, source.time_base
        self._times: dict[str, float] = {}
        self.notes: list[str] = []

    def __enter__(self) -> _Pictures:
        for old in self._folder.glob("[0-9]" * 6 + ".png"):  # of a longer run, when this one may overwrite it
            old.unlink()
        return self

    def write(self, result: FrameResult) -> None:
        name = f"{result.frame.index:06d}.png"
        result.segmentation.save(self._folder / name)
        self._times[name] = round(float(result.frame.pts * self._time_base), 6)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._times and (kind is None or issubclass(kind, Exception)):
            with atomic_path(self._folder / "times.json") as temporary:
                temporary.write_text(json.dumps(self._times, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _stop_request() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one interrupts as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)

"""Videos: written frame by frame, whole and playable whenever they are stopped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from intarsia.errors import counted
from intarsia.files import atomic_path
from intarsia.inference import FrameResult, VideoPredictor
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.ahead import Ahead
from intarsia.media.newest import Newest
from intarsia.media.video import FrameSource
from intarsia.media.videowriter import VideoWriter
from intarsia.result import Render, Style
from intarsia.result.contract import areas

_FRAMES = 4  # that wait decoded


class _Sink(Protocol):
    @property
    def notes(self) -> list[str]: ...

    def write(self, result: FrameResult) -> None: ...


def write_frames(predictor: VideoPredictor, work: Work) -> Facts:
    """Segment an opened video, camera or sequence of pictures into its outputs; memory does not grow with its length.

    Times, rotation (applied to the pixels) and, in drawings, sound are those of the source. A job that is stopped ends
    after the frame in work, and what is written until then is whole and playable.

    Raises:
        UsageError: an encoder is missing.
        DataError: the video cannot be read, or the disk is full.
    """
    source: FrameSource = work.reader
    limit = work.options.limit
    total = source.count if limit is None else min(limit, source.count or limit)
    counts = np.zeros(predictor.space.ignore_index + 1, dtype=np.int64)
    told: Counter[str] = Counter()
    done = keys = 0
    stopped = False
    with ExitStack() as stack:
        sinks = [stack.enter_context(_sink(kind, path, work)) for kind, path in work.paths.items()]
        for result in stack.enter_context(_results(predictor, source)):
            for sink in sinks:
                sink.write(result)
            done, keys = done + 1, keys + result.key
            counts += result.segmentation.counts()
            told[result.note] += 1
            if work.stops():
                stopped = True
                break
            if done == limit:
                break
            work.tell(done, total)
        notes = (*source.notes, *(note for sink in sinks for note in sink.notes))
        notes += tuple(f"{note} ({times} of {counted(done, 'frame')})" for note, times in told.items() if note)
    size = (source.width, source.height, done)
    return Facts(size, areas(counts, predictor.space), notes, {"frames": done, "key_frames": keys}, stopped)


@contextmanager
def _results(predictor: VideoPredictor, source: FrameSource) -> Iterator[Iterable[FrameResult]]:
    """The segmented frames: while one is written, the next is computed, and more are decoded; live ones are not old."""
    if source.is_live:
        yield predictor.stream(Newest(iter(source)))
        return
    with Ahead(source, _FRAMES) as frames, Ahead(predictor.stream(frames), 1) as results:
        yield results


def _sink(kind: str, path: Path, work: Work) -> AbstractContextManager[_Sink]:
    if kind == "masks":
        return _Masks(path, work.reader)
    render = work.task.renders.get(kind)
    return _Labels(path, work.reader) if render is None else _Drawn(path, work.reader, render, work.style)


class _File:
    """One video file."""

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer

    @property
    def notes(self) -> list[str]:
        return self._writer.notes

    def __enter__(self) -> Any:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.__exit__(*error)


class _Labels(_File):
    """Class indices, lossless."""

    def __init__(self, path: Path, source: FrameSource) -> None:
        super().__init__(_writer(path, "labels", source, sound=False))

    def write(self, result: FrameResult) -> None:
        self._writer.write(result.segmentation.labels, result.frame.pts)


class _Drawn(_File):
    """The labels as a render draws them."""

    def __init__(self, path: Path, source: FrameSource, render: Render, style: Style) -> None:
        super().__init__(_writer(path, "alpha" if render.alpha else "colour", source, sound=True))
        self._render, self._style = render, style

    def write(self, result: FrameResult) -> None:
        self._writer.write(
            self._render.draw(result.frame.image, result.segmentation.labels, self._style), result.frame.pts
        )


def _writer(path: Path, kind: str, source: FrameSource, *, sound: bool) -> VideoWriter:
    return VideoWriter(
        path, kind=kind, width=source.width, height=source.height, time_base=source.time_base, rate=source.rate,
        audio=source.audio if sound else None, aspect=source.aspect,
    )  # fmt: skip


class _Masks:
    """A folder of index masks, and the time of each."""

    def __init__(self, folder: Path, source: FrameSource) -> None:
        self._folder, self._time_base = folder, source.time_base
        self._times: dict[str, float] = {}
        self.notes: list[str] = []

    def __enter__(self) -> _Masks:
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

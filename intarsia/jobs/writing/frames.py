"""Videos: written frame by frame, whole and playable whenever they are stopped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from intarsia.errors import counted
from intarsia.files import atomic_path
from intarsia.inference import FrameResult, VideoPredictor
from intarsia.jobs.cutting.frames import joined_frames
from intarsia.jobs.timing import Times
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.ahead import Ahead
from intarsia.media.frames import Frame, FrameSource
from intarsia.media.newest import Newest
from intarsia.media.pace import paced
from intarsia.media.videowriter import VideoWriter
from intarsia.result import Render
from intarsia.result.contract import areas
from intarsia.result.renders import Follower

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
    drawers = {kind: render.begin() for kind, render in work.task.renders.items()}
    with ExitStack() as stack:
        sinks = [stack.enter_context(_sink(kind, work, drawers)) for kind in sorted(work.paths, key="records".__eq__)]
        stream = stack.enter_context(_stream(predictor, source, work))
        for result in stream.results:
            with stream.times("writing"):
                for sink in sinks:
                    sink.write(result)
            stream.finished(result)
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
    details: dict[str, Any] = {"frames": done, "key_frames": keys} | stream.details()
    for drawer in drawers.values():
        summary = drawer.summary()
        if "milliseconds" in summary:
            summary["milliseconds"] = stream.times.to_json() | summary["milliseconds"]
        details |= summary
    return Facts((source.width, source.height, done), areas(counts, predictor.space), notes, details, stopped)


class _Stream:
    """The segmented frames, how long they took, and of live ones how old they are and how many were passed over."""

    def __init__(self, results: Iterable[FrameResult], newest: Newest[Frame] | None, deadline: float | None) -> None:
        self.results, self.times = results, Times()
        self._newest, self._deadline, self._late = newest, deadline, 0

    def finished(self, result: FrameResult) -> None:
        """A frame's outputs are written."""
        self.times.add("network", result.seconds)
        if self._newest is not None:
            age = self._newest.age
            self.times.add("delay", age)
            self._late += self._deadline is not None and age > self._deadline

    def details(self) -> dict[str, Any]:
        if self._newest is None:
            return {}
        late = {} if self._deadline is None else {"late": self._late}
        return {"dropped": self._newest.dropped, **late, "milliseconds": self.times.to_json()}


@contextmanager
def _stream(predictor: VideoPredictor, source: FrameSource, work: Work) -> Iterator[_Stream]:
    """The segmented frames: while one is written, the next is computed, and more are decoded; live ones are not old."""
    deadline = work.options.deadline
    if source.is_live or deadline is not None:
        seconds = None if deadline is None else deadline / 1000
        newest = Newest(iter(source) if source.is_live else paced(source), deadline=seconds)
        yield _Stream(predictor.stream(newest), newest, seconds)
        return
    with ExitStack() as stack:
        frames = stack.enter_context(Ahead(source, _FRAMES))
        segmented = joined_frames(predictor, frames, work.there) if work.there else predictor.stream(frames)
        results = stack.enter_context(Ahead(segmented, 1))
        yield _Stream(results, None, None)


def _sink(kind: str, work: Work, drawers: Mapping[str, Follower]) -> AbstractContextManager[_Sink]:
    path = work.paths[kind]
    if kind == "masks":
        return _Masks(path, work.reader)
    if kind == "records":
        return _Records(path, work.reader, drawers.values())
    render = work.task.renders.get(kind)
    return _Labels(path, work.reader) if render is None else _Drawn(work, render, drawers[kind])


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

    def __init__(self, work: Work, render: Render, drawer: Follower) -> None:
        kind = "alpha" if render.alpha else "colour"
        super().__init__(_writer(work.paths[render.name], kind, work.reader, sound=True))
        self._drawer, self._style = drawer, work.style

    def write(self, result: FrameResult) -> None:
        drawn = self._drawer.draw(result.frame.image, result.segmentation.labels, self._style)
        self._writer.write(drawn, result.frame.pts)


def _writer(path: Path, kind: str, source: FrameSource, *, sound: bool) -> VideoWriter:
    return VideoWriter(
        path, kind=kind, width=source.width, height=source.height, time_base=source.time_base, rate=source.rate,
        audio=source.audio if sound else None, aspect=source.aspect,
    )  # fmt: skip


class _Records:
    """A line of JSON a frame: its number, its time, the share of each class, and what the drawings saw in it."""

    def __init__(self, path: Path, source: FrameSource, drawers: Iterable[Follower]) -> None:
        self._path, self._time_base, self._drawers = path, source.time_base, list(drawers)
        self._stack = ExitStack()
        self.notes: list[str] = []

    def __enter__(self) -> _Records:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self._path))
            self._file = stack.enter_context(temporary.open("w", encoding="utf-8"))
            self._stack = stack.pop_all()
        return self

    def write(self, result: FrameResult) -> None:
        seconds = round(float(result.frame.pts * self._time_base), 6)
        line = {"frame": result.frame.index, "seconds": seconds, "areas": result.segmentation.areas()}
        for drawer in self._drawers:
            line |= drawer.facts()
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


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

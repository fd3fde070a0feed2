"""Videos: written frame by frame, whole and playable whenever they are stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, NothingFound
from intarsia.files import atomic_path
from intarsia.inference import FrameResult, VideoPredictor
from intarsia.jobs.writing.work import Facts, Work
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.ahead import Ahead
from intarsia.media.newest import Newest
from intarsia.media.video import Frame, FrameSource
from intarsia.media.videowriter import VideoWriter
from intarsia.result import Render, Style
from intarsia.result.contract import areas

_FRAMES = 4  # that wait decoded
_LEAST = 1e-4  # of all pixels, that a drawing is of


class _Sink(Protocol):
    @property
    def notes(self) -> list[str]: ...

    def draw(self, result: FrameResult) -> Any:
        """Make what is written; called in the order of frames, ahead of `write`."""

    def write(self, result: FrameResult, drawing: Any) -> None: ...


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
    done = keys = 0
    stopped = False
    live = _Live(source, work.options.latency) if source.is_live else None
    with ExitStack() as stack:
        sinks = [stack.enter_context(_sink(kind, path, work)) for kind, path in work.paths.items()]
        for result, drawings in stack.enter_context(_results(predictor, live or source, sinks)):
            if live is None or not live.is_late():
                for sink, drawing in zip(sinks, drawings, strict=True):
                    sink.write(result, drawing)
                done, keys = done + 1, keys + result.key
                counts += result.segmentation.counts()
                if live is not None:
                    live.note()
            if work.stops():
                stopped = True
                break
            if done == limit:
                break
            work.tell(done, total)
        if live is not None:
            live.check(done)
        _require_found(work, counts, predictor.space)
        notes = (*source.notes, *(note for sink in sinks for note in sink.notes))
    size = (source.width, source.height, done)
    details = {"frames": done, "key_frames": keys} | ({} if live is None else live.told(done))
    return Facts(size, areas(counts, predictor.space), notes, details, stopped)


def _require_found(work: Work, counts: NDArray[np.int64], space: LabelSpace) -> None:
    """Raise if what a drawing is of is in no frame; what is half written goes away then."""
    for render in work.task.renders.values():
        if render.of and counts[space.index(render.of)] < _LEAST * counts.sum():
            raise NothingFound(f"no {render.of} is found in its frames")


class _Live:
    """The frames of a live source, the newest at a time, and how long they take until they are written."""

    def __init__(self, source: FrameSource, latency: float | None) -> None:
        self._frames: Newest[Frame] = Newest(iter(source))
        self._latency, self._sum, self._most = latency, 0.0, 0.0

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def is_late(self) -> bool:
        """Drop a frame whose result is ready too late; true if it is dropped."""
        late = self._latency is not None and self._frames.age() > self._latency
        self._frames.dropped += late
        return late

    def note(self) -> None:
        """Note the delay of what was written."""
        delay = self._frames.age()
        self._sum, self._most = self._sum + delay, max(self._most, delay)

    def check(self, frames: int) -> None:
        """Raise if all frames were late."""
        if not frames and self._latency is not None:
            raise DataError(f"no frame came out within {1000 * self._latency:.0f} ms; allow a longer latency")

    def told(self, frames: int) -> dict[str, float]:
        """Tell of the delays, in milliseconds, and how many frames were dropped."""
        mean = 1000 * self._sum / max(1, frames)
        return {"dropped": self._frames.dropped, "delay_ms": round(mean, 1), "longest_ms": round(1000 * self._most, 1)}


Drawn = tuple[FrameResult, list[Any]]
"""A result, and what each sink drew of it."""


@contextmanager
def _results(
    predictor: VideoPredictor, source: FrameSource | _Live, sinks: Sequence[_Sink]
) -> Iterator[Iterable[Drawn]]:
    """The segmented frames: while one is written, the next is drawn, one computed, more decoded; live ones are new."""

    def drawn(results: Iterable[FrameResult]) -> Iterator[Drawn]:
        return ((result, [sink.draw(result) for sink in sinks]) for result in results)

    if isinstance(source, _Live):
        yield drawn(predictor.stream(source))
        return
    with (
        Ahead(source, _FRAMES) as frames,
        Ahead(predictor.stream(frames), 1) as results,
        Ahead(drawn(results), 1) as ready,
    ):
        yield ready


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

    def write(self, result: FrameResult, drawing: NDArray[Any]) -> None:
        self._writer.write(drawing, result.frame.pts)


class _Labels(_File):
    """Class indices, lossless."""

    def __init__(self, path: Path, source: FrameSource) -> None:
        super().__init__(_writer(path, "labels", source, sound=False))

    def draw(self, result: FrameResult) -> LabelArray:
        return result.segmentation.labels


class _Drawn(_File):
    """The labels as a render draws them."""

    def __init__(self, path: Path, source: FrameSource, render: Render, style: Style) -> None:
        super().__init__(_writer(path, "alpha" if render.alpha else "colour", source, sound=True))
        self._render, self._style = render, style

    def draw(self, result: FrameResult) -> NDArray[np.uint8]:
        seen = result.shares if self._render.of else result.segmentation.labels
        return self._render.draw(result.frame.image, seen, self._style)


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

    def draw(self, result: FrameResult) -> None:
        """Masks are written as they are."""

    def write(self, result: FrameResult, drawing: None) -> None:
        name = f"{result.frame.index:06d}.png"
        result.segmentation.save(self._folder / name)
        self._times[name] = round(float(result.frame.pts * self._time_base), 6)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._times and (kind is None or issubclass(kind, Exception)):
            with atomic_path(self._folder / "times.json") as temporary:
                temporary.write_text(json.dumps(self._times, indent=1) + "\n", encoding="utf-8")

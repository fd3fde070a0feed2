"""The part of `intarsia segment` that is about video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia.cli.output import emit, seconds
from intarsia.errors import counted

if TYPE_CHECKING:
    from intarsia.inference import Predictor
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.jobs import VideoResult
    from intarsia.media.video import FrameSource

_VIDEO = "Video"
PARTLY, INTERRUPTED = 1, 130

Video = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        rich_help_panel=_VIDEO,
        help="How work is saved between frames: every-frame, flow (key frames moved along the motion), clockwork, "
        "flow-features; default: every frame, or what the model was made for.",
    ),
]
VideoOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--video-set",
        metavar="KEY=VALUE",
        rich_help_panel=_VIDEO,
        help="Change the schedule: every=3 (key frames), ratio=0.3 (share of key frames, those that changed most), "
        "threshold, max_gap, delay, stage, smooth=0.5 (less flicker); repeatable.",
    ),
]
Write = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND",
        rich_help_panel=_VIDEO,
        help="overlay (MP4, the default), mask (lossless MKV of class indices), png (folder of masks), alpha "
        "(WebM with the classes of --keep on a transparent ground); repeatable.",
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="CLASS", rich_help_panel=_VIDEO, help="A class that stays in alpha videos; repeatable."),
]
Fps = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=_VIDEO, help="Take a folder or pattern of pictures as a video of this many frames a second."
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, rich_help_panel=_VIDEO, help="Stop after so many frames.")]


def is_video_job(sources: Sequence[str], fps: float | None) -> bool:
    """Whether the sources are videos.

    Raises:
        UsageError: only some of them are.
    """
    from intarsia.errors import UsageError
    from intarsia.media.video import is_video

    videos = [source for source in sources if fps is not None or is_video(source)]
    if videos and len(videos) < len(sources):
        raise UsageError("pictures and videos are segmented by separate commands")
    return bool(videos)


def segment_videos(
    predictor: Predictor | CloudPredictor,
    sources: Sequence[str],
    out: Path,
    *,
    model: str,
    method: str | None,
    assignments: Sequence[str],
    outputs: Sequence[str],
    keep: Sequence[str],
    fps: float | None,
    limit: int | None,
    overwrite: bool,
    json: bool,
) -> int:
    """Segment one video after the other, and return the exit code.

    Raises:
        UsageError: the model labels point clouds, or the schedule makes no sense.
    """
    from intarsia.errors import DataError, UsageError
    from intarsia.inference import Predictor, VideoPredictor
    from intarsia.jobs import segment_video

    if not isinstance(predictor, Predictor):
        raise UsageError(f"{model} labels point clouds, and {sources[0]} is a video; name a model of pictures (-m)")
    on_video = VideoPredictor(predictor, method=method, **read_schedule(assignments))
    done: list[VideoResult] = []
    failures: dict[str, str] = {}
    for source in sources:
        try:
            opened, name = _opened(source, fps)
            with _progress(opened.name) as progress:
                result = segment_video(
                    on_video, opened, out, name=name, outputs=list(dict.fromkeys(outputs)), keep=keep,
                    overwrite=overwrite, limit=limit, progress=progress,
                )  # fmt: skip
        except DataError as error:
            if len(sources) == 1:
                raise
            failures[source] = str(error)
            continue
        done.append(result)
        if result.interrupted:
            break
    interrupted = bool(done) and done[-1].interrupted
    if json and not interrupted:  # of which the command itself tells, in JSON too
        emit({"model": model, "videos": [result.to_json() for result in done], "failures": failures})
    else:
        _show(done, failures, to_stderr=json)
    if interrupted:
        return INTERRUPTED
    return 0 if not failures else PARTLY if done else DataError.exit_code


def read_schedule(assignments: Sequence[str]) -> dict[str, Any]:
    """The schedule's options.

    Raises:
        UsageError: no such option, or a value of the wrong kind.
    """
    import inspect

    from intarsia.errors import UsageError, suggest
    from intarsia.models.video import scheduled
    from intarsia.recipe import read_assignments

    values = read_assignments(assignments)
    known = [name for name in inspect.signature(scheduled).parameters if name not in ("model", "method")]
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"a schedule has no option {name!r}.{suggest(name, known)}")
        if name != "preset" and not isinstance(value, int | float):
            raise UsageError(f"{name} is a number, not {value!r}")
    return values


def _opened(source: str, fps: float | None) -> tuple[FrameSource, str]:
    from intarsia.errors import DataError, UsageError
    from intarsia.inference.sources import find_images
    from intarsia.media.video import PictureSequence, is_video, open_video

    if fps is None:
        return open_video(source), source.replace(":", "-") if source.startswith("camera:") else Path(source).stem
    found = find_images(source)
    if found is None and not Path(source).exists():
        raise DataError(f"cannot read {source}: no such folder")
    if found is None or is_video(source):
        raise UsageError(f"--fps is for folders and patterns of pictures, and {source} is a single file")
    return PictureSequence(found.paths, rate=fps), found.base.resolve().name


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar with frames a second and the remaining time, on standard error and only on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.1f} fps" if task.speed else "")

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(""), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(Path(what).name, total=None)

        def update(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=None if total is None else max(done, total))

        yield update


def _show(done: Sequence[VideoResult], failures: dict[str, str], *, to_stderr: bool) -> None:
    for result in done:
        how = f"{counted(result.frames, 'frame')} in {seconds(result.seconds)}, {result.fps:.1f} fps"
        keys = "" if result.keys == result.frames else f", {counted(result.keys, 'key frame')}"
        stopped = "; stopped, what is written is complete up to here" if result.interrupted else ""
        typer.echo(f"{result.source}  ({how}{keys}{stopped})", err=to_stderr)
        for path in result.outputs.values():
            typer.echo(f"  {path}", err=to_stderr)
        for note in result.notes:
            typer.echo(f"  note: {note}", err=True)
    for source, reason in failures.items():
        typer.echo(f"failed: {source}: {reason}", err=True)

"""Jobs on video: files that are whole whenever they end, and the same records as of other media."""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")

from filmed import moving_squares, write_clip  # noqa: E402
from jobs_made import files, job  # noqa: E402
from tiny import TinyRun  # noqa: E402

import intarsia  # noqa: E402
from intarsia.errors import UsageError  # noqa: E402
from intarsia.inference import Predictor, VideoPredictor  # noqa: E402
from intarsia.jobs import JobOptions, Plan, run_all  # noqa: E402
from intarsia.jobs.task import Task  # noqa: E402
from intarsia.media.images import read_mask, write_image  # noqa: E402
from intarsia.media.medium import VIDEO  # noqa: E402
from intarsia.media.video import open_video  # noqa: E402
from intarsia.stopping import stop_on_signals  # noqa: E402


@pytest.fixture(scope="module")
def predictor(tiny_run: TinyRun) -> Predictor:
    return intarsia.load(tiny_run.run.best)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "drive.mp4", moving_squares(12), sound=True)


def masks(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def one(predictor: Predictor, source: Any, out: Path, *outputs: str, **options: Any) -> dict[str, Any]:
    (record,) = job(predictor, source, out, outputs=outputs, **options).records
    return record


def test_all_outputs(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    name = predictor.space.names[0]
    seen: list[tuple[int, int | None]] = []
    record = one(
        predictor, clip, tmp_path, "overlay", "labels", "masks", "alpha", "outlines", keep=(name,),
        tell=lambda task, done, total: seen.append((done, total)),
    )  # fmt: skip
    assert (record["size"], record["details"]) == ([64, 48, 12], {"frames": 12, "key_frames": 12})
    assert record["status"] == "done" and sum(record["areas"].values()) == pytest.approx(1)
    assert record["notes"] == [".webm cannot hold the sound's format (aac); it was left out; write .mov to keep it"]
    assert seen == [(index, 12) for index in range(1, 13)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "drive.alpha.webm", "drive.mask.mkv", "drive.masks", "drive.outlines.mp4", "drive.overlay.mp4", "manifest.jsonl"
    ]  # fmt: skip
    expected = [found.segmentation.labels for found in VideoPredictor(predictor).stream(open_video(clip))]
    for index, (stored, labels) in enumerate(zip(masks(tmp_path / "drive.mask.mkv"), expected, strict=True)):
        assert np.array_equal(stored, labels)
        assert np.array_equal(read_mask(tmp_path / "drive.masks" / f"{index:06d}.png"), labels)
    times = json.loads((tmp_path / "drive.masks" / "times.json").read_text())
    assert times["000003.png"] == pytest.approx(0.12)
    overlay = open_video(tmp_path / "drive.overlay.mp4")
    assert overlay.audio is not None and [frame.pts * overlay.time_base for frame in overlay][3] == Fraction(3, 25)


def test_a_finished_video_is_skipped_and_a_stopped_one_done_again(
    predictor: Predictor, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    second = write_clip(tmp_path / "in" / "b.mp4", moving_squares(5))
    out, frames = tmp_path / "out", list[int]()
    result = job(
        predictor, [clip, second], out, stop=lambda: len(frames) >= 3, tell=lambda task, done, _: frames.append(done)
    )
    assert result.stopped and result.exit_code == 130
    assert [(record["status"], record["details"]["frames"]) for record in result.records] == [("stopped", 4)]
    assert len(list(open_video(out / "drive.overlay.mp4"))) == 4
    result = job(predictor, [clip, second], out)
    assert [record["details"]["frames"] for record in result.records] == [12, 5] and result.skipped == []
    assert job(predictor, [clip, second], out).skipped == [str(clip), str(second)]
    with pytest.raises(UsageError, match=r"drive\.overlay\.mp4 exists already, made with limit"):
        job(predictor, clip, out, limit=2)
    assert files(out) == ["b.overlay.mp4", "drive.overlay.mp4", "manifest.jsonl"]


def test_a_shorter_run_leaves_no_masks_of_the_longer_one(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    for limit in (5, 2):
        one(predictor, clip, tmp_path, "masks", limit=limit, overwrite=True)
    found = sorted(path.name for path in (tmp_path / "drive.masks").iterdir())
    assert found == ["000000.png", "000001.png", "times.json"]


def test_schedules_save_deep_runs(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    record = one(predictor, clip, tmp_path, "labels", schedule={"every": 4})
    assert record["details"] == {"frames": 12, "key_frames": 3} and record["settings"]["schedule"] == {"every": 4}


def test_a_sequence_of_pictures(predictor: Predictor, tmp_path: Path) -> None:
    for index, picture in enumerate(moving_squares(4)):
        write_image(tmp_path / "walk" / f"{index}.png", picture)
    one(predictor, tmp_path / "walk", tmp_path / "out", "labels", fps=5.0)
    assert len(masks(tmp_path / "out" / "walk.mask.mkv")) == 4
    one(predictor, f"{tmp_path}/walk/*.png", tmp_path / "pattern", "labels", fps=5.0)
    assert len(masks(tmp_path / "pattern" / "walk.mask.mkv")) == 4


def test_a_live_source_ends_at_its_limit(predictor: Predictor, tmp_path: Path) -> None:
    from dataclasses import replace

    from intarsia.media.video import VideoFile

    if "lavfi" not in av.formats_available:
        pytest.skip("this FFmpeg has no virtual devices")
    camera = replace(VIDEO, open=lambda *_: VideoFile("testsrc=size=64x48:rate=25", device="lavfi"))
    task = Task("camera:0", "camera-0", camera, {"labels": "camera-0.mask.mkv"})
    (record,) = run_all(predictor, Plan(tmp_path, (task,)), options=JobOptions(limit=5)).records
    assert record["details"]["frames"] == 5 and len(masks(tmp_path / "camera-0.mask.mkv")) == 5


def test_an_interruption_leaves_playable_files(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    def interrupt(task: Task, done: int, total: int | None) -> None:
        if done == 4:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)  # ignored, where the tests run in the background
    with stop_on_signals() as stop:
        record = one(predictor, clip, tmp_path, "overlay", "labels", tell=interrupt, stop=stop)
    frames = record["details"]["frames"]
    assert record["status"] == "stopped" and 4 <= frames <= 5
    assert len(masks(tmp_path / "drive.mask.mkv")) == len(list(open_video(tmp_path / "drive.overlay.mp4"))) == frames
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interruption_stops_at_once_and_leaves_nothing(
    predictor: Predictor, clip: Path, tmp_path: Path
) -> None:
    def interrupt(task: Task, done: int, total: int | None) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with stop_on_signals() as stop, pytest.raises(KeyboardInterrupt):
        one(predictor, clip, tmp_path, tell=interrupt, stop=stop)
    assert list(tmp_path.iterdir()) == []


def test_jobs_on_other_threads(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    results: list[dict[str, Any]] = []

    def work() -> None:
        with stop_on_signals() as stop:
            results.append(one(predictor, clip, tmp_path, limit=2, stop=stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results[0]["details"]["frames"] == 2


def test_frames_of_changing_size_and_damaged_ones(predictor: Predictor, tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.h264", moving_squares(4, 48, 64)).read_bytes()
    second = write_clip(tmp_path / "b.h264", moving_squares(4, 96, 80)).read_bytes()
    (tmp_path / "both.h264").write_bytes(first + second)
    schedule = {"method": "flow", "every": 10}
    record = one(predictor, tmp_path / "both.h264", tmp_path / "out", "labels", schedule=schedule)
    assert record["details"] == {"frames": 8, "key_frames": 2}, "another size begins anew"
    assert "4 frames have another size than the first" in record["notes"]
    assert {mask.shape for mask in masks(tmp_path / "out" / "both.mask.mkv")} == {(48, 64)}


def test_wrong_requests(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no output is named 'maks'\. Did you mean 'masks'"):
        one(predictor, clip, tmp_path, "maks")
    with pytest.raises(UsageError, match="confidence is not written of videos; of them: labels, overlay"):
        one(predictor, clip, tmp_path, "confidence")
    with pytest.raises(UsageError, match="alpha needs the classes that stay"):
        one(predictor, clip, tmp_path, "alpha")
    with pytest.raises(UsageError, match="no class is named"):
        one(predictor, clip, tmp_path, "alpha", keep=("unicorn",))
    with pytest.raises(UsageError, match="series is for volumes, not for videos"):
        one(predictor, clip, tmp_path, series="1.2")
    with pytest.raises(UsageError, match=r"one\.png: those of videos are written as \.mp4 or "):
        one(predictor, clip, tmp_path / "one.png")
    (tmp_path / "drive.overlay.mp4").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"drive\.overlay\.mp4 exists already; overwrite"):
        one(predictor, clip, tmp_path)
    assert (tmp_path / "drive.overlay.mp4").read_bytes() == b"precious"
    one(predictor, clip, tmp_path, overwrite=True, limit=1)
    assert len(list(open_video(tmp_path / "drive.overlay.mp4"))) == 1


def test_memory_does_not_grow_with_the_clip(
    predictor: Predictor, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Memory in use after 40 frames is that after 400, but for a few megabytes."""
    request.addfinalizer(partial(gc.set_threshold, *gc.get_threshold()))
    gc.set_threshold(700, 10, 10)  # as in a program; tests search for garbage less often
    page = os.sysconf("SC_PAGE_SIZE")
    used: dict[int, float] = {}

    def note(task: Task, done: int, total: int | None) -> None:
        if done in (40, 400):
            used[done] = int(Path("/proc/self/statm").read_text().split()[1]) * page / 1e6

    path = write_clip(tmp_path / "long.mp4", [*moving_squares(40, 96, 128)] * 10, sound=True)
    schedule = {"every": 20, "smooth": 0.3}
    one(predictor, path, tmp_path / "out", "overlay", "labels", schedule=schedule, tell=note)
    assert used[400] < used[40] + 30

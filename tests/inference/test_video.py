"""Video in, labels out: the predictor on frames, and the job that writes files."""

from __future__ import annotations

import json
import os
import signal
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")

from filmed import moving_squares, write_clip  # noqa: E402
from tiny import TinyRun  # noqa: E402

import intarsia  # noqa: E402
from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.inference import Predictor, VideoPredictor  # noqa: E402
from intarsia.jobs import segment_video  # noqa: E402
from intarsia.media.images import read_mask, write_image  # noqa: E402
from intarsia.media.video import PictureSequence, open_video  # noqa: E402


@pytest.fixture(scope="module")
def predictor(tiny_run: TinyRun) -> Predictor:
    return intarsia.load(tiny_run.run.best)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "drive.mp4", moving_squares(12), sound=True)


def masks(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def test_every_frame_is_segmented_as_a_picture(predictor: Predictor, clip: Path) -> None:
    results = list(VideoPredictor(predictor).stream(open_video(clip)))
    assert len(results) == 12 and all(result.key and result.age == 0 for result in results)
    for result in results[::5]:
        alone = predictor.segment(result.frame.image)
        assert np.array_equal(result.segmentation.labels, alone.labels)
        assert result.segmentation.image is result.frame.image


def test_a_video_is_a_source_like_any_other(predictor: Predictor, clip: Path) -> None:
    found = predictor.segment(clip)
    first = next(found)
    assert (first.height, first.width) == (48, 64)
    assert len(list(found)) == 11
    with pytest.raises(DataError, match=r"nowhere\.mp4: no such file"):
        predictor.segment("nowhere.mp4")


def test_many_streams_on_one_model(predictor: Predictor) -> None:
    model = VideoPredictor(predictor, method="flow", every=3)
    clips = moving_squares(5), [frame[:, ::-1] for frame in moving_squares(5)]
    alone = [[result.segmentation.labels for result in model.stream(frames)] for frames in clips]
    states: list[dict] = [{}, {}]
    for step, pair in enumerate(zip(*clips, strict=True)):
        for index, frame in enumerate(pair):
            result, states[index] = model.step(np.ascontiguousarray(frame), states[index])
            assert np.array_equal(result.segmentation.labels, alone[index][step])


def test_all_outputs(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    name = predictor.space.names[0]
    seen: list[tuple[int, int | None]] = []
    result = segment_video(
        VideoPredictor(predictor), open_video(clip), tmp_path, outputs=("overlay", "mask", "png", "alpha"), keep=[name],
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert (result.frames, result.keys, result.interrupted) == (12, 12, False)
    assert result.notes == [".webm cannot hold the sound's format (aac); it was left out; write .mkv to keep it"]
    assert seen == [(index, 12) for index in range(1, 13)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "drive.alpha.webm", "drive.mask.mkv", "drive.masks", "drive.overlay.mp4"
    ]  # fmt: skip
    expected = [found.segmentation.labels for found in VideoPredictor(predictor).stream(open_video(clip))]
    for index, (stored, labels) in enumerate(zip(masks(tmp_path / "drive.mask.mkv"), expected, strict=True)):
        assert np.array_equal(stored, labels)
        assert np.array_equal(read_mask(tmp_path / "drive.masks" / f"{index:06d}.png"), labels)
    times = json.loads((tmp_path / "drive.masks" / "times.json").read_text())
    assert times["000003.png"] == pytest.approx(0.12)
    overlay = open_video(tmp_path / "drive.overlay.mp4")
    assert overlay.audio is not None and [frame.pts * overlay.time_base for frame in overlay][3] == Fraction(3, 25)
    assert json.loads(json.dumps(result.to_json()))["frames"] == 12


def test_a_shorter_run_leaves_no_masks_of_the_longer_one(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    for limit in (5, 2):
        model = VideoPredictor(predictor)
        segment_video(model, open_video(clip), tmp_path, outputs=["png"], limit=limit, overwrite=True)
    found = sorted(path.name for path in (tmp_path / "drive.masks").iterdir())
    assert found == ["000000.png", "000001.png", "times.json"]


def test_schedules_save_deep_runs(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    model = VideoPredictor(predictor, every=4)
    result = segment_video(model, open_video(clip), tmp_path, outputs=["mask"])
    assert (result.frames, result.keys) == (12, 3)


def test_a_sequence_of_pictures(predictor: Predictor, tmp_path: Path) -> None:
    for index, picture in enumerate(moving_squares(4)):
        write_image(tmp_path / "in" / f"{index}.png", picture)
    source = PictureSequence(sorted((tmp_path / "in").iterdir()), rate=5)
    segment_video(VideoPredictor(predictor), source, tmp_path / "out", name="walk", outputs=["mask"])
    assert len(masks(tmp_path / "out" / "walk.mask.mkv")) == 4


def test_a_live_source_ends_at_its_limit(predictor: Predictor, tmp_path: Path) -> None:
    from intarsia.media.video import VideoFile

    if "lavfi" not in av.formats_available:
        pytest.skip("this FFmpeg has no virtual devices")
    camera = VideoFile("testsrc=size=64x48:rate=25", device="lavfi")
    result = segment_video(VideoPredictor(predictor), camera, tmp_path, name="camera-0", outputs=["mask"], limit=5)
    assert result.frames == 5 and len(masks(tmp_path / "camera-0.mask.mkv")) == 5


def test_an_interruption_leaves_playable_files(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)  # ignored, where the tests run in the background
    result = segment_video(
        VideoPredictor(predictor), open_video(clip), tmp_path, outputs=("overlay", "mask"), progress=interrupt
    )
    assert result.interrupted and 4 <= result.frames <= 5
    assert (
        len(masks(tmp_path / "drive.mask.mkv"))
        == len(list(open_video(tmp_path / "drive.overlay.mp4")))
        == result.frames
    )
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interruption_stops_at_once_and_leaves_nothing(
    predictor: Predictor, clip: Path, tmp_path: Path
) -> None:
    def interrupt(done: int, total: int | None) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        segment_video(VideoPredictor(predictor), open_video(clip), tmp_path, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_jobs_on_other_threads(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    results = []
    thread = threading.Thread(
        target=lambda: results.append(segment_video(VideoPredictor(predictor), open_video(clip), tmp_path, limit=2))
    )
    thread.start()
    thread.join()
    assert results[0].frames == 2


def test_frames_of_changing_size_and_damaged_ones(predictor: Predictor, tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.h264", moving_squares(4, 48, 64)).read_bytes()
    second = write_clip(tmp_path / "b.h264", moving_squares(4, 96, 80)).read_bytes()
    (tmp_path / "both.h264").write_bytes(first + second)
    model = VideoPredictor(predictor, method="flow", every=10)
    result = segment_video(model, open_video(tmp_path / "both.h264"), tmp_path / "out", outputs=["mask"])
    assert (result.frames, result.keys) == (8, 2), "another size begins anew"
    assert "4 frames have another size than the first" in result.notes
    assert {mask.shape for mask in masks(tmp_path / "out" / "both.mask.mkv")} == {(48, 64)}


def test_wrong_requests(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    model = VideoPredictor(predictor)
    source = open_video(clip)
    with pytest.raises(UsageError, match=r"no output of video is named 'maks'\. Did you mean 'mask'"):
        segment_video(model, source, tmp_path, outputs=["maks"])
    with pytest.raises(UsageError, match="name at least one output"):
        segment_video(model, source, tmp_path, outputs=[])
    with pytest.raises(UsageError, match="an alpha video needs the classes that stay"):
        segment_video(model, source, tmp_path, outputs=["alpha"])
    with pytest.raises(UsageError, match="no class is named"):
        segment_video(model, source, tmp_path, outputs=["alpha"], keep=["unicorn"])
    (tmp_path / "drive.overlay.mp4").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"drive\.overlay\.mp4 exists; overwrite it"):
        segment_video(model, source, tmp_path)
    assert (tmp_path / "drive.overlay.mp4").read_bytes() == b"precious"
    segment_video(model, source, tmp_path, overwrite=True, limit=1)
    assert len(list(open_video(tmp_path / "drive.overlay.mp4"))) == 1


def test_memory_does_not_grow_with_the_clip(predictor: Predictor, tmp_path: Path) -> None:
    """Memory in use after 40 frames is that after 400, but for a few megabytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    used: dict[int, float] = {}

    def note(done: int, total: int | None) -> None:
        if done in (40, 400):
            used[done] = int(Path("/proc/self/statm").read_text().split()[1]) * page / 1e6

    path = write_clip(tmp_path / "long.mp4", [*moving_squares(40, 96, 128)] * 10, sound=True)
    segment_video(
        VideoPredictor(predictor, every=20, smooth=0.3), open_video(path), tmp_path / "out",
        outputs=("overlay", "mask"), progress=note,
    )  # fmt: skip
    assert used[400] < used[40] + 30

"""Video background: each frame with its own mask, the video's own times and sound."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")

from filmed import write_clip  # noqa: E402
from people import red_disc, red_people  # noqa: E402

from intarsia.apps.background import MEDIA, Backgrounds, background, background_output  # noqa: E402
from intarsia.apps.grounds import read_ground  # noqa: E402
from intarsia.jobs import JobOptions, JobResult, plan, run_all  # noqa: E402
from intarsia.media.frames import Frame  # noqa: E402
from intarsia.media.medium import VIDEO  # noqa: E402
from intarsia.media.video import open_video  # noqa: E402

TIMES = [0, 40, 90, 120, 170, 200, 240, 300]


def discs(count: int) -> list[np.ndarray]:
    return [red_disc(96, 160, at=(40 + 9 * index, 48), radius=24)[0] for index in range(count)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "talk.mp4", discs(8), times=TIMES, sound=True)


def run(clip: Path, out: Path, behind: str = "#00ff00", **options: object) -> JobResult:
    ground = read_ground(behind)
    planned = plan(clip, out, outputs=[background_output(ground)], media=MEDIA)
    return run_all(Backgrounds(red_people(), ground), planned, options=JobOptions(**options))  # type: ignore[arg-type]


def sound(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(float(packet.pts * packet.time_base), bytes(packet)) for packet in packets if packet.size]


def test_every_frame_has_its_own_mask_time_and_sound(clip: Path, tmp_path: Path) -> None:
    result = run(clip, tmp_path)
    assert result.exit_code == 0
    written = tmp_path / "talk.background.mp4"
    source, made = open_video(clip), open_video(written)
    before, after = list(source), list(made)
    assert [f.pts * source.time_base for f in before] == [f.pts * made.time_base for f in after]
    for index, frame in enumerate(after):
        red = frame.image[..., 0] > 128
        x = np.nonzero(red)[1].mean()
        assert abs(x - (40 + 9 * index)) < 1.5
        assert (frame.image[..., 1] > 200).mean() > 0.6 and (frame.image[..., 2] > 128).mean() < 0.02
    assert sound(clip) == sound(written)


def test_transparent_video(clip: Path, tmp_path: Path) -> None:
    assert run(clip, tmp_path, "transparent").exit_code == 0
    assert (tmp_path / "talk.background.webm").stat().st_size > 0


def test_nobody_is_said_and_nothing_written(tmp_path: Path) -> None:
    empty = write_clip(tmp_path / "empty.mp4", [np.full((48, 64, 3), (20, 20, 230), np.uint8)] * 4)
    result = run(empty, tmp_path / "out")
    assert result.exit_code == 1 and "nobody" in next(iter(result.failures.values()))
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_in_python_frames_come_one_by_one(clip: Path) -> None:
    frames = list(background(clip, behind="blur", model=red_people()))
    assert len(frames) == 8 and frames[0].shape == (96, 160, 3)


class Camera:
    """A live source: a frame whenever the one before was asked for."""

    name, width, height, count, is_live, audio = "camera:9", 160, 96, None, True, None
    time_base, rate, aspect = Fraction(1, 1000), Fraction(25), Fraction(1)
    notes = ()

    def __init__(self, frames: int) -> None:
        self._frames = frames

    def __iter__(self):  # type: ignore[no-untyped-def]
        for index, image in enumerate(discs(self._frames)):
            yield Frame(image, 40 * index, index)
            threading.Event().wait(0.02)


def live(tmp_path: Path, **options: object) -> JobResult:
    camera = Camera(10)
    filmed = replace(VIDEO, open=lambda source, preprocessing, options: camera)
    ground = read_ground("navy")
    planned = plan("camera:9", tmp_path, outputs=[background_output(ground)], media=(filmed,))
    return run_all(Backgrounds(red_people(), ground), planned, options=JobOptions(**options))  # type: ignore[arg-type]


def test_a_camera_drops_frames_and_tells_of_its_delay(tmp_path: Path) -> None:
    record = live(tmp_path).records[0]
    details = record["details"]
    assert record["status"] == "done" and details["frames"] + details["dropped"] <= 10
    assert "delay" in details["milliseconds"]

"""`intarsia segment` on video, as a user types it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")

from filmed import moving_squares, write_clip
from tiny import TinyRun

from intarsia.cli.main import main
from intarsia.media.images import write_image
from intarsia.media.video import open_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "drive.mp4", moving_squares(6))


def test_a_clip(tiny_run: TinyRun, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["segment", str(clip), "-m", str(tiny_run.run.folder), "-o", str(tmp_path)]
    assert main([*arguments, "--video-set", "every=3"]) == 0
    said = capsys.readouterr().out
    assert "6 frames in" in said and "2 key frames" in said and "drive.overlay.mp4" in said
    assert len(list(open_video(tmp_path / "drive.overlay.mp4"))) == 6
    assert main(arguments) == 2
    assert "exists already, made with schedule" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--json", "--limit", "2", "--write", "labels", "--write", "masks"]) == 0
    found = json.loads(capsys.readouterr().out)
    (record,) = found["records"]
    assert record["notes"] == []  # stopped by us, not truncated
    assert record["details"]["frames"] == 2 and sorted(record["outputs"]) == ["labels", "masks"]


def test_pictures_as_a_clip(tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index, picture in enumerate(moving_squares(3)):
        write_image(tmp_path / "walk" / f"{index}.png", picture)
    model = ["-m", str(tiny_run.run.folder), "-o", str(tmp_path / "out")]
    assert main(["segment", str(tmp_path / "walk"), *model, "--fps", "10", "--write", "labels"]) == 0
    assert (tmp_path / "out" / "walk.mask.mkv").exists()
    assert main(["segment", str(tmp_path / "walk" / "0.png"), *model, "--fps", "10"]) == 2
    assert "--fps is for folders and patterns" in capsys.readouterr().err
    assert main(["segment", str(tmp_path / "nowhere"), *model, "--fps", "10"]) == 3
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_one_bad_clip_does_not_stop_the_others(
    tiny_run: TinyRun, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    model = ["-m", str(tiny_run.run.folder), "-o", str(tmp_path / "out")]
    assert main(["segment", str(tmp_path / "bad.mp4"), str(clip), *model]) == 1
    said = capsys.readouterr()
    assert "bad.mp4: the file is truncated, corrupt or not a video" in said.err and "6 frames in" in said.out
    assert main(["segment", str(tmp_path / "bad.mp4"), *model]) == 3


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--video-set", "evry=3"], "a schedule has no option 'evry'. Did you mean 'every'"),
        (["--video-set", "every=often"], "every is a number, not 'often'"),
        (["--video-set", "every=3", "--video-set", "ratio=0.5"], "every and ratio are different schedules"),
        (["--video", "clockwrok"], "Did you mean 'clockwork'"),
        (["--write", "gif"], "no output is named 'gif'"),
        (["--tta"], "--tta is for pictures and stacks and rasters and volumes and point clouds, not for videos"),
        (["--annotations", "cvat"], "--annotations is for pictures, not for videos"),
        (["--bands", "1,2,3", "--series", "1"], "--bands is for rasters, --series is for volumes, not for videos"),
        (["--write", "polygons"], "polygons is not written of videos; of them: labels, overlay"),
        (["-o", "masks.png"], "to masks.png: those of videos are written as .mp4 or .mov or .mkv or .webm"),
        (["-o", "masks.mp4", "--write", "labels"], "labels video is written as .mkv"),
    ],
)
def test_wrong_usage(
    tiny_run: TinyRun, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    assert main(["segment", str(clip), "-m", str(tiny_run.run.folder), "-o", str(tmp_path), *extra]) == 2
    assert message in capsys.readouterr().err


def test_clouds_are_another_command(
    tiny_run: TinyRun, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tiny_run.run.folder)
    assert main(["segment", str(clip), "scan.laz", "-m", run, "-o", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert "segment scan.laz: this model is for pictures" in said
    assert "Segment videos and point clouds separately" in said
    assert not (tmp_path / "out").exists()


def test_options_of_video_need_one(tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "a.png", moving_squares(1)[0])
    assert main(["segment", str(tmp_path / "a.png"), "--limit", "3"]) == 2
    said = capsys.readouterr().err
    assert "--limit is for videos, not for pictures; a folder of frames becomes a video by --fps" in said
    assert main(["segment", str(tmp_path / "a.png"), "--write", "masks"]) == 2
    assert "masks is not written of pictures; of them: labels, overlay" in capsys.readouterr().err


def test_without_the_extra_the_message_names_it(
    tiny_run: TinyRun, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["segment", str(clip), "-m", str(tiny_run.run.folder), "-o", str(tmp_path)]) == 2
    assert "av is not installed; it comes with: pip install 'intarsia[video]'" in capsys.readouterr().err

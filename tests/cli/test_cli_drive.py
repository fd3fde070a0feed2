"""`intarsia drive` as a user meets it: displays, records, deadlines, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Cli
from PIL import Image
from roads import Course, draw_road

import intarsia
from intarsia.apps.drive import drive_render
from intarsia.bundle import Description
from intarsia.inference import Predictor
from intarsia.jobs import JobOptions, drawing, plan, run_all
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing


class Asphalt:
    """A runtime that needs no weights: what is not as bright as the sky of `roads` is road."""

    name, precision, processor = "asphalt", "exact", "any"
    in_channels, stride, align_corners, margin = 3, 1, False, 0

    def logits(self, x: Any, place: Any = None) -> Any:
        return np.stack([np.full_like(x[:, 1], 0.08), np.abs(x[:, 1] - 180 / 255)], axis=1)


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> Predictor:
    preprocessing = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    made = Predictor(Description("asphalt", {}, LabelSpace(("sky", "road")), preprocessing), runtime=Asphalt())
    monkeypatch.setattr(intarsia, "load", lambda *_, **__: made)
    return made


@pytest.fixture
def frames() -> list[np.ndarray]:
    return [draw_road(course=Course(shift=0.02 * index), dashed=False, seed=index).image for index in range(5)]


def test_a_clip_becomes_a_display_and_records(
    predictor: Predictor, frames: list[np.ndarray], tmp_path: Path, cli: Cli
) -> None:
    pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")
    from filmed import write_clip

    from intarsia.media.video import open_video

    clip = write_clip(tmp_path / "a.mp4", frames, sound=True)
    camera = tmp_path / "camera.yaml"
    camera.write_text("height: 1.3\nfocal: 600\nsize: [640, 360]\npitch: 3\n")
    assert cli("drive", clip, "-o", tmp_path / "out", "--write", "records", "--camera", camera) == 0, cli.err
    assert "milliseconds a frame" in cli.out
    shown = open_video(tmp_path / "out" / "a.drive.mp4")
    assert shown.audio is not None and [frame.pts * shown.time_base for frame in shown] == [
        frame.pts * open_video(clip).time_base for frame in open_video(clip)
    ]
    lines = [json.loads(line) for line in (tmp_path / "out" / "a.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["status"], len(line["lanes"])) for line in lines] == [
        (index, "lane", 4) for index in range(5)
    ]
    assert [lane["number"] for lane in lines[4]["lanes"]] == [lane["number"] for lane in lines[0]["lanes"]]
    assert lines[0]["position"]["cm"] == pytest.approx(0, abs=6)
    assert cli("drive", clip, "-o", tmp_path / "out", "--write", "records") == 2 and "camera" in cli.err


def test_what_comes_too_late_is_left_out(
    predictor: Predictor, frames: list[np.ndarray], tmp_path: Path, cli: Cli
) -> None:
    pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")
    from filmed import write_clip

    clip = write_clip(tmp_path / "a.mp4", frames, rate=200)
    planned = plan(clip, tmp_path / "out", outputs=[drive_render()])
    (record,) = run_all(predictor, planned, options=JobOptions(deadline=1)).records
    details = record["details"]
    assert details["frames"] + details["dropped"] == 5 and details["late"] == details["frames"] >= 1
    assert {"network", "writing", "delay", "markings", "lanes"} <= details["milliseconds"].keys()
    assert cli("drive", clip, "--deadline", "-3", "-o", tmp_path) == 2 and "deadline" in cli.err


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK", "I;16"])
def test_pictures_of_any_kind(
    predictor: Predictor, frames: list[np.ndarray], tmp_path: Path, cli: Cli, mode: str
) -> None:
    picture = Image.fromarray(frames[0])
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    file = tmp_path / ("a.tif" if mode in ("CMYK", "I;16") else "a.png")
    picture.save(file)
    record = cli.json("drive", file, "-o", tmp_path / "out")["records"][0]
    assert record["details"]["status"] == "lane"
    shown = np.asarray(Image.open(tmp_path / "out" / "a.drive.jpg").convert("RGB"))
    assert shown.shape == frames[0].shape and np.abs(shown.astype(int) - frames[0]).mean() > 3


def test_no_road_is_said_and_nothing_is_written(predictor: Predictor, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (320, 200), (180, 180, 180)).save(tmp_path / "in" / "blank.png")
    assert cli("drive", tmp_path / "in" / "blank.png", "-o", tmp_path / "out") == 1
    assert "blank.png: it shows no road" in cli.err
    assert not list((tmp_path / "out").glob("*.jpg"))
    Image.fromarray(draw_road().image).save(tmp_path / "in" / "road.png")
    assert cli("drive", tmp_path / "in", "-o", tmp_path / "out") == 1
    assert (tmp_path / "out" / "road.drive.jpg").is_file()
    Image.new("RGB", (20, 20)).save(tmp_path / "tiny.png")
    assert cli("drive", tmp_path / "tiny.png", "-o", tmp_path / "out") == 3 and "64 pixels" in cli.err


def test_a_large_picture_is_shown_reduced(
    predictor: Predictor, frames: list[np.ndarray], tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "FULL_PIXELS", 100_000)
    monkeypatch.setattr(drawing, "_REDUCED_SIDE", 250)
    Image.fromarray(frames[0]).save(tmp_path / "a.png")
    assert cli("drive", tmp_path / "a.png", "-o", tmp_path / "out") == 0, cli.err
    assert Image.open(tmp_path / "out" / "a.drive.jpg").size == (214, 120)

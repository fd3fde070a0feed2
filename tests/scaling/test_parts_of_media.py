"""Long videos and large clouds by several processes: one file, the same bytes and the same line as by one."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jobs_made import files
from parted import mortal, tiled_clouds
from slope import write_scan
from threshold import Threshold, threshold

from intarsia.jobs import JobOptions, Plan, plan, run_all
from intarsia.jobs.cutting import CUTTINGS
from intarsia.jobs.cutting.archive import write_part
from intarsia.jobs.manifest import PARTS
from intarsia.jobs.parts import Parts
from intarsia.media.images import write_image
from intarsia.media.medium import VOLUME
from intarsia.scaling import Local, run_on

av = pytest.importorskip("av", reason="needs pip install 'intarsia[video]'")
pytest.importorskip("scipy")

from filmed import moving_squares, write_clip  # noqa: E402

FRAMES = 160


def same(one: Path, two: Path) -> None:
    """Every byte but the seconds in the line."""
    assert files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)
    first, second = (json.loads((out / "manifest.jsonl").read_text()) for out in (one, two))  # of one line each
    assert first | {"seconds": 0} == second | {"seconds": 0}


def put(planned: Plan, predictor: Any, *numbers: int, workers: int = 2) -> list[Path]:
    """Compute some of a source's parts, as workers do."""
    parts = Parts(planned.folder, JobOptions())
    (task,) = planned.tasks
    pack, paths = CUTTINGS[task.medium.form].pack, []
    for part in [parts.of(predictor, task, workers)[number] for number in numbers]:
        reader = part.medium.open(part.source, predictor.preprocessing, {})
        paths.append(planned.folder / part.outputs["part"])
        write_part(paths[-1], map(pack, parts.compute(predictor, part, reader)))
    return paths


class Counting(Threshold):
    """A runtime that counts what it is asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def logits(self, x: Any, place: Any = None) -> Any:
        self.calls += 1
        return super().logits(x, place)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key frames are far apart, and pictures between them look ahead; with sound."""
    options = {"crf": "5", "g": "50", "bf": "3"}
    frames = moving_squares(FRAMES)
    return write_clip(tmp_path_factory.mktemp("clip") / "drive.mp4", frames, sound=True, options=options)


@pytest.fixture(scope="module")
def alone(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "out"
    assert run_all(threshold(), plan(clip, out, outputs=("overlay", "labels", "records"))).exit_code == 0
    return out


def test_several_processes_make_one_video(clip: Path, alone: Path, tmp_path: Path) -> None:
    planned = plan(clip, tmp_path / "out", outputs=("overlay", "labels", "records"))
    parts = Parts(planned.folder, JobOptions()).of(threshold(), planned.tasks[0], 2)
    assert [part.part for part in parts] == [(0, 51200), (51200, 102400)]
    result = run_on(Local(2), threshold(), threshold, planned)
    assert (len(result.done), result.exit_code) == (1, 0)
    same(alone, tmp_path / "out")


def test_a_part_of_a_video_whose_worker_dies_is_computed_again(clip: Path, alone: Path, tmp_path: Path) -> None:
    planned = plan(clip, tmp_path / "out", outputs=("overlay", "labels", "records"))
    (notes := tmp_path / "notes").mkdir()
    result = run_on(Local(2), threshold(), partial(mortal, "video", notes, 40), planned)
    assert (notes / "died").exists() and len(list(notes.glob("*.began"))) >= 2 and result.exit_code == 0
    same(alone, tmp_path / "out")


def test_frames_of_parts_are_not_computed_again(clip: Path, alone: Path, tmp_path: Path) -> None:
    planned = plan(clip, tmp_path / "out", outputs=("overlay", "labels", "records"))
    (path,) = put(planned, threshold(), 1)
    assert len(zipfile.ZipFile(path).namelist()) == FRAMES // 2
    counting = Counting()
    assert run_all(replaced(counting), planned).exit_code == 0
    assert counting.calls == FRAMES // 2
    same(alone, tmp_path / "out")


def test_frames_that_a_seek_gives_otherwise_are_computed(clip: Path, alone: Path, tmp_path: Path) -> None:
    planned = plan(clip, tmp_path / "out", outputs=("overlay", "labels", "records"))
    (path,) = put(planned, threshold(), 0)
    with zipfile.ZipFile(path) as part:  # as of a file whose key frames are none
        found = {name: part.read(name) for name in part.namelist()}
    with zipfile.ZipFile(path, "w") as part:
        for number, (name, labels) in enumerate(found.items()):
            part.writestr(name if number >= 5 else name.replace("/labels", "0/labels"), labels)
    counting = Counting()
    assert run_all(replaced(counting), planned).exit_code == 0
    assert counting.calls == FRAMES // 2 + 5
    same(alone, tmp_path / "out")


def replaced(runtime: Any) -> Any:
    return type(threshold())(threshold().bundle, runtime=runtime)


def test_a_folder_of_frames_is_shared(tmp_path: Path) -> None:
    for number, frame in enumerate(moving_squares(130)):
        write_image(tmp_path / "frames" / f"{number:03d}.png", frame)
    options = JobOptions(fps=25)
    planned = plan(tmp_path / "frames", tmp_path / "out", given=["fps"])
    parts = Parts(planned.folder, options).of(threshold(), planned.tasks[0], 2)
    assert [part.part for part in parts] == [(0, 65), (65, 130)]
    for limited in (replace(options, limit=100), replace(options, deadline=40.0)):
        assert Parts(planned.folder, limited).of(threshold(), planned.tasks[0], 2) == []


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    pytest.importorskip("laspy")
    return write_scan(tmp_path / "scan.las", 9_000)


@pytest.mark.usefixtures("small_clouds")
def test_several_processes_make_one_cloud(scan: Path, tmp_path: Path) -> None:
    outputs = ("labels", "top")
    assert run_all(tiled_clouds(), plan(scan, tmp_path / "alone", outputs=outputs)).exit_code == 0
    planned = plan(scan, tmp_path / "out", outputs=outputs)
    parts = Parts(planned.folder, JobOptions()).of(tiled_clouds(), planned.tasks[0], 2)
    assert [part.part for part in parts] == [(0, 4500), (4500, 9000)]
    assert run_on(Local(2), tiled_clouds(), tiled_clouds, planned).exit_code == 0
    same(tmp_path / "alone", tmp_path / "out")

    again = plan(scan, tmp_path / "again", outputs=outputs)  # one of three parts is there, and the others are computed
    put(again, tiled_clouds(), 1, workers=3)
    assert (again.folder / PARTS).is_dir()
    assert run_all(tiled_clouds(), again).exit_code == 0
    same(tmp_path / "alone", tmp_path / "again")


@pytest.mark.usefixtures("small_clouds")
def test_a_part_of_a_cloud_whose_worker_dies_is_computed_again(scan: Path, tmp_path: Path) -> None:
    assert run_all(tiled_clouds(), plan(scan, tmp_path / "alone")).exit_code == 0
    (notes := tmp_path / "notes").mkdir()
    result = run_on(
        Local(2), tiled_clouds(), partial(mortal, "cloud", notes, 3), plan(scan, tmp_path / "out")
    )  # fmt: skip
    assert (notes / "died").exists() and len(list(notes.glob("*.began"))) >= 2 and result.exit_code == 0
    same(tmp_path / "alone", tmp_path / "out")


def test_it_is_said_why_a_video_is_not_cut(clip: Path, tmp_path: Path) -> None:
    (task,), said = plan(clip, tmp_path / "out").tasks, list[str]()
    parts = Parts(tmp_path / "out", JobOptions(limit=100))
    assert parts.of(threshold(), task, 2, said.append) == []
    assert said[0].startswith(
        f"{clip} is done as a whole, by one worker: the labels of its frames depend on those before"
    )
    assert Parts(tmp_path / "out", JobOptions()).of(threshold(), replace(task, medium=VOLUME), 2, said.append) == []
    assert said[1].endswith(": volumes are not cut")

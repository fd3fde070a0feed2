"""Jobs on pictures: names, records, continuing, stopping, and what cannot be written."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs_made import files, job
from PIL import Image
from threshold import threshold

from intarsia.errors import DataError, UsageError
from intarsia.inference import Predictor
from intarsia.jobs import plan
from intarsia.models import ImageModel

MakePredictor = Callable[..., Predictor]


@pytest.fixture
def predictor(make_predictor: MakePredictor, constant: ImageModel) -> Predictor:
    return make_predictor(constant, 3)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for index, name in enumerate(("a.png", "b.jpg", "sub/a.png")):
        write(folder / name, 20 + index)
    return folder


def write(path: Path, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((10, width, 3), 100, np.uint8)).save(path)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


OUTPUTS = [
    "a.mask.png", "a.overlay.jpg", "b.mask.png", "b.overlay.jpg", "manifest.jsonl", "sub/a.mask.png",
    "sub/a.overlay.jpg",
]  # fmt: skip


def test_outputs_mirror_the_folder(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seen: list[tuple[int, int, str]] = []
    result = job(
        predictor, photos, out, finished=lambda done, total, record: seen.append((done, total, record["status"]))
    )
    assert files(out) == OUTPUTS
    assert seen == [(1, 3, "done"), (2, 3, "done"), (3, 3, "done")]
    assert result.failures == {} and result.skipped == []
    first = lines(out)[0]
    assert first["source"] == str(photos / "a.png")
    assert first["outputs"] == {"labels": "a.mask.png", "overlay": "a.overlay.jpg"} and first["size"] == [20, 10]
    assert (first["id"], first["medium"]) == ("a", "picture")
    assert (first["areas"], first["status"], first["error"]) == ({"bright": 1.0}, "done", None)
    assert lines(out) == result.records
    with Image.open(out / "sub/a.mask.png") as mask:
        assert mask.mode == "P" and np.array_equal(np.asarray(mask), np.ones((10, 22), np.uint8))
    with Image.open(out / "a.overlay.jpg") as overlay:
        assert np.asarray(overlay)[5, 5].tolist() == pytest.approx([165, 130, 50], abs=4)


def test_finished_pictures_are_skipped(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job(predictor, photos / "a.png", out)
    (out / "a.overlay.jpg").unlink()
    job(predictor, photos, out, overwrite=True)
    again = job(predictor, photos, out)
    assert again.records == [] and len(again.skipped) == 3
    write(photos / "new.png", 5)
    more = job(predictor, photos, out)
    assert [record["id"] for record in more.records] == ["new"] and len(more.skipped) == 3


def test_foreign_outputs_are_not_overwritten(
    make_predictor: MakePredictor, constant: ImageModel, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub/a.mask.png").write_text("precious")
    message = r"sub/a\.mask\.png exists already; overwrite \(--overwrite\), or name another output"
    with pytest.raises(UsageError, match=message):
        job(make_predictor(constant, 3), photos, out)
    assert files(out) == ["sub/a.mask.png"]
    job(make_predictor(constant, 3), photos, out, overwrite=True)
    assert files(out) == OUTPUTS
    with pytest.raises(
        UsageError, match=r"a\.mask\.png and 1 other file exist already, made with tta false instead of true"
    ):
        job(make_predictor(constant, 3, tta=True), photos, out)
    write(photos / "b.jpg", 40)
    with pytest.raises(UsageError, match=r"b\.mask\.png and 1 other file exist already, of a changed source"):
        job(make_predictor(constant, 3), photos, out)


def test_output_inside_the_input_is_refused(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    for out in (photos, photos / "out", photos / "sub" / ".." / "out"):
        with pytest.raises(UsageError, match=r"lies in the input .*photos, where a later run would take results"):
            job(predictor, photos, out)
    with pytest.raises(UsageError, match="lies in the input"):
        job(predictor, str(photos / "*.png"), photos)
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(UsageError, match="lies in the input"):
        job(predictor, photos, tmp_path / "link")
    with pytest.raises(UsageError, match=r"to .*b\.jpg: those of pictures are written as \.png"):
        job(predictor, photos / "a.png", photos / "b.jpg")
    assert files(photos) == ["a.png", "b.jpg", "sub/a.png"]


def test_failures_are_collected_and_tried_again(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    good = (photos / "a.png").read_bytes()
    (photos / "a.png").write_bytes(good[:40])
    (photos / "empty.png").write_bytes(b"")
    result = job(predictor, photos, out)
    assert sorted(result.failures) == [str(photos / "a.png"), str(photos / "empty.png")]
    assert all(name in reason for name, reason in result.failures.items())
    assert [name for name in files(out) if name.startswith(("a.", "empty."))] == []
    record = next(record for record in lines(out) if record["source"].endswith("photos/a.png"))
    assert (record["status"], record["outputs"], record["size"]) == ("error", {}, None)
    (photos / "a.png").write_bytes(good)
    again = job(predictor, photos, out)
    assert list(again.failures) == [str(photos / "empty.png")]
    assert len(again.skipped) == 2 and (out / "a.mask.png").exists()


def test_a_file_that_is_named_twice_is_one(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    found = plan(["a.png", "./a.png", str(photos / "a.png"), "b.jpg"], tmp_path / "out").tasks
    assert [str(task.source) for task in found] == ["a.png", "b.jpg"]


def test_names_do_not_collide(photos: Path, tmp_path: Path) -> None:
    write(photos / "a.jpg", 5)
    out = tmp_path / "out"
    assert [task.id for task in plan([photos], out).tasks] == ["a.jpg", "a.png", "b", "sub/a"]
    named = [task.outputs["labels"] for task in plan([photos, photos / "a.png"], out).tasks]
    assert named[:2] == ["a.jpg.mask.png", "a.png.mask.png"]
    with pytest.raises(UsageError, match=r"photos/a\.png and .*sub/a\.png would both be written to a\.png\.mask\.png"):
        plan([photos / "a.png", photos / "sub" / "a.png"], out)
    with pytest.raises(UsageError, match="need a folder for the results: -o OUT"):
        plan(photos)
    with pytest.raises(UsageError, match=r"one\.png is one file, and there are 4 sources: name a folder"):
        plan(photos, tmp_path / "one.png")


def test_interruption_leaves_nothing_partial_and_resumes(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # between the rows and the files
        job(predictor, photos, out, tell=interrupt)
    assert files(out) == []
    with pytest.raises(KeyboardInterrupt):
        job(predictor, photos, out, finished=interrupt)
    assert files(out) == ["a.mask.png", "a.overlay.jpg", "manifest.jsonl"]
    result = job(predictor, photos, out)
    assert len(result.skipped) == 1 and files(out) == OUTPUTS
    assert not (out / ".claims").exists()


def test_a_callable_stops_the_job(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done: list[str] = []
    result = job(
        predictor, photos, out, stop=lambda: len(done) == 1, finished=lambda n, total, record: done.append(record["id"])
    )
    assert result.stopped and result.exit_code == 130 and [record["id"] for record in result.records] == ["a"]
    asked: list[int] = []

    def in_the_middle() -> bool:
        asked.append(1)
        return len(asked) > 1

    result = job(predictor, photos, out, stop=in_the_middle)
    assert result.stopped and result.records == [] and files(out) == ["a.mask.png", "a.overlay.jpg", "manifest.jsonl"]
    result = job(predictor, photos, out)
    assert (len(result.skipped), len(result.done), result.exit_code) == (1, 2, 0)


_KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from threshold import threshold
from intarsia.jobs import Manifest, plan, run_all

Manifest.add = lambda self, record: os.kill(os.getpid(), signal.SIGKILL)
run_all(threshold(), plan(sys.argv[1], sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_job_is_taken_over(photos: Path, tmp_path: Path) -> None:
    """Killed after the outputs were written, before their line: nobody cleans up."""
    out = tmp_path / "out"
    tests = str(Path(__file__).parents[1])
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(photos), str(out), tests], env=os.environ, timeout=100)
    assert killed.returncode == -signal.SIGKILL
    claims = [claim.read_text() for claim in (out / ".claims").iterdir()]  # the next ones were read ahead
    assert sum('"outputs": ["a.mask.png", "a.overlay.jpg"]' in claim for claim in claims) == 1
    (out / ".a.mask.7.tmp.png").write_text("half")
    with (out / "manifest.jsonl").open("a") as manifest:  # another one was killed in the middle of a line
        manifest.write('{"source": "photos/a.p')
    result = job(threshold(), photos, out)
    assert len(result.done) == 3 and files(out) == OUTPUTS
    assert len(job(threshold(), photos, out).skipped) == 3


def test_a_full_disk_stops_the_job(
    predictor: Predictor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def full(path: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("intarsia.files.sync", full)
        with pytest.raises(DataError, match=r"cannot write .*a\.mask\.png: the disk is full; free some space"):
            job(predictor, photos, out)
    assert files(out) == []
    assert job(predictor, photos, out).failures == {}


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
def test_an_output_that_cannot_be_written_leaves_no_other(predictor: Predictor, tmp_path: Path) -> None:
    import resource

    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    out = tmp_path / "out"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # enough for the mask, not for the overlay
        result = job(predictor, tmp_path / "noise.png", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (reason,) = result.failures.values()
    assert reason.startswith("cannot write") and "noise.overlay.jpg: the file is larger than this system" in reason
    assert files(out) == ["manifest.jsonl"]
    assert job(predictor, tmp_path / "noise.png", out).failures == {}


def test_a_forged_note_deletes_nothing_outside(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job(predictor, photos, out)
    (out / ".claims").mkdir()
    from intarsia.jobs.manifest import digest

    for task in plan(photos, out).tasks:
        note = {"outputs": ["../photos/a.png", "sub", str(photos / "b.jpg")]}
        (out / ".claims" / f"{digest(task.id)}.json").write_text(json.dumps(note))
    (out / "manifest.jsonl").unlink()
    assert len(job(predictor, photos, out).done) == 3
    assert (photos / "a.png").exists() and (photos / "b.jpg").exists() and files(out) == OUTPUTS


def test_large_overlays_are_reduced(
    predictor: Predictor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intarsia.jobs.drawing.FULL_PIXELS", 1000)
    monkeypatch.setattr("intarsia.jobs.drawing._REDUCED_SIDE", 40)
    monkeypatch.setattr("intarsia.runtimes.upsampling._BAND_PIXELS", 90 * 4)  # bands of four rows
    image = np.zeros((50, 90, 3), np.uint8)
    image[25:] = 200
    Image.fromarray(image).save(photos / "large.png")
    out = tmp_path / "out"
    job(predictor, photos / "large.png", out)
    with Image.open(out / "large.mask.png") as mask, Image.open(out / "large.overlay.jpg") as overlay:
        assert mask.size == (90, 50)
        assert overlay.size == (30, 17)
        rows = np.asarray(overlay).astype(int)[:, 15, 2]
    assert rows[2] < 10 and rows[14] == pytest.approx(100, abs=6)

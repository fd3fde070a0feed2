"""The manifest under full disks, torn lines and names that are no text."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jobs_made import files, job
from PIL import Image

from intarsia.cli.main import main
from intarsia.errors import DataError, UsageError
from intarsia.inference import Predictor
from intarsia.jobs import JobOptions, Manifest, log, plan, run_all
from intarsia.models import ImageModel


@pytest.fixture
def predictor(make_predictor: Callable[..., Predictor], constant: ImageModel) -> Predictor:
    return make_predictor(constant, 3)


def pictures(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        Image.fromarray(np.full((6, 9, 3), 90, np.uint8)).save(folder / name)
    return folder


def test_a_disk_that_is_full_at_the_line_leaves_nothing_of_the_task(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = pictures(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    append = log._append
    calls: list[bytes] = []

    def full(stream: object, line: bytes, end: int) -> None:
        calls.append(line)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(stream, line, end)

    monkeypatch.setattr(log, "_append", full)
    with pytest.raises(DataError, match=r"manifest\.jsonl: the disk is full; .* run the job again"):
        job(predictor, photos, out)
    assert files(out) == ["a.mask.png", "a.overlay.jpg", "manifest.jsonl"]
    again = job(predictor, photos, out)
    assert (len(again.done), len(again.skipped)) == (1, 1)


def test_a_line_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    class Narrow:
        """A disk that takes five bytes more."""

        def __init__(self) -> None:
            self.kept = b"earlier\n"

        def write(self, line: memoryview) -> int:
            if len(self.kept) > 8:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.kept += bytes(line[:5])
            return 5

        def truncate(self, end: int) -> None:
            self.kept = self.kept[:end]

    disk = Narrow()
    with pytest.raises(OSError, match="No space left"):
        log._append(disk, b'{"id": "a"}\n', 8)  # type: ignore[arg-type]
    assert disk.kept == b"earlier\n"


def test_what_a_torn_line_tells_of_is_done_again(predictor: Predictor, tmp_path: Path) -> None:
    photos, out = pictures(tmp_path / "in", "a.png", 'b "c".png'), tmp_path / "out"
    job(predictor, photos, out)
    lines = out / "manifest.jsonl"
    lines.write_bytes(lines.read_bytes()[:-300])
    again = job(predictor, photos, out)
    assert [record["id"] for record in again.done] == ['b "c"'] and len(again.skipped) == 1
    assert len(job(predictor, photos, out).skipped) == 2
    with pytest.raises(UsageError, match="exist already"):  # what was torn once is as well kept as the rest
        job(predictor, photos / 'b "c".png', out, keep=("dark",))


@pytest.mark.parametrize("name", ["line\u2028.png", "next\u0085.png", "tab\t.png", "new\nline.png", "ümlaut.png"])
def test_any_name_is_continued(name: str, predictor: Predictor, tmp_path: Path) -> None:
    photos, out = pictures(tmp_path / "in", name, "z.png"), tmp_path / "out"
    assert len(job(predictor, photos, out).done) == 2
    assert len(job(predictor, photos, out).skipped) == 2
    assert len((out / "manifest.jsonl").read_bytes().split(b"\n")) == 3


def test_a_name_that_is_no_text(
    predictor: Predictor, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    photos, out = tmp_path / "in", tmp_path / "out"
    name = os.fsdecode(b"bad\xff.png")
    try:
        pictures(photos, name, "z.png")
    except OSError:
        pytest.skip("this file system has no such names")
    assert len(job(predictor, photos, out).records) == 2
    records = [json.loads(line) for line in (out / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["id"] for record in records] == [name.removesuffix(".png"), "z"]
    assert len(job(predictor, photos, out).skipped) == len([record for record in records if record["status"] == "done"])
    assert main(["segment", str(photos), "-m", "kmeans", "-o", str(tmp_path / "other"), "--json"]) in (0, 1)
    assert json.loads(capsysbinary.readouterr().out)["records"][0]["id"] == name.removesuffix(".png")


def test_a_job_that_cannot_begin_leaves_no_folder(predictor: Predictor, tmp_path: Path) -> None:
    photos = pictures(tmp_path / "in", "a.png")
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match=r"no option 'evry'\. Did you mean 'every'"):
        run_all(predictor, plan(tmp_path / "a.mp4", tmp_path / "out"), options=JobOptions(schedule={"evry": 3}))
    with pytest.raises(UsageError, match="for folders and patterns of pictures"):
        job(predictor, photos / "a.png", tmp_path / "out", fps=15)
    with pytest.raises(UsageError, match="fps is a positive number, not 0"):
        JobOptions(fps=0)
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=r"cannot write into .*file/x"):
        job(predictor, photos, tmp_path / "file" / "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="for folders and patterns of pictures"):
        job(predictor, photos / "a.png", tmp_path / "empty", fps=15)
    assert (tmp_path / "empty").is_dir(), "a folder that was there stays"


def test_one_file_of_a_wrong_kind(predictor: Predictor, tmp_path: Path) -> None:
    photos = pictures(tmp_path / "in", "a.png")
    for name in ("o.webp", "o.jpg", "o.mp4"):
        with pytest.raises(UsageError, match=r"those of pictures are written as \.png"):
            plan(photos / "a.png", tmp_path / name)
    assert Manifest(tmp_path / "nowhere").find(plan(photos, tmp_path / "nowhere").tasks[0]) is None


@pytest.mark.parametrize("nothing", [None, 5])
def test_nothing_to_segment(nothing: object, predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="give a path"):
        predictor.segment(nothing)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "a\x01.png", "source": "x',
        '{"status": 5}',
        '{"id": "a.png", "status": "done", "outputs": ["a.mask.png"]}',
        '{"id": "a.png", "status": "done", "outputs": {"labels": "a.mask.png"}, "runtime": "fast"}',
        '{"id": ["a.png"], "status": "done", "outputs": {}}',
    ],
)
def test_a_damaged_line_is_as_if_it_were_not_there(line: str, predictor: Predictor, tmp_path: Path) -> None:
    photos, out = pictures(tmp_path / "in", "a.png"), tmp_path / "out"
    out.mkdir()
    (out / "manifest.jsonl").write_text(line + "\n")
    assert len(job(predictor, photos, out).done) == 1
    assert len(job(predictor, photos, out).skipped) == 1

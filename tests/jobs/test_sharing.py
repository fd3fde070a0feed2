"""Several workers in one folder: tasks are shared out, nothing is written twice, and what dead ones left is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs_made import files, job
from PIL import Image

from intarsia.errors import UsageError
from intarsia.inference import Predictor
from intarsia.jobs import Manifest, plan
from intarsia.models import ImageModel

MakePredictor = Callable[..., Predictor]


@pytest.fixture
def predictor(make_predictor: MakePredictor, constant: ImageModel) -> Predictor:
    return make_predictor(constant, 3)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for index in range(12):
        Image.fromarray(np.full((10, 20, 3), 20 * index, np.uint8)).save(tmp_path / "photos" / f"{index:02d}.png")
    return tmp_path / "photos"


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


_WORKER = """
import sys
sys.path.insert(0, sys.argv[3])
from threshold import threshold
from intarsia.jobs import plan, run_all

print("ready", flush=True)
sys.stdin.readline()
result = run_all(threshold(), plan(sys.argv[1], sys.argv[2]))
print(len(result.done), len(result.skipped), len(result.busy))
"""


def test_processes_share_the_tasks_out(photos: Path, tmp_path: Path) -> None:
    out, tests = tmp_path / "out", str(Path(__file__).parents[1])
    command = [sys.executable, "-c", _WORKER, str(photos), str(out), tests]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    for worker in workers:  # both at once
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    counts = [tuple(map(int, worker.communicate(timeout=60)[0].split())) for worker in workers]
    assert sum(done for done, _, _ in counts) == 12
    assert all(sum(one) == 12 for one in counts)
    assert sorted(line["id"] for line in lines(out)) == [f"{index:02d}" for index in range(12)]
    assert len(files(out)) == 25 and not (out / ".claims").exists()


def test_what_another_worker_is_at_is_left_to_it(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tasks = plan(photos, out).tasks
    other = Manifest(out)
    with other.claim(tasks[3]) as free:
        assert free
        (out / "03.mask.png").write_text("half")  # what it has written so far is no stranger's
        with Manifest(out).claim(tasks[3]) as also:
            assert not also
        result = job(predictor, photos, out)
        assert result.busy == [str(photos / "03.png")] and len(result.done) == 11 and result.exit_code == 0
    (out / "03.mask.png").unlink()
    assert len(job(predictor, photos, out).done) == 1


def test_what_another_worker_did_meanwhile_is_skipped(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    raced: list[int] = []

    def race(done: int, total: int, record: dict) -> None:
        if not raced:
            raced.append(len(job(predictor, [photos / "05.png", photos / "06.png"], out).done))

    result = job(predictor, photos, out, finished=race)
    assert raced == [2] and len(result.done) == 10 and len(result.skipped) == 2
    assert len(lines(out)) == 12


def test_what_another_worker_ends_while_one_looks_is_skipped(
    predictor: Predictor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outputs were not there at the first look, and at the second its claim is gone already."""
    out = tmp_path / "out"
    job(predictor, photos, out)
    looks = {f"{index:02d}": iter((False,)) for index in range(12)}
    is_there = Manifest.is_there
    monkeypatch.setattr(Manifest, "is_there", lambda self, task: next(looks[task.id], True) and is_there(self, task))
    assert len(job(predictor, photos, out).skipped) == 12


def test_threads_share_too(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(len(job(predictor, photos, tmp_path / "out").done)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 12 and len(lines(tmp_path / "out")) == 12


class Rounded:
    """A runtime that says it computes in another precision."""

    def __init__(self, runtime: object, precision: str) -> None:
        self._runtime, self.precision = runtime, precision

    def __getattr__(self, name: str) -> object:
        return getattr(self._runtime, name)


def test_a_job_keeps_the_precision_that_it_was_begun_in(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rounded = Predictor(predictor.bundle, runtime=Rounded(predictor.runtime, "bf16"))  # type: ignore[arg-type]
    job(rounded, photos / "00.png", out)
    assert lines(out)[0]["runtime"] == rounded.identity().runtime and lines(out)[0]["runtime"]["precision"] == "bf16"
    with pytest.raises(UsageError, match="made with precision bf16 instead of fp32"):
        job(predictor, photos, out)  # which was asked for by name

    class Free(Predictor):
        """Its precision was left open; a stopwatch chose fp32 today."""

        is_free = True

        def at(self, runtime: Mapping[str, Any]) -> Predictor:
            return Predictor(self.bundle, runtime=Rounded(self.runtime, runtime["precision"]))  # type: ignore[arg-type]

    free = Free(predictor.bundle, runtime=predictor.runtime)
    result = job(free, photos, out)
    assert len(result.skipped) == 1 and {line["runtime"]["precision"] for line in lines(out)} == {"bf16"}


def test_lines_of_earlier_versions_are_understood(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    """As 0.1.0 wrote them: outputs one by one, one checksum of model and settings, no runtime."""
    out = tmp_path / "out"
    job(predictor, photos, out)
    old = [
        {
            "source": line["source"], "mask": line["outputs"]["labels"], "overlay": line["outputs"]["overlay"],
            "size": line["size"], "areas": line["areas"], "status": "done", "error": None, "seconds": 0.1,
            "model": predictor.identity().earlier(), "input": line["input"],
        }
        for line in lines(out)
    ]  # fmt: skip
    (out / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    assert len(job(predictor, photos, out).skipped) == 12
    old[4]["model"] = "0" * 64
    (out / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    with pytest.raises(UsageError, match=r"04\.mask\.png .* made with the model or its settings"):
        job(predictor, photos, out)

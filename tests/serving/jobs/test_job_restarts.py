"""A server that is killed outright, and the next one: what is half written goes, what is whole stays, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from filmed import moving_squares, write_clip
from starlette.testclient import TestClient

from intarsia.serving.app import create_app
from intarsia.serving.jobs import Jobs, Kind, Outcome, Work
from intarsia.serving.settings import Settings

FRAMES = 400


@contextmanager
def serving(model: str, state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command itself, in a process of its own, and its address."""
    command = [sys.executable, "-m", "intarsia", "serve", "-m", model, "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1].rstrip("/")
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def ask(address: str, data: bytes | None = None) -> Any:
    """Ask a server that may still be about to listen."""
    for _ in range(600):
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(address, data) as answer:
            return json.load(answer)
        time.sleep(0.05)
    raise AssertionError(f"{address} does not answer")


def test_a_video_that_was_half_written_is_made_anew(settings: Settings, tmp_path: Path) -> None:
    clip, state = write_clip(tmp_path / "clip.mp4", moving_squares(FRAMES)), tmp_path / "state"
    with serving(settings.models[0], state) as (process, address):
        query = "model=bright&write=labels&write=records&name=clip.mp4"
        job = ask(f"{address}/v1/jobs?{query}", clip.read_bytes())["id"]
        while ask(f"{address}/v1/jobs/{job}")["done"] == 0:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    folder = state / "jobs" / job
    assert json.loads((folder / "job.json").read_text())["state"] == "running"  # the kill came in time
    assert list((folder / "out").glob(".clip*tmp*")) and (folder / "out" / ".claims").is_dir()
    assert not (folder / "out" / "clip.mask.mkv").exists()
    with TestClient(create_app(settings.model_copy(update={"state": state}))) as client:
        client.get(f"/v1/jobs/{job}/events")  # to its end
        over = client.get(f"/v1/jobs/{job}").json()
        lines = client.get(f"/v1/jobs/{job}/results/clip.jsonl").text.splitlines()
    assert (over["state"], over["done"], over["error"]) == ("done", FRAMES, None)
    assert [json.loads(line)["frame"] for line in lines] == list(range(FRAMES))
    records = (folder / "out" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in records] == ["done"]
    assert not list((folder / "out").rglob(".*"))


def begun(own: Settings, job: str, **more: Any) -> None:
    """Leave a job as a server does that is killed."""
    path = own.state / "jobs" / job / "job.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "running", "ended": None} | more))


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"state": tmp_path / "state"})


def run(own: Settings, work: Any, job: str | None = None) -> tuple[str, dict[str, Any]]:
    """Serve until a job of the kind "long" is over; as it is told then."""
    app = create_app(own)
    jobs: Jobs = app.state.jobs
    jobs.kinds["long"] = Kind("long", "takes long", work)
    with TestClient(app) as client:
        found = jobs.submit("long", {}).id if job is None else job
        client.get(f"/v1/jobs/{found}/events")
        return found, client.get(f"/v1/jobs/{found}").json()


@pytest.mark.parametrize(("kept", "starts"), [(True, 1), (False, 3)])
def test_what_gets_on_is_not_given_up(own: Settings, kept: bool, starts: int) -> None:
    seen: list[int] = []

    def work(work: Work) -> Outcome:
        work.tell("progress", {"what": "working", "done": 1, "total": 2, "kept": kept})
        seen.append(json.loads((work.folder.path / "job.json").read_text())["starts"])
        return Outcome()

    job, _ = run(own, work)
    begun(own, job, starts=2)
    run(own, work, job)
    assert seen == [1, starts]


def test_what_was_cancelled_before_a_kill_is_not_begun_again(own: Settings) -> None:
    runs: list[Work] = []

    def work(work: Work) -> Outcome:
        runs.append(work)
        return Outcome()

    job, _ = run(own, work)
    begun(own, job, leaving=True)
    _, over = run(own, work, job)
    assert (over["state"], over["exit_code"], len(runs)) == ("cancelled", 130, 1)


def test_of_what_is_given_up_the_finished_part_stays(own: Settings) -> None:
    def work(work: Work) -> Outcome:
        work.folder.out.mkdir()
        record = {"id": "a", "source": "a.png", "status": "done", "outputs": {"labels": "a.mask.png"}}
        (work.folder.out / "manifest.jsonl").write_text(json.dumps(record) + "\n")
        (work.folder.out / "a.mask.png").write_bytes(b"mask")
        return Outcome()

    job, _ = run(own, work)
    out = own.state / "jobs" / job / "out"
    (out / ".b.mask.1.tmp.png").write_bytes(b"half")
    begun(own, job, starts=3)
    _, over = run(own, work, job)
    assert (over["state"], [one["name"] for one in over["outputs"]]) == ("failed", ["a.mask.png"])
    assert "3 times" in over["error"]
    assert sorted(path.name for path in out.iterdir()) == ["a.mask.png", "manifest.jsonl"]

"""A server that is killed in the middle of a job, and the next one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

COUNT, DONE = 6, 3
SCRIPT = """
import sys, threading
from dataclasses import replace
from pathlib import Path
from starlette.testclient import TestClient
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

model, state, *photos = sys.argv[1:]
app = create_app(Settings(models=(model,), state=Path(state)))
kind = app.state.jobs.kinds["segment"]

def run(work):
    def tell(what, value):
        work.tell(what, value)
        if value["done"] == {done}:
            print("half", flush=True)
            threading.Event().wait()

    return kind.run(replace(work, tell=tell))

app.state.jobs.kinds["segment"] = replace(kind, run=run)
with TestClient(app) as client:
    files = [("files", (Path(photo).name, Path(photo).read_bytes())) for photo in photos]
    print(client.post("/v1/jobs?model=bright&write=labels", files=files).json()["id"], flush=True)
    threading.Event().wait()
"""


def test_a_killed_server_loses_nothing_and_does_nothing_twice(settings: Settings, tmp_path: Path) -> None:
    photos = []
    for index in range(COUNT):
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[:, 10 * index :] = 255
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        photos.append(str(tmp_path / f"{index}.png"))
    state = tmp_path / "state"
    command = [sys.executable, "-c", SCRIPT.replace("{done}", str(DONE)), settings.models[0], str(state), *photos]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = {process.stdout.readline().strip() for _ in range(2)}
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and "half" in said
    (job,) = said - {"half"}
    folder = state / "jobs" / job
    assert json.loads((folder / "job.json").read_text())["state"] == "running"
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "out").glob("*.mask.png")}
    lines = (folder / "out" / "manifest.jsonl").read_text().splitlines()
    assert len(lines) == DONE
    with TestClient(create_app(settings.model_copy(update={"state": state}))) as client:
        client.get(f"/v1/jobs/{job}/events")  # to its end
        over = client.get(f"/v1/jobs/{job}").json()
        assert (over["state"], over["done"], over["error"]) == ("done", COUNT, None)
        assert [one["name"] for one in over["outputs"]] == [f"{index}.mask.png" for index in range(COUNT)]
        for index in range(COUNT):
            mask = client.get(f"/v1/jobs/{job}/results/{index}.mask.png").content
            assert np.asarray(Image.open(io.BytesIO(mask)))[0].sum() == 60 - 10 * index
    for line in lines:
        name = json.loads(line)["outputs"]["labels"]
        assert (folder / "out" / name).stat().st_mtime_ns == before[name]
    assert not list((folder / "out").glob(".*.tmp*"))

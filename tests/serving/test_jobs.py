"""Jobs: what is sent becomes results, once, whatever happens to the server meanwhile."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filmed import moving_squares, write_clip
from loops import finish
from PIL import Image
from pydantic import SecretStr
from starlette.requests import Request
from starlette.testclient import TestClient

from intarsia.serving.app import create_app
from intarsia.serving.jobs import Job, Jobs, Kind, Outcome, Work, receiving, runner
from intarsia.serving.jobs.store import Folder
from intarsia.serving.problems import Problem
from intarsia.serving.settings import Settings


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a state folder of the test's own."""
    return settings.model_copy(update={"state": tmp_path / "state"})


@pytest.fixture
def server(own: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(own)) as client:
        yield client


def jobs_of(client: TestClient) -> Jobs:
    found: Jobs = client.app.state.jobs  # type: ignore[attr-defined]
    return found


def follow(client: TestClient, job: str, headers: dict[str, str] | None = None) -> list[tuple[str, str, Any]]:
    """All events of a job, to its end: name, id, data."""
    with client.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as found:
        assert found.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(found.iter_text()).split("\n\n")
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks if block.startswith("event")]
    return [(one["event"], one["id"], json.loads(one["data"])) for one in events]


def ended(client: TestClient, job: str) -> dict[str, Any]:
    """The job when it is over."""
    found: dict[str, Any] = follow(client, job)[-1][2]
    return found


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pictures_of_a_form_become_masks(server: TestClient, jpeg: bytes, own: Settings) -> None:
    sent = [("files", ("a.jpg", jpeg, "image/jpeg")), ("files", ("a.jpg", jpeg, "image/jpeg"))]
    begun = server.post("/v1/jobs?model=bright&write=labels", files=sent)
    assert begun.status_code == 202
    job = begun.json()
    assert begun.headers["location"] == f"/v1/jobs/{job['id']}"
    assert job["kind"] == "segment" and job["state"] in ("queued", "running") and job["outputs"] == []
    over = ended(server, job["id"])
    assert (over["state"], over["exit_code"], over["done"], over["total"], over["error"]) == ("done", 0, 2, 2, None)
    assert [one["name"] for one in over["outputs"]] == ["a-2.mask.png", "a.mask.png"]
    mask = server.get(f"/v1/jobs/{job['id']}/results/a.mask.png")
    assert mask.headers["content-type"] == "image/png" and len(mask.content) == over["outputs"][1]["bytes"]
    labels = np.asarray(Image.open(io.BytesIO(mask.content)))
    assert set(labels[:, :20].ravel()) == {0} and set(labels[:, 30:].ravel()) == {1}
    assert mask.content == server.post("/v1/segment?model=bright", content=jpeg).content
    assert server.get(f"/v1/jobs/{job['id']}").json() == over
    assert [one["id"] for one in server.get("/v1/jobs").json()["jobs"]] == [job["id"]]


def test_a_folder_in_an_archive_keeps_its_names_and_says_what_failed(server: TestClient, jpeg: bytes) -> None:
    sent = zip_of({"east/a.jpg": jpeg, "west/a.jpg": jpeg, "west/b.jpg": b"no picture", "notes.txt": b"hello"})
    job = server.post("/v1/jobs?model=bright&write=labels&annotations=coco&name=trip.zip", content=sent).json()
    over = ended(server, job["id"])
    assert (over["state"], over["exit_code"]) == ("done", 1)
    assert over["error"].startswith("1 of 3 sources failed: ") and "trip.zip/west/b.jpg" in over["error"]
    names = [one["name"] for one in over["outputs"]]
    assert names == ["east/a.mask.png", "west/a.mask.png", "coco.json"]
    packed = zipfile.ZipFile(io.BytesIO(server.get(f"/v1/jobs/{job['id']}/results.zip").content))
    assert packed.namelist() == names and packed.testzip() is None
    for name in names:
        assert packed.read(name) == server.get(f"/v1/jobs/{job['id']}/results/{name}").content
    lines = server.get(f"/v1/jobs/{job['id']}/records").text.splitlines()
    assert [json.loads(line)["source"] for line in lines] == [
        "trip.zip/east/a.jpg", "trip.zip/west/a.jpg", "trip.zip/west/b.jpg",
    ]  # fmt: skip


def test_a_video_is_a_raw_body(server: TestClient, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", moving_squares(6))
    found = server.post(
        "/v1/jobs?model=bright&write=records&write=labels&limit=4&name=clip.mp4", content=clip.read_bytes()
    )
    over = ended(server, found.json()["id"])
    assert over["state"] == "done", over
    assert {one["name"] for one in over["outputs"]} == {"clip.jsonl", "clip.mask.mkv"}
    lines = server.get(f"/v1/jobs/{over['id']}/results/clip.jsonl").text.splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2, 3]


def test_pictures_in_an_archive_become_a_video(server: TestClient) -> None:
    frames = {}
    for index, frame in enumerate(moving_squares(5)):
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "PNG")
        frames[f"{index}.png"] = file.getvalue()
    job = server.post("/v1/jobs?model=bright&fps=5&name=walk.zip", content=zip_of(frames)).json()
    over = ended(server, job["id"])
    assert [one["name"] for one in over["outputs"]] == ["walk.overlay.mp4"], over


def test_a_use_is_a_kind_and_no_text_is_a_path(server: TestClient, jpeg: bytes, tmp_path: Path) -> None:
    (tmp_path / "beach.png").write_bytes(jpeg)
    files = {"files": ("a.jpg", jpeg, "image/jpeg")}
    found = server.post("/v1/jobs", params={"kind": "portrait", "background": f"{tmp_path}/beach.png"}, files=files)
    assert found.status_code == 422 and "beach.png" in found.json()["detail"]
    both = files | {"background": ("beach.png", jpeg, "image/png")}
    over = ended(server, server.post("/v1/jobs?kind=portrait", files=both).json()["id"])
    assert (over["state"], over["exit_code"], over["outputs"]) == ("failed", 1, [])
    assert "nobody" in over["error"] and "/" not in over["error"]


def test_what_cannot_be_done_is_refused_at_once(server: TestClient, jpeg: bytes, own: Settings) -> None:
    files = {"files": ("a.jpg", jpeg, "image/jpeg")}
    cases = [
        (server.post("/v1/jobs?kind=segmnt", files=files), 422, "'segment'"),
        (server.post("/v1/jobs?model=brigt", files=files), 404, "'bright'"),
        (server.post("/v1/jobs?model=bright&fastness=3", files=files), 422, "fastness"),
        (server.post("/v1/jobs?model=bright&codes=a%3D1", files=files), 422, "codes is for point clouds"),
        (server.post("/v1/jobs?model=bright&write=confidnce", files=files), 422, "confidence"),
        (server.post("/v1/jobs?model=bright&limit=2", files=files), 422, "limit is for videos"),
        (server.post("/v1/jobs?model=bright&things=car", files=files), 422, "things belongs to instances"),
        (server.post("/v1/jobs?kind=drive&limit=0", files=files), 422, "limit"),
        (server.post("/v1/jobs?model=bright"), 422, "curl"),
        (server.post("/v1/jobs?model=bright", data={"kind": "drive"}, files=files), 422, "query"),
        (server.post("/v1/jobs?model=bright", files={"photo": ("a.jpg", jpeg)}), 422, "'photo'"),
        (server.post("/v1/jobs?model=bright&name=a.h5", content=b"\x89HDF\r\n\x1a\n"), 400, "HDF5"),
        (server.post("/v1/jobs?name=a.zip", content=zip_of({"readme.md": b"nothing"})), 400, "a.zip"),
        (server.post("/v1/jobs?name=a.zip", content=zip_of({"a.jpg": jpeg})[:-30]), 400, "damaged"),
        (server.post("/v1/jobs", headers={"Idempotency-Key": "a b"}, files=files), 422, "Idempotency-Key"),
        (server.get("/v1/jobs/" + "0" * 32), 404, "no such job"),
        (server.get("/v1/jobs/..%2f..%2fetc"), 404, ""),
    ]
    for found, status, said in cases:
        assert found.status_code == status, found.text
        assert said in found.json()["detail"] and str(own.state) not in found.text
        assert found.headers["content-type"] == "application/problem+json"
    assert files_below(own.state / "jobs") == ["lock"]


@pytest.mark.parametrize("name", ["../../up.jpg", "/etc/up.jpg", "a/../../../up.jpg", "C:\\up.jpg"])
def test_archives_lead_nowhere(server: TestClient, jpeg: bytes, own: Settings, name: str) -> None:
    found = server.post("/v1/jobs?model=bright&name=a.zip", content=zip_of({name: jpeg}))
    assert found.status_code == 400 and "outside" in found.json()["detail"], found.text
    assert files_below(own.state / "jobs") == ["lock"]
    assert not list(own.state.parent.glob("up.jpg"))


def test_bombs_are_told_by_the_archives_directory(server: TestClient, own: Settings) -> None:
    bomb = zip_of({"a.bmp": bytes(200 << 20)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    found = server.post("/v1/jobs?model=bright&name=a.zip", content=bomb)
    assert found.status_code == 400 and "bomb" in found.json()["detail"]
    assert files_below(own.state / "jobs") == ["lock"]


def test_bodies_of_jobs_have_a_limit_of_their_own(own: Settings, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    tight = own.model_copy(update={"max_bytes": 100, "max_job_bytes": 10_000})
    with TestClient(create_app(tight)) as client:
        files = {"files": ("a.jpg", jpeg, "image/jpeg")}
        assert client.post("/v1/segment", files={"file": ("a.jpg", jpeg, "image/jpeg")}).status_code == 413
        assert client.post("/v1/jobs?model=bright", files=files).status_code == 202
        found = client.post("/v1/jobs?model=bright&name=a.jpg", content=(bytes(3000) for _ in range(5)))
        assert found.status_code == 413 and "--max-job-bytes" in found.json()["detail"]
        monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": (256 << 20) + 5_000})())
        found = client.post("/v1/jobs?model=bright&name=a.jpg", content=bytes(6000))
        assert found.status_code == 507 and "no room" in found.json()["detail"]
        assert len([path for path in (tight.state / "jobs").iterdir() if path.is_dir()]) == 1


def test_a_form_without_an_end_is_none(server: TestClient, own: Settings) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nhello'
    found = server.post("/v1/jobs", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert found.status_code == 400 and "its end is missing" in found.json()["detail"]
    assert files_below(own.state / "jobs") == ["lock"]


def test_names_of_uploads_stay_in_the_folder(server: TestClient, jpeg: bytes, own: Settings) -> None:
    names = ["../../../up.jpg", "/etc/up.jpg", ".hidden.jpg", "[1]*?.jpg", "camera:0.jpg", "UP.jpg"]
    sent = [("files", (name, jpeg, "image/jpeg")) for name in names]
    job = server.post("/v1/jobs?model=bright&write=labels", files=sent).json()["id"]
    assert files_below(own.state / "jobs" / job / "input") == [
        "UP-3.jpg", "[1].jpg", "camera0.jpg", "hidden.jpg", "up-2.jpg", "up.jpg",
    ]  # fmt: skip
    assert ended(server, job)["done"] == 6


def test_the_same_key_gets_the_same_job(server: TestClient, jpeg: bytes, own: Settings) -> None:
    def post(query: str, content: bytes) -> Any:
        files = {"files": ("a.jpg", content, "image/jpeg")}
        return server.post(f"/v1/jobs?{query}", files=files, headers={"Idempotency-Key": "once"})

    first = post("model=bright&write=labels", jpeg)
    ended(server, first.json()["id"])
    again = post("write=labels&model=bright", jpeg)
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (202, first.json()["id"], "done")
    for other in (post("model=bright&write=overlay", jpeg), post("model=bright&write=labels", jpeg + b"x")):
        assert other.status_code == 422 and "Idempotency-Key" in other.json()["detail"]
    assert len(server.get("/v1/jobs").json()["jobs"]) == 1
    assert len([path for path in (own.state / "jobs").iterdir() if path.is_dir()]) == 1


def test_a_key_is_needed_where_one_is_set(own: Settings) -> None:
    with TestClient(create_app(own.model_copy(update={"api_key": SecretStr("sesame")}))) as client:
        for path in ("/v1/jobs", "/v1/jobs/kinds", f"/v1/jobs/{'0' * 32}/events"):
            assert client.get(path).status_code == 401


def test_kinds_tell_their_options(server: TestClient) -> None:
    kinds = {kind["name"]: kind for kind in server.get("/v1/jobs/kinds").json()["kinds"]}
    assert list(kinds) == ["segment", "portrait", "background", "makeup", "tryon", "handwriting", "drive", "search"]
    assert "behind" in kinds["background"]["options"] and kinds["tryon"]["files"] == ["files", "texture", "from"]


class Held:
    """A kind of job that waits to be let go, and writes down what it is asked."""

    def __init__(self) -> None:
        self.started, self.go = threading.Event(), threading.Event()
        self.runs: list[dict[str, Any]] = []
        self.then: Callable[[Work], Outcome] = lambda work: Outcome()

    def kind(self) -> Kind:
        return Kind("held", "waits", self.run)

    def run(self, work: Work) -> Outcome:
        self.runs.append(dict(work.spec))
        self.started.set()
        while not self.go.wait(0.01):
            if work.stop():
                return Outcome(130)
        return self.then(work)


def held(client: TestClient) -> Held:
    found = Held()
    jobs_of(client).kinds["held"] = found.kind()
    return found


def test_a_job_that_runs_is_cancelled_and_one_that_is_over_goes(server: TestClient, own: Settings) -> None:
    work = held(server)
    running, waiting = (jobs_of(server).submit("held", {"number": number}) for number in (1, 2))
    assert work.started.wait(30)
    assert server.delete(f"/v1/jobs/{waiting.id}").json()["state"] == "cancelled"
    assert server.delete(f"/v1/jobs/{running.id}").status_code == 202
    over = ended(server, running.id)
    assert (over["state"], over["exit_code"]) == ("cancelled", 130)
    assert server.delete(f"/v1/jobs/{running.id}").status_code == 204
    assert server.get(f"/v1/jobs/{running.id}").status_code == 404
    assert not (own.state / "jobs" / running.id).exists()
    assert work.runs == [{"number": 1}]


def test_what_is_cancelled_is_stopping_until_its_step_ends(server: TestClient) -> None:
    work, begun, over = held(server), threading.Event(), threading.Event()

    def step(work: Work) -> Outcome:
        begun.set()
        assert over.wait(30)
        return Outcome(130) if work.stop() else Outcome()

    work.then = step
    work.go.set()
    job = jobs_of(server).submit("held", {}).id
    assert begun.wait(30)
    assert server.get(f"/v1/jobs/{job}").json()["state"] == "running"
    answer = server.delete(f"/v1/jobs/{job}")
    assert (answer.status_code, answer.json()["state"]) == (202, "stopping")
    assert server.get(f"/v1/jobs/{job}").json()["state"] == "stopping"
    over.set()
    assert ended(server, job)["state"] == "cancelled"


def test_the_next_part_waits_while_the_server_answers(server: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    work, engine = held(server), server.app.state.engine  # type: ignore[attr-defined]
    monkeypatch.setattr(runner, "_PATIENCE", 60.0)
    waits: list[int] = []

    def sleep(seconds: float) -> None:
        waits.append(engine.waiting)
        engine._inside = 0  # the answer is there

    def part(work: Work) -> Outcome:
        monkeypatch.setattr(runner.time, "sleep", sleep)
        engine._inside = 1
        assert not work.stop() and engine.waiting == 0
        assert not work.stop()  # nobody is answered: no wait
        return Outcome()

    work.then = part
    work.go.set()
    assert ended(server, jobs_of(server).submit("held", {}).id)["state"] == "done"
    assert waits == [1]


def test_too_many_jobs_wait(own: Settings, jpeg: bytes) -> None:
    with TestClient(create_app(own.model_copy(update={"max_jobs": 0}))) as client:
        work = held(client)
        jobs_of(client).submit("held", {})
        assert work.started.wait(30)
        found = client.post("/v1/jobs?model=bright", files={"files": ("a.jpg", jpeg, "image/jpeg")})
        assert found.status_code == 429 and found.headers["retry-after"]
        work.go.set()
        ended(client, jobs_of(client).all()[0].id)
        found = client.post("/v1/jobs?model=bright", files={"files": ("a.jpg", jpeg, "image/jpeg")})
        assert found.status_code == 202


def test_what_was_interrupted_goes_on_after_a_restart(own: Settings) -> None:
    with TestClient(create_app(own)) as client:
        work = held(client)
        first, second = (jobs_of(client).submit("held", {"number": number}) for number in (1, 2))
        assert work.started.wait(30)
    states = {path.parent.name: json.loads(path.read_text()) for path in (own.state / "jobs").glob("*/job.json")}
    assert {one["state"] for one in states.values()} == {"queued"} and states[first.id]["starts"] == 0
    app = create_app(own)
    again = Held()
    again.go.set()
    app.state.jobs.kinds["held"] = again.kind()
    with TestClient(app) as client:
        assert ended(client, first.id)["state"] == ended(client, second.id)["state"] == "done"
    assert again.runs == [{"number": 1}, {"number": 2}]


def test_pictures_that_are_done_are_not_done_again(own: Settings, jpeg: bytes) -> None:
    files = [("files", (f"{name}.jpg", jpeg, "image/jpeg")) for name in "abc"]
    with TestClient(create_app(own)) as client:
        job = client.post("/v1/jobs?model=bright&write=labels", files=files).json()["id"]
        ended(client, job)
    folder = own.state / "jobs" / job
    told = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(told | {"state": "running", "ended": None, "outputs": []}))
    lines = (folder / "out" / "manifest.jsonl").read_text().splitlines(keepends=True)
    (folder / "out" / "manifest.jsonl").write_text("".join(lines[:2]) + lines[2][:40])
    before = {name: (folder / "out" / f"{name}.mask.png").stat().st_mtime_ns for name in "abc"}
    with TestClient(create_app(own)) as client:
        over = ended(client, job)
    after = {name: (folder / "out" / f"{name}.mask.png").stat().st_mtime_ns for name in "abc"}
    assert (over["state"], len(over["outputs"])) == ("done", 3)
    assert [before[name] == after[name] for name in "abc"] == [True, True, False]


def test_a_job_that_ends_the_server_each_time_is_given_up(own: Settings) -> None:
    with TestClient(create_app(own)) as client:
        jobs = jobs_of(client)
        held(client).go.set()
        job = jobs.submit("held", {})
        ended(client, job.id)
    state = own.state / "jobs" / job.id / "job.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"state": "running", "starts": 3}))
    with TestClient(create_app(own)) as client:
        found = client.get(f"/v1/jobs/{job.id}").json()
        assert found["state"] == "failed" and "3 times" in found["error"]


@pytest.mark.parametrize(
    ("state", "reason"), [("{", "JSON"), ("{}", "id"), ('{"id": "2", "kind": "a", "spec": {}, "created": 1}', "job 2")]
)
def test_a_damaged_job_is_kept_aside(own: Settings, state: str, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    damaged = own.state / "jobs" / ("1" * 32)
    (damaged / "input").mkdir(parents=True)
    (damaged / "input" / "a.png").write_bytes(b"a photo that took long to send")
    (damaged / "job.json").write_text(state)
    with TestClient(create_app(own)) as client:
        assert client.get(f"/v1/jobs/{damaged.name}").status_code == 404
    aside = damaged.with_name(damaged.name + ".damaged")
    assert not damaged.exists() and (aside / "input" / "a.png").read_bytes() == b"a photo that took long to send"
    assert (aside / "job.json").read_text() == state
    said = next(record.getMessage() for record in caplog.records if damaged.name in record.getMessage())
    assert reason in said and str(aside) in said


def test_what_is_no_job_is_swept_and_old_results_go(own: Settings) -> None:
    orphan, strange = (own.state / "jobs" / name for name in ("0" * 32, "notes"))
    for folder in (orphan, strange):
        (folder / "input").mkdir(parents=True)
    now = [1000.0]
    app = create_app(own)
    jobs: Jobs = app.state.jobs
    jobs._clock = lambda: now[0]
    jobs.kinds["held"] = (work := Held()).kind()
    work.go.set()
    with TestClient(app) as client:
        assert not orphan.exists() and strange.exists()
        job = jobs.submit("held", {})
        ended(client, job.id)
        now[0] += own.ttl
        jobs.sweep()
        assert client.get(f"/v1/jobs/{job.id}").status_code == 200
        now[0] += 1
        jobs.sweep()
        assert client.get(f"/v1/jobs/{job.id}").status_code == 404
        assert not (own.state / "jobs" / job.id).exists()


def test_a_second_server_leaves_the_jobs_to_the_first(server: TestClient, own: Settings, jpeg: bytes) -> None:
    with TestClient(create_app(own)) as second:
        found = second.post("/v1/jobs?model=bright", files={"files": ("a.jpg", jpeg, "image/jpeg")})
        assert found.status_code == 503 and "--state" in found.json()["detail"]
    assert server.post("/v1/jobs?model=bright", files={"files": ("a.jpg", jpeg, "image/jpeg")}).status_code == 202


def test_a_curve_is_told_once_and_can_be_taken_up(server: TestClient) -> None:
    work = held(server)

    def learn(work: Work) -> Outcome:
        work.tell("progress", {"what": "training", "done": 2, "total": 3})
        for epoch in (1, 2, 1, 2, 3):  # a training that was resumed tells its rows anew
            work.tell("curve", {"epoch": epoch, "loss": 1 / epoch, "miou": float("nan")})
        return Outcome(0, files=("model/best.safetensors", "../job.json"))

    work.then = learn
    job = jobs_of(server).submit("held", {})
    out = jobs_of(server).store.place(job.id).out / "model"
    out.mkdir(parents=True)
    (out / "best.safetensors").write_bytes(b"weights")
    work.go.set()
    events = follow(server, job.id)
    rows = [data for name, _, data in events if name == "curve"]
    assert rows == [{"epoch": epoch, "loss": 1 / epoch, "miou": None} for epoch in (1, 2, 3)]
    over = events[-1][2]
    assert (over["what"], over["done"], over["total"]) == ("training", 2, 3)
    assert [one["name"] for one in over["outputs"]] == ["model/best.safetensors"]
    rest = follow(server, job.id, {"Last-Event-ID": "2"})
    assert [(name, number) for name, number, _ in rest] == [("curve", "3"), ("state", "3.over")]
    assert server.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": "3.over"}).status_code == 204


def test_a_defect_fails_its_job_alone(server: TestClient, own: Settings) -> None:
    work = held(server)

    def break_down(work: Work) -> Outcome:
        raise ZeroDivisionError(f"in {work.folder.input}/a.jpg")

    work.then = break_down
    work.go.set()
    over = ended(server, jobs_of(server).submit("held", {}).id)
    assert (over["state"], over["exit_code"]) == ("failed", 1)
    assert over["error"] == "ZeroDivisionError: in a.jpg. This is a defect in Intarsia"
    work.then = lambda work: Outcome()
    assert ended(server, jobs_of(server).submit("held", {}).id)["state"] == "done"
    unknown = ended(server, jobs_of(server).submit("never", {}).id)
    assert unknown["state"] == "failed" and "never" in unknown["error"]


def test_a_state_that_cannot_be_kept_does_not_end_the_work(
    server: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work, jobs = held(server), jobs_of(server)
    job = jobs.submit("held", {})
    assert work.started.wait(30)

    def full(job: Job) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(jobs.store, "save", full)
        work.go.set()
        assert ended(server, job.id)["state"] == "done"
    assert "is not kept" in caplog.text
    assert ended(server, jobs.submit("held", {}).id)["state"] == "done"


def test_ids_cannot_be_guessed(server: TestClient) -> None:
    held(server).go.set()
    ids = {jobs_of(server).submit("held", {}).id for _ in range(8)}
    assert len(ids) == 8 and all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


def test_jobs_are_told_without_what_is_the_servers_own(own: Settings) -> None:
    told = Job(id="0" * 32, kind="segment", spec={"model": "x"}, created=1.0, key="k", request="r").to_json(5.0)
    assert set(told) == {
        "id", "kind", "state", "what", "done", "total", "created", "error", "exit_code", "notes", "seconds", "outputs",
    }  # fmt: skip


def test_clouds_and_volumes_are_jobs_too(server: TestClient, tmp_path: Path) -> None:
    pytest.importorskip("laspy")
    pytest.importorskip("nibabel")
    from volumes_made import body, write_nifti

    scan = write_nifti(tmp_path / "ct.nii.gz", body()[0])
    found = server.post("/v1/jobs?model=bright&name=ct.nii.gz", content=scan.read_bytes())
    over = ended(server, found.json()["id"])
    assert over["state"] == "failed" and over["exit_code"] in (2, 3) and "/" not in over["error"], over
    points = np.random.default_rng(0).uniform(0, 8, (50, 4)).astype(np.float32).tobytes()
    found = server.post("/v1/jobs?name=scan.bin", content=points)
    over = ended(server, found.json()["id"])
    assert over["state"] == "failed" and over["error"].startswith("scan.bin: ") and over["exit_code"] == 3, over


def test_a_state_folder_that_cannot_be_written_only_ends_jobs(own: Settings, jpeg: bytes) -> None:
    own.state.mkdir()
    (own.state / "jobs").write_text("a file")
    with TestClient(create_app(own)) as client:
        found = client.post("/v1/jobs?model=bright", files={"files": ("a.jpg", jpeg, "image/jpeg")})
        assert found.status_code == 503 and "--state" in found.json()["detail"]
        assert client.post("/v1/segment?model=bright", content=jpeg).status_code == 200


FORM = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nhello'


@pytest.mark.parametrize(
    ("messages", "status", "said"),
    [
        ([{"type": "http.request", "body": FORM, "more_body": True}, {"type": "http.disconnect"}], 499, "left"),
        ([{"type": "http.request", "body": FORM, "more_body": True}], 504, "nothing came"),
    ],
)
def test_a_body_that_breaks_off_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[Any], status: int, said: str
) -> None:
    monkeypatch.setattr(receiving, "PATIENCE", 0.05)
    folder = Folder(tmp_path)
    folder.input.mkdir()
    left = iter(messages)

    async def receive() -> Any:
        found = next(left, None)
        return found if found is not None else await asyncio.Event().wait()

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    request = Request({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, receive)
    with pytest.raises(Problem, match=said) as raised:
        finish(receiving.receive(request, folder, ()))
    assert raised.value.status == status


def test_the_document_of_the_api_is_made_without_a_warning(server: TestClient) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = server.get("/openapi.json").json()
    body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    assert set(body) == {"multipart/form-data", "application/octet-stream"}

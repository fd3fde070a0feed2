"""Results of jobs: whole, in part, and not at all; and the stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from loops import finish
from starlette.testclient import TestClient

from intarsia.serving.app import create_app
from intarsia.serving.jobs import Job, Jobs, Kind, Outcome, Work, events
from intarsia.serving.jobs.results import read_range
from intarsia.serving.problems import Problem
from intarsia.serving.settings import Settings

CONTENT = bytes(range(200))


@pytest.fixture(scope="module")
def server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    state = tmp_path_factory.mktemp("results")
    with TestClient(create_app(settings.model_copy(update={"state": state}))) as client:
        yield client


@pytest.fixture(scope="module")
def place(server: TestClient) -> str:
    """The URL of the results of a job that wrote two files."""

    def write(work: Work) -> Outcome:
        (work.folder.out / "sub").mkdir(parents=True)
        (work.folder.out / "sub" / "a b.bin").write_bytes(CONTENT)
        (work.folder.out / "none.txt").write_bytes(b"")
        return Outcome(files=("sub", "none.txt", "sub/missing.bin"))

    jobs: Jobs = server.app.state.jobs  # type: ignore[attr-defined]
    jobs.kinds["write"] = Kind("write", "writes", write)
    job = jobs.submit("write", {})
    server.get(f"/v1/jobs/{job.id}/events")  # to its end
    return f"/v1/jobs/{job.id}/results"


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("bytes=0-0", (0, 0)), ("bytes=10-19", (10, 19)), ("bytes=190-", (190, 199)), ("bytes=-5", (195, 199)),
        ("bytes=100-5000", (100, 199)), ("bytes=-5000", (0, 199)), ("bytes=199-199", (199, 199)),
    ],
)  # fmt: skip
def test_a_part_is_sent(server: TestClient, place: str, said: str, part: tuple[int, int]) -> None:
    for method in ("GET", "HEAD"):
        found = server.request(method, f"{place}/sub/a%20b.bin", headers={"Range": said})
        first, last = part
        assert found.status_code == 206
        assert found.headers["content-range"] == f"bytes {first}-{last}/200"
        assert found.headers["content-length"] == str(last - first + 1)
        assert found.content == (CONTENT[first : last + 1] if method == "GET" else b"")


@pytest.mark.parametrize("said", ["bytes=200-", "bytes=5000-6000", "bytes=-0"])
def test_what_lies_behind_the_end_is_refused(server: TestClient, place: str, said: str) -> None:
    found = server.get(f"{place}/sub/a%20b.bin", headers={"Range": said})
    assert found.status_code == 416 and found.headers["content-range"] == "bytes */200"
    assert found.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "said", ["bytes=0-1,5-6", "bytes=", "bytes=-", "bytes=7-3", "bytes=a-b", "lines=0-1", "bytes=0-" + "9" * 30, "0-1"]
)
def test_what_is_no_part_is_sent_whole(server: TestClient, place: str, said: str) -> None:
    found = server.get(f"{place}/sub/a%20b.bin", headers={"Range": said})
    assert found.status_code == 200 and found.content == CONTENT and "content-range" not in found.headers


def test_of_nothing_there_is_no_part(server: TestClient, place: str) -> None:
    assert server.get(f"{place}/none.txt").content == b""
    with pytest.raises(Problem, match="0 bytes"):
        read_range("bytes=0-", 0)


def test_a_tag_tells_whether_it_is_the_same(server: TestClient, place: str) -> None:
    url = f"{place}/sub/a%20b.bin"
    whole = server.get(url)
    tag = whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes" and "attachment" in whole.headers["content-disposition"]
    same = server.get(url, headers={"If-None-Match": f'"other", {tag}'})
    assert same.status_code == 304 and same.content == b"" and same.headers["etag"] == tag
    assert server.get(url, headers={"Range": "bytes=0-1", "If-Range": tag}).status_code == 206
    other = server.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert other.status_code == 200 and other.content == CONTENT


@pytest.mark.parametrize(
    "name", ["sub", "..%2fjob.json", "%2e%2e/job.json", "/etc/passwd", "sub/%2e%2e/none.txt", "sub/missing.bin", ""]
)
def test_only_what_is_listed_is_sent(server: TestClient, place: str, name: str) -> None:
    assert [one["name"] for one in server.get(place).json()] == ["sub/a b.bin", "none.txt"]
    found = server.get(f"{place}/{name}")
    assert found.status_code == 404
    assert found.headers["content-type"] == "application/problem+json"


def test_a_link_among_the_results_is_not_followed(server: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")

    def link(work: Work) -> Outcome:
        work.folder.out.mkdir()
        (work.folder.out / "link.txt").symlink_to(secret)
        return Outcome(files=("link.txt", str(secret)))

    jobs: Jobs = server.app.state.jobs  # type: ignore[attr-defined]
    jobs.kinds["link"] = Kind("link", "links", link)
    job = jobs.submit("link", {})
    server.get(f"/v1/jobs/{job.id}/events")
    assert server.get(f"/v1/jobs/{job.id}/results").json() == []


def collect(job: Job, steps: list[Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """What is told of a job while something happens between each two looks at it; without a clock."""
    jobs = SimpleNamespace(stops=False, tell=lambda job: {"state": job.state})
    pending = iter(steps)

    async def sleep(seconds: float) -> None:
        next(pending, lambda jobs: setattr(jobs, "stops", True))(jobs)

    monkeypatch.setattr(events, "asyncio", SimpleNamespace(sleep=sleep))

    async def told() -> str:
        return "".join([part async for part in events.follow(jobs, job, 0)])  # type: ignore[arg-type]

    return finish(told())


def nothing(jobs: Any) -> None:
    """Let time pass."""


def test_silence_is_broken_and_the_stream_ends_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(id="0" * 32, kind="segment", spec={}, state="running", created=0.0)
    told = collect(job, [nothing] * 160, monkeypatch)
    assert told.count(": still there\n\n") == 2  # in 32 seconds
    assert told.count("event: state") == 1


def test_changes_are_told_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(id="0" * 32, kind="train", spec={}, state="queued", created=0.0)

    def run(jobs: Any) -> None:
        job.state, job.changes = "running", 1

    def learn(jobs: Any) -> None:
        job.curve.append({"epoch": 1})
        job.changes += 1

    def end(jobs: Any) -> None:
        job.curve.append({"epoch": 2})
        job.state, job.changes = "done", 9

    told = collect(job, [nothing, run, learn, nothing, end], monkeypatch)
    lines = [line for line in told.split("\n") if line.startswith(("id", "data"))]
    assert lines == [
        "id: 0", 'data: {"state": "queued"}', "id: 0", 'data: {"state": "running"}', "id: 1", 'data: {"epoch": 1}',
        "id: 1", 'data: {"state": "running"}', "id: 2", 'data: {"epoch": 2}', "id: 2.over", 'data: {"state": "done"}',
    ]  # fmt: skip

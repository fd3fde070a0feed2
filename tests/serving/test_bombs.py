"""Bodies that lie about what is in them: refused, or answered, without taking memory or leaving anything behind."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hostile_bodies
import pytest
from hostile_bodies import Sent
from starlette.testclient import TestClient

from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

MOST_MEGABYTES = 500  # that one of them may take for a while, its own body and this test's copies of it included
ALLOWED = (503, 504, 507)
UNDER_WAY = ("queued", "running")


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the server's temporary files go to."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("temporary"))
    yield Path(tempfile.tempdir)
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def server(settings: Settings, temporary: Path) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        client.post("/v1/pointclouds/segment?name=a.xyz", content=b"0 0 0\n")  # loads the model
        yield client


def peak() -> float:
    """The most memory that this process has held since `forget`, in megabytes; 0 where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def forget() -> None:
    if sys.platform.startswith("linux"):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@pytest.mark.parametrize("sent", list(hostile_bodies.everything()), ids=lambda sent: sent.name)
def test_a_body_that_lies(server: TestClient, temporary: Path, sent: Sent) -> None:
    body = sent.body()
    forget()
    before = peak()
    headers = {"Content-Type": sent.kind, **({sent.header[0]: sent.header[1]} if sent.header else {})}
    found = server.post(sent.path, content=body, headers=headers)
    assert found.status_code < 500 or found.status_code in ALLOWED, found.text
    if found.status_code >= 400:
        assert found.headers["content-type"] == "application/problem+json" and len(found.content) < 10_000
        assert str(temporary) not in found.text
    if found.status_code == 202:
        job = found.json()
        while job["state"] in UNDER_WAY:
            time.sleep(0.02)
            job = server.get(f"/v1/jobs/{job['id']}").json()
        assert job["state"] == "failed" and job["error"] and "defect" not in job["error"], job
    assert peak() - before < MOST_MEGABYTES
    assert not list(temporary.iterdir())


def test_nothing_of_an_archive_climbs_out() -> None:
    assert not list(Path("/tmp").glob("intarsia-climbed*"))


def test_the_server_goes_on(server: TestClient, jpeg: bytes) -> None:
    assert server.post("/v1/segment?model=bright", content=jpeg).status_code == 200

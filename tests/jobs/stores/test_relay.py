"""Jobs in a store behind a relay that refuses and loses requests: our stand-in, and one that others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from threshold import threshold

pytest.importorskip("obstore")

from benchmarks.object_store import S3
from benchmarks.store_relay import Relay
from intarsia.jobs import plan, run_all
from intarsia.jobs.stores import scratch, store

_MOTO = "it is no part of the tests' environment, for its size (115 MB): pip install 'moto[s3]' flask flask-cors"


@pytest.fixture(params=["stand-in", "moto"])
def relay(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """A store with the bucket "bucket", behind a relay to which the environment points."""
    if request.param == "stand-in":
        server: Any = S3("bucket")
        with server:
            yield from _before(server.environment, monkeypatch)
        return
    moto = pytest.importorskip("moto.server", reason=_MOTO)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        told = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_REGION": "us-east-1"}
        _make_bucket(f"{host}:{port}")
        yield from _before(told | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, monkeypatch)
    finally:
        server.stop()


def _before(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Relay(environment["AWS_ENDPOINT_URL"], "bucket") as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.environment["AWS_ENDPOINT_URL"])
        store._connected.cache_clear()
        yield found
    store._connected.cache_clear()
    scratch.clear()


def _make_bucket(address: str) -> None:
    from http.client import HTTPConnection

    connection = HTTPConnection(address)
    connection.request("PUT", "/bucket")
    assert connection.getresponse().status == 200
    connection.close()


def test_what_is_refused_or_lost_is_published_once(relay: Relay, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    (tmp_path / "in").mkdir()
    for number in range(4):
        file = tmp_path / "in" / f"{number} ü.png"
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(file)
        relay.put("bucket", f"in/{file.name}", file.read_bytes())
    run_all(threshold(), plan(tmp_path / "in", tmp_path / "disk"))
    count = 0

    def fault(method: str, key: str) -> int | None:
        nonlocal count
        count += 1
        return (503, -1)[count // 7 % 2] if count % 7 == 0 else None

    relay.fault = fault
    result = run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"))
    relay.fault = lambda method, key: None
    assert (len(result.done), result.exit_code) == (4, 0) and count > 30
    found = relay.files("bucket", "out/")
    made = {path.name: path.read_bytes() for path in (tmp_path / "disk").iterdir() if path.name != "manifest.jsonl"}
    assert {name: contents for name, contents in found.items() if name != "manifest.jsonl"} == made
    assert all(relay.written[f"out/{name}"] == 1 for name in made)
    assert len(found["manifest.jsonl"].splitlines()) == 4
    assert len(run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out")).skipped) == 4

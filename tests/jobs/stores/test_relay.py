"""Jobs in a store behind a relay that refuses and loses requests; `benchmarks/stores.py` does so to others'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threshold import threshold

pytest.importorskip("obstore")

from benchmarks.object_store import S3
from benchmarks.store_relay import Relay
from intarsia.jobs import plan, run_all
from intarsia.jobs.stores import scratch, store


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """A store with the bucket "bucket", behind a relay to which the environment points."""
    with S3("bucket") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        with Relay(server.environment["AWS_ENDPOINT_URL"], "bucket") as found:
            monkeypatch.setenv("AWS_ENDPOINT_URL", found.environment["AWS_ENDPOINT_URL"])
            monkeypatch.setattr(store, "_PAUSE", timedelta(milliseconds=5))
            store._connected.cache_clear()
            yield found
    store._connected.cache_clear()
    scratch.clear()


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

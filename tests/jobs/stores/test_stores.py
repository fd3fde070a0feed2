"""Jobs between object stores: the same outputs, names and lines as on a disk, published once."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from threshold import threshold

from benchmarks.object_store import S3
from intarsia.errors import DataError, UsageError
from intarsia.jobs import JobOptions, plan, run_all
from intarsia.jobs.stores import scratch, store
from intarsia.jobs.stores.address import Address, is_address
from intarsia.jobs.stores.claims import claim_name
from intarsia.scaling import Local, run_on

pytest.importorskip("obstore")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with S3("bucket", page=5) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(store, "_PAUSE", timedelta(milliseconds=5))
        store._connected.cache_clear()
        yield found
    store._connected.cache_clear()
    scratch.clear()


@pytest.fixture
def photos(s3: S3, tmp_path: Path) -> Path:
    """Eight pictures of noise and one file that is none, in a folder and in the store."""
    random = np.random.default_rng(7)
    for index in range(8):
        file = tmp_path / "in" / ("deep" if index % 4 == 0 else "") / f"{index} ü+.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(file)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    for file in (tmp_path / "in").rglob("*.png"):
        s3.put("bucket", f"in/{file.relative_to(tmp_path / 'in').as_posix()}", file.read_bytes())
    s3.put("bucket", "in/deep/", b"")  # as consoles make folders
    return tmp_path / "in"


@pytest.fixture
def on_disk(photos: Path, tmp_path: Path) -> dict[str, bytes]:
    """What a job makes of them in a folder."""
    run_all(threshold(), plan(photos, tmp_path / "disk"))
    return {
        file.relative_to(tmp_path / "disk").as_posix(): file.read_bytes()
        for file in (tmp_path / "disk").rglob("*")
        if file.is_file()
    }


def lines(manifest: bytes) -> dict[str, dict[str, Any]]:
    """By id, without what is of one run or place."""
    found = [json.loads(line) for line in manifest.splitlines()]
    assert len({line["id"] for line in found}) == len(found)
    gone = ("seconds", "source", "input", "error")
    return {line["id"]: {key: value for key, value in line.items() if key not in gone} for line in found}


def assert_same(found: dict[str, bytes], on_disk: dict[str, bytes]) -> None:
    """The same names, outputs and lines, and nothing else."""
    assert found.keys() == on_disk.keys()
    assert {name for name in found if found[name] != on_disk[name]} == {"manifest.jsonl"}
    assert lines(found["manifest.jsonl"]) == lines(on_disk["manifest.jsonl"])


def test_a_store_holds_what_a_disk_would(s3: S3, on_disk: dict[str, bytes]) -> None:
    planned = plan("s3://bucket/in/", Path("s3://bucket/out"))  # a path has lost one of the slashes
    result = run_all(threshold(), planned)
    assert (len(result.done), result.exit_code) == (8, 1)
    assert result.failures == {
        "s3://bucket/in/bad.png": "cannot read s3://bucket/in/bad.png: it is not an image that Intarsia reads; it "
        "looks like a text file"
    }
    assert_same(s3.files("bucket", "out/"), on_disk)
    assert str(planned.place / "a.png") == "s3://bucket/out/a.png" and is_address(planned.place)
    before = len(s3.asked)
    again = run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"))
    assert (len(again.skipped), list(again.failures)) == (8, ["s3://bucket/in/bad.png"])
    assert not any(key.endswith("ü+.png") for _, key in s3.asked[before:])  # nothing was fetched again
    assert all(count == 1 for key, count in s3.written.items() if key.endswith((".png", ".jpg")))
    scratch.clear()
    assert not list(Path(tempfile.gettempdir()).glob(f"intarsia-store-*/out-*/{planned.tasks[0].id}*"))


def test_workers_share_a_store(s3: S3, on_disk: dict[str, bytes]) -> None:
    result = run_on(Local(2), threshold(), threshold, plan("s3://bucket/in", "s3://bucket/out"))
    assert (len(result.done), len(result.failures)) == (8, 1)
    assert_same(s3.files("bucket", "out/"), on_disk)


def test_videos_and_clouds_in_a_store(s3: S3, tmp_path: Path) -> None:
    """They are done as a whole there, also where the source lies in a folder: parts in work are no results."""
    pytest.importorskip("av")
    pytest.importorskip("laspy")
    from filmed import moving_squares, write_clip
    from slope import slope, write_scan

    (tmp_path / "films").mkdir()
    (tmp_path / "scans").mkdir()
    write_clip(tmp_path / "films" / "drive.mp4", moving_squares(130), sound=True)
    write_scan(tmp_path / "scans" / "scan.las", 200)
    for make, folder, outputs in ((threshold, "films", ("overlay", "labels")), (slope, "scans", ("labels", "top"))):
        for file in (tmp_path / folder).iterdir():
            s3.put("bucket", f"{folder}/{file.name}", file.read_bytes())
        run_all(make(), plan(tmp_path / folder, tmp_path / f"{folder}-out", outputs=outputs))  # type: ignore[operator]
        alone = {file.name: file.read_bytes() for file in (tmp_path / f"{folder}-out").iterdir()}
        for source, out in ((f"s3://bucket/{folder}", f"{folder}-a"), (tmp_path / folder, f"{folder}-b")):
            planned = plan(source, f"s3://bucket/{out}", outputs=outputs)
            assert run_on(Local(2), make(), make, planned).exit_code == 0  # type: ignore[operator]
            assert_same(s3.files("bucket", f"{out}/"), alone)


def test_two_jobs_at_once_publish_once(s3: S3, on_disk: dict[str, bytes]) -> None:
    (s3.objects["bucket"]).pop("in/bad.png")
    kept = [line for line in on_disk["manifest.jsonl"].splitlines(True) if b'"done"' in line]
    jobs = [
        threading.Thread(target=run_all, args=(threshold(), plan("s3://bucket/in", "s3://bucket/out"))) for _ in "ab"
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"))
    assert_same(s3.files("bucket", "out/"), on_disk | {"manifest.jsonl": b"".join(kept)})
    assert all(s3.written[f"out/{name}"] == 1 for name in on_disk if name != "manifest.jsonl")


def test_refusals_and_lost_answers_change_nothing(s3: S3, on_disk: dict[str, bytes]) -> None:
    count = 0

    def fault(method: str, key: str) -> int | None:
        nonlocal count
        count += 1
        return (429, 503, -1)[count // 5 % 3] if count % 5 == 0 else None

    s3.fault = fault
    run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"))
    s3.fault = lambda method, key: None
    assert_same(s3.files("bucket", "out/"), on_disk)


def test_what_a_dead_worker_left_is_taken_over(s3: S3, on_disk: dict[str, bytes]) -> None:
    dead = {"id": "1 ü+", "outputs": ["1 ü+.mask.png", "1 ü+.overlay.jpg"], "host": "elsewhere", "pid": 1}
    s3.put("bucket", f"out/{claim_name('1 ü+')}", json.dumps(dead).encode())
    s3.put("bucket", "out/1 ü+.mask.png", b"of another model")
    first = run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"))
    assert first.busy == ["s3://bucket/in/1 ü+.png"] and len(first.done) == 7
    contents, changed = s3.objects["bucket"][f"out/{claim_name('1 ü+')}"]
    s3.objects["bucket"][f"out/{claim_name('1 ü+')}"] = contents, changed - 1000  # not renewed since
    (s3.objects["bucket"]).pop("in/bad.png")
    second = run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"))
    assert [record["id"] for record in second.records] == ["1 ü+"]
    assert_same(s3.files("bucket", "out/"), on_disk)


def test_others_outputs_are_not_replaced(s3: S3, photos: Path) -> None:
    run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"))
    with pytest.raises(
        UsageError, match=r"s3://bucket/out/1 ü\+\.mask\.png and 1 .* with opacity null instead of 0\.3"
    ):
        run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"), options=JobOptions(opacity=0.3))
    changed = run_all(
        threshold(), plan("s3://bucket/in", "s3://bucket/out"), options=JobOptions(opacity=0.3), overwrite=True
    )
    assert len(changed.done) == 8
    skipped = run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"), options=JobOptions(opacity=0.3))
    assert len(skipped.skipped) == 8
    s3.put("bucket", "in/1 ü+.png", s3.objects["bucket"]["in/2 ü+.png"][0])
    with pytest.raises(UsageError, match="of a changed source"):
        run_all(threshold(), plan("s3://bucket/in", "s3://bucket/out"), options=JobOptions(opacity=0.3))


def test_a_store_and_a_folder_go_together(s3: S3, photos: Path, tmp_path: Path, on_disk: dict[str, bytes]) -> None:
    result = run_all(threshold(), plan("s3://bucket/in", tmp_path / "here"))
    assert {path.name for path in (tmp_path / "here").rglob("*.png")} == {f"{index} ü+.mask.png" for index in range(8)}
    assert len(run_all(threshold(), plan("s3://bucket/in", tmp_path / "here")).skipped) == 8 == len(result.done)
    run_all(threshold(), plan(photos, "s3://bucket/there"))
    assert_same(s3.files("bucket", "there/"), on_disk)
    run_all(threshold(), plan("s3://bucket/in/1 ü+.png", tmp_path / "one.png"))
    assert (tmp_path / "one.png").read_bytes() == on_disk["1 ü+.mask.png"]


def test_keys_that_are_no_paths_are_left_out(s3: S3, photos: Path, tmp_path: Path) -> None:
    s3.put("bucket", "in/a\\b.png", b"x")
    s3.put("bucket", "in/.hidden.png", b"x")
    planned = plan("s3://bucket/in", "s3://bucket/out")
    assert len(planned.tasks) == 9
    assert planned.notes == ("s3://bucket/in also holds 2 objects whose keys are no paths: rename them",)


@pytest.mark.parametrize(
    ("source", "environment", "said"),
    [
        ("s3://nowhere/in", {}, "there is no bucket nowhere; check its name"),
        ("s3://bucket/none", {}, "no picture, cloud or video below s3://bucket/none"),
        ("s3://bucket", {"AWS_REGION": "us-east-1"}, "lies in another region; set AWS_REGION"),
        ("s3://bucket", {"AWS_ACCESS_KEY_ID": "AKIAOTHER"}, "the store does not know the credentials"),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the store cannot be reached; check the network"),
    ],
)
def test_what_is_wrong_is_said(
    s3: S3, source: str, environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(store, "_RETRIES", 1)
    with pytest.raises(DataError, match=said):
        plan(source, "s3://bucket/out")


def test_without_credentials_no_other_machine_is_asked_for_long(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="there are no credentials; set AWS_ACCESS_KEY_ID"):
        plan("s3://bucket/in", "s3://bucket/out")


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("s3://", "out", "names no bucket"),
        ("s3://bucket/*.png", "out", "is a pattern"),
        ("s3://bucket/in", "s3://bucket/in/out", "would lie in the input"),
        ("s3://bucket/in", None, "prefixes need a folder for the results"),
    ],
)
def test_what_makes_no_sense_is_refused(s3: S3, photos: Path, source: str, out: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(source, out)


def test_an_endpoint_is_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    store._connected.cache_clear()
    with pytest.raises(
        UsageError, match="AWS_ENDPOINT_URL is an address as in https://HOST:PORT, and not 'minio:9000'"
    ):
        plan("s3://bucket/in", "s3://bucket/out")


def test_addresses() -> None:
    address = Address("s3:/bucket//a/b/")
    assert (address, address.bucket, address.key) == ("s3://bucket/a/b", "bucket", "a/b")
    assert Address("s3://bucket") / "c" == "s3://bucket/c"
    assert not is_address("s3") and not is_address(Path("/s3:/x")) and not is_address(3)
    assert os.fspath(Path("s3://b/c")) == "s3:/b/c" and is_address(Path("s3://b/c"))

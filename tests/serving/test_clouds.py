"""Point clouds over HTTP: the same file with labels, judged by its header."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

import intarsia
from intarsia.bundle import Bundle
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, read_cloud, write_labels
from intarsia.models import build
from intarsia.preprocessing import CloudPreprocessing
from intarsia.serving.app import create_app
from intarsia.serving.points import count_points, suffix_by_bytes
from intarsia.serving.settings import Settings

pytest.importorskip("laspy")
pytest.importorskip("plyfile")

COUNT = 600
SUFFIXES = (".las", ".laz", ".ply", ".pcd", ".npz", ".bin")


def scene() -> PointCloud:
    """A floor with a wall."""
    random = np.random.default_rng(0)
    xyz = random.uniform(0, 8, (COUNT, 3))
    xyz[: COUNT // 2, 2] = 0.01 * random.normal(size=COUNT // 2)
    return PointCloud(xyz, {"intensity": random.uniform(0, 1, COUNT).astype(np.float32)})


def written(path: Path) -> Path:
    """The scene as a file of the path's suffix, without labels."""
    cloud = scene()
    table = np.column_stack([cloud.xyz, cloud.fields["intensity"]]).astype(np.float32)
    if path.suffix == ".bin":
        table.tofile(path)
    elif path.suffix == ".npz":
        np.savez(path, xyz=cloud.xyz, intensity=cloud.fields["intensity"])
    elif path.suffix == ".pcd":
        head = (
            "VERSION 0.7\nFIELDS x y z intensity\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\n"
            f"WIDTH {COUNT}\nHEIGHT 1\nPOINTS {COUNT}\nDATA binary\n"
        )
        path.write_bytes(head.encode() + table.tobytes())
    else:
        write_labels(open_cloud(cloud), path, np.zeros(COUNT, np.uint8), LabelSpace(("ground",)))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that knows nothing, but needs nothing but coordinates."""
    torch.manual_seed(0)
    network = build("pointnet_scene", classes=2, in_channels=3)
    settings, space = CloudPreprocessing(features=(), block=8.0, points=64), LabelSpace(("ground", "building"))
    path = tmp_path_factory.mktemp("model") / "scene.safetensors"
    Bundle("pointnet_scene", {"in_channels": 3}, space, settings, network.state_dict()).save(path)
    return path


@pytest.fixture(scope="module")
def server(settings: Settings, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    own = {"state": tmp_path_factory.mktemp("clouds"), "max_points": 1000, "models": (*settings.models, str(model))}
    with TestClient(create_app(settings.model_copy(update=own))) as client:
        yield client


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is left in the folder for temporary files, whatever happens."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cloud_comes_back_with_labels(server: TestClient, model: Path, tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"scan{suffix}")
    form = server.post("/v1/pointclouds/segment?model=scene", files={"file": (path.name, path.read_bytes())})
    raw = server.post(f"/v1/pointclouds/segment?model=scene&name={path.name}", content=path.read_bytes())
    assert form.status_code == raw.status_code == 200, form.text
    said = form.headers["content-disposition"]
    assert "scan.labels" in said and form.headers["x-model"] == "scene"
    back = tmp_path / said.rpartition("''")[2]
    back.write_bytes(form.content)
    labelled, again = read_cloud(back), intarsia.load(model).segment(path)
    assert labelled.label is not None and len(labelled) == COUNT
    own = tmp_path / f"own{back.name.removeprefix('scan')}"
    again.save(own)
    assert np.array_equal(labelled.label, read_cloud(own).label)  # type: ignore[arg-type]
    assert set(labelled.label.tolist()) <= ({2, 6} if "la" in suffix else {0, 1})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_points_are_counted_by_the_header(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"scan{suffix}")
    assert count_points(path) == COUNT
    head = path.read_bytes()[:128]
    assert suffix_by_bytes(head) == ("" if suffix == ".bin" else suffix)


def lying(path: Path, claims: int) -> bytes:
    """The scene's file, whose header claims another number of points."""
    content = bytearray(written(path).read_bytes())
    if path.suffix in (".las", ".laz"):
        struct.pack_into("<I", content, 107, claims)
        if content[25] >= 4:
            struct.pack_into("<Q", content, 247, claims)
        return bytes(content)
    return bytes(content).replace(str(COUNT).encode(), str(claims).encode())


@pytest.mark.parametrize("suffix", [".las", ".laz", ".ply", ".pcd"])
def test_headers_that_lie_are_told(server: TestClient, tmp_path: Path, suffix: str) -> None:
    content = lying(tmp_path / f"scan{suffix}", 4_000_000_000)
    found = server.post("/v1/pointclouds/segment", files={"file": (f"scan{suffix}", content)})
    assert found.status_code == 400 and "4,000,000,000 points" in found.json()["detail"], found.text
    assert tempfile.gettempdir() not in found.text


def test_what_is_refused(server: TestClient, tmp_path: Path, jpeg: bytes) -> None:
    las = written(tmp_path / "scan.las").read_bytes()
    large = np.zeros((1001, 4), np.float32).tobytes()
    cases = [
        (server.post("/v1/pointclouds/segment", files={"file": ("scan.bin", large)}), 413, "1,001 points"),
        (server.post("/v1/pointclouds/segment", files={"file": ("a.jpg", jpeg)}), 415, "?name=scan.laz"),
        (server.post("/v1/pointclouds/segment", files={"file": ("a.h5", b"\x89HDF\r\n\x1a\n")}), 415, "a.h5"),
        (server.post("/v1/pointclouds/segment?model=bright", content=las), 415, "/v1/segment"),
        (server.post("/v1/pointclouds/segment?model=nothing", content=las), 404, "nothing"),
        (server.post("/v1/pointclouds/segment?model=scene&columns=x", content=las), 422, "columns"),
        (server.post("/v1/pointclouds/segment?model=scene&write=overlay", content=las), 422, "top, side, page"),
        (server.post("/v1/pointclouds/segment?codes=nothing", content=las), 422, "CLASS=CODE"),
        (server.post("/v1/pointclouds/segment?model=scene&codes=lava%3D70", content=las), 422, "lava"),
        (server.post("/v1/pointclouds/segment?points=3", content=las), 422, "points"),
        (server.post("/v1/pointclouds/segment", files={"file": ("scan.las", las[:300])}), 400, "scan.las"),
        (server.post("/v1/pointclouds/segment", files={"file": ("scan.ply", b"ply\nformat x")}), 400, "scan.ply"),
        (server.post("/v1/pointclouds/segment", files={"file": ("scan.pcd", b"FIELDS x\nDATA")}), 400, "scan.pcd"),
        (server.post("/v1/pointclouds/segment", files={"file": ("scan.npz", b"PK\x03\x04")}), 400, "scan.npz"),
        (server.post("/v1/pointclouds/segment"), 422, "send one file"),
    ]
    for found, status, said in cases:
        assert found.status_code == status, found.text
        assert said in found.json()["detail"] and tempfile.gettempdir() not in found.text
        assert found.headers["content-type"] == "application/problem+json"


def test_what_is_told_by_its_first_bytes_needs_no_name(server: TestClient, tmp_path: Path) -> None:
    content = written(tmp_path / "scan.laz").read_bytes()
    top = server.post("/v1/pointclouds/segment?model=scene&write=top", content=content)
    assert top.status_code == 200 and top.headers["content-type"] == "image/png"


def test_a_job_gives_the_same_points(server: TestClient, tmp_path: Path) -> None:
    content = written(tmp_path / "scan.laz").read_bytes()
    begun = server.post("/v1/jobs?model=scene&name=scan.laz", content=content).json()
    server.get(f"/v1/jobs/{begun['id']}/events")
    over = server.get(f"/v1/jobs/{begun['id']}").json()
    assert (over["state"], over["done"], over["total"]) == ("done", COUNT, COUNT), over
    found = server.get(f"/v1/jobs/{begun['id']}/results/scan.labels.laz").content
    (tmp_path / "job.laz").write_bytes(found)
    answer = server.post("/v1/pointclouds/segment?model=scene&name=scan.laz", content=content)
    (tmp_path / "answer.laz").write_bytes(answer.content)
    ours, theirs = (read_cloud(tmp_path / name).label for name in ("job.laz", "answer.laz"))
    assert ours is not None and np.array_equal(ours, theirs) and len(ours) == COUNT


def test_what_needs_more_memory_than_there_is_is_refused(
    server: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from intarsia.jobs.forecast import making

    monkeypatch.setattr(making, "room", lambda: 1)
    monkeypatch.setattr(making, "resident", lambda: 1)
    scan = written(tmp_path / "scan.las").read_bytes()
    found = server.post("/v1/pointclouds/segment", files={"file": ("scan.las", scan)})
    assert found.status_code == 413, found.text
    assert "scan.las (600) would take" in found.json()["detail"] and "no setting would fit" in found.json()["detail"]

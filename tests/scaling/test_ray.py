"""Jobs on a Ray cluster of two nodes, both on this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deadly import DEADLY, deadly, other
from jobs_made import files
from parted import large, mortal
from PIL import Image
from threshold import threshold

from intarsia.errors import DataError, UsageError
from intarsia.jobs import plan, run_all
from intarsia.scaling import OnRay, run_on

os.environ.setdefault("RAY_raylet_start_wait_time_s", "200")  # of a machine that is busy; read when it is imported
ray = pytest.importorskip("ray")
DRIVEN = Path(__file__).with_name("driven.py")
NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 << 20}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a core each."""
    from ray.cluster_utils import Cluster

    before = dict(os.environ)
    # What processes of the cluster can import, as where the package is installed.
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (Path(__file__).parents[1], Path(__file__).parents[2])))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # its handlers may break a server that Ray starts
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Cluster(initialize_head=True, head_node_args={**NODE, "ray_client_server_port": port})
    found.client = f"ray://127.0.0.1:{port}"
    try:
        found.add_node(**NODE)
        os.environ["RAY_ADDRESS"] = found.address
        yield found
    finally:
        ray.shutdown()
        found.shutdown()
        os.environ.clear()
        os.environ.update(before)


def two_nodes(cluster: Any) -> None:
    """Bring the node that a test has taken away."""
    if not cluster.worker_nodes:
        cluster.add_node(**NODE)


@pytest.mark.usefixtures("small_clouds")
@pytest.mark.parametrize("medium", ["raster", "video", "cloud"])
def test_two_nodes_share_a_large_source(cluster: Any, medium: str, tmp_path: Path) -> None:
    """Each has a part in work when one of the workers is killed."""
    make, source, calls = large(medium, tmp_path)
    one, two, notes = tmp_path / "one", tmp_path / "two", tmp_path / "notes"
    run_all(make(), plan(source, one))
    notes.mkdir()
    two_nodes(cluster)
    result = run_on(OnRay(), make(), partial(mortal, medium, notes, calls), plan(source, two))
    assert (notes / "died").exists() and len(list(notes.glob("*.began"))) >= 2
    assert (len(result.done), result.exit_code) == (1, 0) and files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)
    assert len((two / "manifest.jsonl").read_text().splitlines()) == 1


@pytest.mark.usefixtures("small_clouds")
@pytest.mark.parametrize("medium", ["raster", "video", "cloud"])
def test_what_a_killed_driver_left_is_gone_on_with(cluster: Any, medium: str, tmp_path: Path) -> None:
    """By the cluster, or by one process; those workers that Ray has not ended yet are waited for."""
    two_nodes(cluster)
    done = subprocess.run([sys.executable, DRIVEN, medium, tmp_path, "ray"], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    one, two = tmp_path / "one", tmp_path / "out"
    assert [name for name in files(two) if not name.startswith((".", "manifest"))] == []
    make, source, _ = large(medium, tmp_path)
    run_all(make(), plan(source, one))
    again = run_on(OnRay(), make(), make, plan(source, two)) if medium == "raster" else alone(make, source, two)
    assert (len(again.done), again.exit_code) == (1, 0) and files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)
    first, second = (json.loads((out / "manifest.jsonl").read_text()) for out in (one, two))  # of one line each
    assert first | {"seconds": 0} == second | {"seconds": 0}


def alone(make: Any, source: Path, out: Path) -> Any:
    """Go on in this process, as soon as nobody else is at the source."""
    while (result := run_all(make(), plan(source, out))).busy:
        time.sleep(0.1)
    return result


def test_two_nodes_give_what_one_process_gives(cluster: Any, photos: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run_all(threshold(), plan(photos, one))
    nodes: list[int] = []

    def kill(done: int, total: int, record: dict[str, Any]) -> None:
        """Take a node away, perhaps while its worker is at some tasks."""
        nodes.append(len(cluster.worker_nodes))
        if done == 4:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    result = run_on(OnRay(), threshold(), threshold, plan(photos, two), finished=kill)
    assert (nodes[0], nodes[-1]) == (1, 0) and result.failures == {} and len(result.done) + len(result.skipped) == 12
    assert files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)
    assert len((two / "manifest.jsonl").read_text().splitlines()) == 12


CLIENT = """
import sys
from pathlib import Path
from threshold import threshold
from intarsia.jobs import plan
from intarsia.scaling import OnRay, run_on
address, photos, out = sys.argv[1:]
result = run_on(OnRay(address, 1), threshold(), threshold, plan(Path(photos), Path(out)))
print(len(result.done), result.failures)
"""


def test_a_client_gives_what_one_process_gives(cluster: Any, photos: Path, tmp_path: Path) -> None:
    """In a process of its own: Ray keeps that it is a client's, even if the cluster did not answer."""
    one, two = tmp_path / "one", tmp_path / "two"
    run_all(threshold(), plan(photos, one))
    command = [sys.executable, "-c", CLIENT, cluster.client, str(photos), str(two)]
    for _ in range(3):  # Ray does not always get the server started that a client talks to
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "Starting Ray client server failed" not in done.stderr:
            break
    assert done.stdout.splitlines()[-1:] == ["12 {}"], done.stderr
    assert files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)


def test_a_stop_on_ray(cluster: Any, photos: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    result = run_on(
        OnRay(), threshold(), threshold, plan(photos, tmp_path / "out"),
        stop=lambda: bool(seen), finished=lambda done, total, record: seen.append(done),
    )  # fmt: skip
    assert result.stopped and result.exit_code == 130
    assert not any(name.startswith(".") or "shards" in name for name in files(tmp_path / "out"))
    assert len(run_all(threshold(), plan(photos, tmp_path / "out")).skipped) == len(result.done)


def test_what_ray_refuses(cluster: Any, photos: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, DEADLY, 3), np.uint8)).save(photos / "05x.png")
    result = run_on(OnRay(workers=2), threshold(), deadly, plan(photos, tmp_path / "out"))
    assert result.exit_code == 1 and [Path(name).name for name in result.failures] == ["05x.png"]
    assert "ended its process twice" in next(iter(result.failures.values()))
    with pytest.raises(UsageError, match=r"would give other labels .* by processor cpu of another kind instead of any"):
        run_on(OnRay(), threshold(), other, plan(photos, tmp_path / "other"))


def test_no_cluster_at_an_address(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(address: str, **options: Any) -> None:
        raise ConnectionError(f"ray client connection timeout: {address}\nand more")

    monkeypatch.setattr(ray, "init", init)
    said = r"ray://head:1: ray client connection timeout: ray://head:1\. Start one .*RAY_AUTH_MODE=token"
    with pytest.raises(DataError, match=said):
        run_on(OnRay("ray://head:1"), threshold(), threshold, plan(photos, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_client_without_grpc(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(address: str, **options: Any) -> None:
        raise ValueError("Ray Client requires pip package `ray[client]`. If you installed the minimal Ray ...")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(
        UsageError, match=r"at ray://head:1: Ray's client needs grpcio, .*pip install 'intarsia\[scale\]'"
    ):
        run_on(OnRay("ray://head:1"), threshold(), threshold, plan(photos, tmp_path / "out"))
    assert not (tmp_path / "out").exists()

"""The server on the loopback: what an answer takes besides the network, what overload does, and whether memory grows.

    python benchmarks/serving.py [--quick] [--json FILE] [--peer http://127.0.0.1:7000/api/remove]

A server of its own is started in another process; it shares the processor with this one. Latencies are from the first
byte sent to the last one received. `network` is what the answer's Server-Timing says of it, all but it is the rest.
Overload: clients that ask again as soon as they are answered, three times as many as the server takes. `--peer` is the
address of another server that takes the field `file` and cuts people out, such as rembg's, asked in turn with ours;
with `--peer-pid`, its process, the processor time of both is told, too. Where its network is a stub, compare it with
ours without the network. A query of its address becomes fields of the form: `?model=u2net`.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np
from common import Row, alternate, arguments, compare, report
from PIL import Image

from intarsia.threads import cores

SAMPLE = Path(__file__).parents[1] / "intarsia" / "serving" / "samples" / "astronaut.jpg"
SIZES = {"2 MP": (1640, 1230), "16 MP": (4640, 3480)}
CLIENTS = 6


class Served:
    """A server in a process of its own.

    Args:
        options: of `intarsia serve`.
    """

    def __init__(self, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "intarsia", "serve", "--port", str(self.port), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ready(self) -> None:
        """Wait until its models are warm."""
        while True:
            try:
                if ask(self.port, "GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("the server ended")
            time.sleep(0.1)

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


@contextmanager
def serving(*options: str) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as state:
        served = Served("--state", state, *options)
        try:
            served.ready()
            yield served
        finally:
            served.process.terminate()
            served.process.wait()


def ask(
    port: int, method: str, path: str, body: bytes | None = None, kind: str = "image/jpeg"
) -> tuple[int, float, dict[str, float]]:
    """Status, milliseconds, and milliseconds by stage."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    start = time.perf_counter()
    connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
    answer = connection.getresponse()
    answer.read()
    took = 1000 * (time.perf_counter() - start)
    connection.close()
    timing = answer.headers.get("Server-Timing") or ""
    return answer.status, took, {name: float(value) for name, value in re.findall(r"(\w+);dur=([\d.]+)", timing)}


def photo(size: tuple[int, int]) -> bytes:
    sample = np.asarray(Image.open(SAMPLE))
    grain = np.random.default_rng(0).normal(0, 3, (size[1], size[0], 3))
    pixels = cv2.resize(sample, size, interpolation=cv2.INTER_CUBIC) + grain
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def latency(rounds: int) -> Iterator[Row]:
    with serving("-m", "person", "-m", "street") as served:
        for model in ("person", "street"):
            for name, size in SIZES.items():
                body, path = photo(size), f"/v1/segment?model={model}"
                answers = [ask(served.port, "POST", path, body) for _ in range(rounds + 1)][1:]
                whole = np.array([took for _, took, _ in answers])
                rest = whole - np.array([stages["network"] for _, _, stages in answers])
                case = f"{name} JPEG to palette PNG, {model}"
                yield Row(case, "all but the network, p50", "ms", float(np.median(rest)), None, "", None)
                share = 100 * float(np.median(rest / whole))
                yield Row(case, "share of all but the network", "%", share, None, "", None)
                for stage in answers[0][2]:
                    middle = float(np.median([stages[stage] for _, _, stages in answers]))
                    yield Row(case, f"stage {stage}", "ms", middle, None, "", None)


def overload(seconds: float) -> Iterator[Row]:
    body, path = photo((640, 480)), "/v1/segment?model=street"
    with serving("-m", "street") as served:
        alone = [ask(served.port, "POST", path, body)[1] for _ in range(40)]
        answered: list[float] = []
        refused: list[float] = []
        failed: list[int] = []
        health: list[float] = []
        end = time.monotonic() + seconds

        def client() -> None:
            while time.monotonic() < end:
                status, took, _ = ask(served.port, "POST", path, body)
                if status == 200:
                    answered.append(took)
                elif status == 429:
                    refused.append(took)
                    time.sleep(0.1)
                else:
                    failed.append(status)

        def watch() -> None:
            while time.monotonic() < end:
                status, took, _ = ask(served.port, "GET", "/healthz")
                health.append(took if status == 200 else 1e9)
                time.sleep(0.05)

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)] + [threading.Thread(target=watch)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    case = f"{CLIENTS} clients for {seconds:.0f} s, street 640x480"
    first, last = np.quantile(alone, 0.99), np.quantile(answered, 0.99)
    yield Row(case, "answered, p99", "ms", last, first, "one client alone, p99", first / last)
    yield Row(case, "answered", "", len(answered), None, "", None)
    yield Row(case, "sent away with 429", "", len(refused), None, "", None)
    yield Row(case, "429, p99", "ms", float(np.quantile(refused, 0.99)), None, "", None)
    yield Row(case, "other answers", "", len(failed), None, "", None)
    yield Row(case, "/healthz, p99", "ms", float(np.quantile(health, 0.99)), None, "", None)


def memory(requests: int) -> Iterator[Row]:
    """Mixed requests: sizes, models, forms and errors."""
    bodies = [photo((side, side * 3 // 4)) for side in (160, 320, 480, 640, 900)]
    paths = [
        f"/v1/segment?model={model}&format={form}"
        for model in ("person", "street") for form in ("png", "overlay", "coco", "npz", "nothing")
    ]  # fmt: skip
    early = requests // 20
    with serving("-m", "person", "-m", "street") as served:
        first = 0.0
        for number in range(requests):
            ask(served.port, "POST", paths[number % len(paths)], bodies[number % len(bodies)])
            ask(served.port, "POST", "/v1/segment?model=person", b"no picture") if number % 50 == 0 else None
            if number + 1 == early:
                first = served.memory()
        last = served.memory()
    case = f"{requests:,} mixed requests"
    yield Row(case, "resident memory at the end", "MB", last, first, f"after {early:,}", first / last)


def second_model(rounds: int) -> Iterator[Row]:
    """Whether one model's answers wait for another that is being loaded."""
    body, path = photo((640, 480)), "/v1/segment?model=person"
    with serving("-m", "person") as served:
        alone = [ask(served.port, "POST", path, body)[1] for _ in range(rounds)]
        loading = threading.Thread(target=ask, args=(served.port, "POST", "/v1/segment?model=street", photo((64, 64))))
        loading.start()
        beside = []
        while loading.is_alive() or len(beside) < 3:
            beside.append(ask(served.port, "POST", path, body)[1])
    ours, before = float(np.median(beside)), float(np.median(alone))
    case = "person 640x480 while street is loaded"
    yield Row(case, f"p50 of {len(beside)}", "ms", ours, before, "before", before / ours)


def spent(pid: int) -> float:
    """Milliseconds of the processor that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def beside(peer: str, pid: int | None, rounds: int) -> Iterator[Row]:
    body, there = photo((1280, 960)), urlsplit(peer)
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    form += body + b"\r\n"
    fields = parse_qsl(there.query)
    said = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields)
    kind = "multipart/form-data; boundary=x"
    case = "1280x960 JPEG to cut-out PNG"
    with serving("-m", "person", "--rembg") as served:
        stages: list[tuple[float, float]] = []  # of all, and of the network

        def own() -> float:
            status, took, told = ask(served.port, "POST", "/api/remove", form + b"--x--\r\n", kind)
            assert status == 200, status
            stages.append((took, told.get("network", 0.0)))
            return took

        def other() -> float:
            status, took, _ = ask(int(there.port or 80), "POST", there.path, form + said.encode() + b"--x--\r\n", kind)
            assert status == 200, status
            return took

        ours, theirs = alternate(rounds, own, other)
        yield compare(case, "latency", "ms", ours, theirs, peer)
        yield compare(case, "latency, ours without the network", "ms", [a - b for a, b in stages[1:]], theirs, peer)
        if pid is not None:
            used = [spent(served.process.pid), spent(pid)]
            for _ in range(rounds):
                own(), other()
            mine, its = (
                (spent(process) - before) / rounds
                for process, before in zip((served.process.pid, pid), used, strict=True)
            )
            yield Row(case, f"processor time a picture, of {rounds}", "ms", mine, its, peer, its / mine)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--peer", metavar="URL", help="another server that cuts people out")
    parser.add_argument("--peer-pid", type=int, help="its process, on this machine")
    parser.add_argument("--only-peer", action="store_true", help="nothing but the comparison")
    options = parser.parse_args()
    quick = options.quick
    rows: list[Row] = []
    if not options.only_peer:
        rows += [*latency(3 if quick else 25), *overload(5 if quick else 60), *second_model(5 if quick else 30)]
        rows += memory(100 if quick else 10_000)
    if options.peer:
        rows += beside(options.peer, options.peer_pid, 3 if quick else 15)
    report("Serving", rows, options.json, threads=cores())


if __name__ == "__main__":
    main()

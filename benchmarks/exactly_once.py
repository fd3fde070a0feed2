"""Exactly once: jobs whose workers, drivers and machines are killed at random give what an undisturbed one gives.

Each round runs one job until it ends well, under SIGKILLs at seeded moments: of a worker, of a worker whose outputs
have their names but no line yet, of the driver, and (on Ray) of a whole node; some rounds have two drivers in one
folder, a disk that is full, and clocks that jump. Every kill is seen to have landed. After each round the folder is
compared with that of one process that nobody disturbed: files, lines and checksums.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from common import arguments, write_results
from exactly_once_job import UNFINISHED, predictor, write_pictures
from processes import killed, parent, processes, said_by

from intarsia.jobs import plan, run_all

JOB = Path(__file__).with_name("exactly_once_job.py")
_WATCH = 2.0  # seconds in which a worker between its outputs and their line is looked for
_MOST_STARTS = 200
# How a driver may end: killed, with tasks that others are at, well, with tasks that were given up; and where its
# workers were killed three times in a row before they began.
_ENDS = (-signal.SIGKILL, UNFINISHED, 0, 1, 4)
_YEARS = 10 * 365 * 86400.0
_OFTEN = {"worker": 3, "between": 4, "driver": 1, "node": 1}  # how much likelier a kind of kill is than another


class Round:
    """One job in a folder of its own, killed until enough, and then let end.

    Args:
        source: the pictures.
        out: the output folder.
        engine: where the workers are.
        seed: of the moments and victims.
        drivers: how many run at once.
        kinds: of kills, of which each is drawn.
        last: where the workers are of those drivers that begin when there have been enough kills.
    """

    def __init__(
        self, source: Path, out: Path, engine: str, seed: str, drivers: int, kinds: Sequence[str], last: str
    ) -> None:
        self.source, self.out, self.engine, self.random = source, out, engine, random.Random(seed)
        self.kinds, self.last = kinds, last
        self.landed: Counter[str] = Counter()
        self.drivers: list[subprocess.Popen[bytes] | None] = [None] * drivers
        self.starts = self.full = 0
        self.cluster: Any = None

    def start(self, limit: int | None = None) -> subprocess.Popen[bytes]:
        """Start a driver, with a clock that is years off, on a disk that takes no file of more than some bytes."""
        self.starts += 1
        if self.starts > _MOST_STARTS:
            raise SystemExit(f"the job in {self.out} does not end")
        shift = self.random.choice((-_YEARS, 0.0, _YEARS))
        command = [sys.executable, str(JOB), str(self.source), str(self.out), self.engine, str(shift)]
        environment = os.environ | ({"RAY_ADDRESS": self.cluster.address} if self.cluster else {})
        full = None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.Popen(command, env=environment, preexec_fn=full, stderr=subprocess.PIPE)

    def run(self, kills: int) -> None:
        """Kill so often, unless the job ends before; then run it to its end."""
        if self.random.random() < 0.3:
            self.full_disk()
            self.full += 1
        while sum(self.landed.values()) < kills and not self.is_done():
            if self.random.random() < 0.9:  # the others may be hit before they are at any task
                self.wait_for_work()
            time.sleep(self.random.uniform(0.0, 0.3))
            self.disturb()
        self.engine = self.last
        while not self.is_done():
            time.sleep(0.05)

    def wait_for_work(self) -> None:
        """Wait until a task is in work."""
        while not any(said_by(note["pid"]) for note in self.claims()) and not self.is_done():
            time.sleep(0.02)

    def claims(self) -> Iterator[dict[str, Any]]:
        """What the claims say, those of workers that died too."""
        claims: list[Path] = []
        with suppress(FileNotFoundError):  # the folder is removed while it is listed
            claims = list((self.out / ".claims").glob("*.json"))
        for claim in claims:
            with suppress(OSError, ValueError):
                yield json.loads(claim.read_text())

    def is_done(self) -> bool:
        """Start what has ended before its end; true when a driver has found everything done."""
        for index, driver in enumerate(self.drivers):
            code = None if driver is None else driver.poll()
            if driver is not None and code is None:
                continue
            if driver is not None and code not in _ENDS:
                raise SystemExit(f"a driver ended with {code}: {driver.communicate()[1].decode()[-2000:]}")
            if code == 0 and (self.out / "manifest.jsonl").exists():
                for other in self.drivers:
                    if other is not None:
                        other.wait()
                return True
            self.jump()
            self.drivers[index] = self.start()
        return False

    def full_disk(self) -> None:
        """Let one driver run into a disk that is full at some line: the job ends with an error, and is continued."""
        code = self.start(limit=self.random.randrange(8_000, 14_000)).wait()
        if code != 3:
            raise SystemExit(f"a job on a full disk ended with {code}")

    def jump(self) -> None:
        """Let the file system's clock have jumped: files of earlier runs are from another time."""
        for file in self.out.rglob("*"):
            with suppress(FileNotFoundError):
                moment = time.time() + self.random.uniform(-_YEARS, _YEARS)
                os.utime(file, (moment, moment))

    def disturb(self) -> None:
        """Kill something."""
        kinds = [kind for kind in self.kinds for _ in range(_OFTEN[kind]) if kind != "node" or self.cluster]
        kind = self.random.choice(kinds)
        if kind == "driver":
            driver = self.random.choice(self.drivers)
            if driver is not None and driver.poll() is None:
                driver.kill()
                self.landed["driver"] += driver.wait() == -signal.SIGKILL
        elif kind == "node":
            self.kill_node()
        elif kind == "between":
            self.kill_between()
        else:
            workers = self.workers()
            if workers:
                self.landed["worker"] += killed(self.random.choice(workers))

    def workers(self) -> list[int]:
        """The processes that do tasks: all that have written a claim, or were started for it."""
        mine = {driver.pid for driver in self.drivers if driver is not None}
        if self.cluster:
            return [pid for pid in processes() if said_by(pid).startswith("ray::Actor")]
        return [pid for pid in processes() if parent(pid) in mine and "spawn_main" in said_by(pid)]

    def kill_between(self) -> None:
        """Kill a worker whose outputs have their names, and whose line is not written."""
        until = time.monotonic() + _WATCH
        while time.monotonic() < until:
            for note in self.claims():
                if not all((self.out / name).exists() for name in note["outputs"]) or self.has_line(note["id"]):
                    continue
                if killed(note["pid"]):
                    late = self.has_line(note["id"])
                    self.landed["worker after its line" if late else "between rename and line"] += 1
                    return

    def has_line(self, name: str) -> bool:
        """Whether a task has a line anywhere."""
        begins = f'{{"id": "{name}"'.encode()
        for file in (self.out / "manifest.jsonl", *(self.out / "manifest.shards").glob("*.jsonl")):
            with suppress(FileNotFoundError):
                if any(line.startswith(begins) and line.endswith(b"\n") for line in file.read_bytes().splitlines(True)):
                    return True
        return False

    def kill_node(self) -> None:
        """Kill the manager of a node, with which its workers go, and bring another node."""
        nodes = [node for node in self.cluster.list_all_nodes() if not node.head]
        if not nodes:
            return
        pid = nodes[0].all_processes["raylet"][0].process.pid
        self.landed["node"] += killed(pid)
        self.cluster.remove_node(nodes[0], allow_graceful=False)
        self.cluster.add_node(num_cpus=1, include_dashboard=False)


def tree(out: Path) -> dict[str, str]:
    """The checksum of every file but the manifest, hidden ones too."""
    files = (file for file in out.rglob("*") if file.is_file() and file.name != "manifest.jsonl")
    return {file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def judge(out: Path, expected: dict[str, str], ids: set[str]) -> dict[str, int]:
    """Count what is wrong in a folder whose job has ended."""
    found = tree(out)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    done = Counter(line["id"] for line in lines if line["status"] == "done")
    sums = {line["outputs"][kind]: sum_ for line in lines for kind, sum_ in line["sha256"].items()}
    return {
        "missing": len(expected.keys() - found.keys()) + len(ids - done.keys()),
        "doubled": sum(count - 1 for count in done.values()),
        "left over": len(found.keys() - expected.keys())
        + sum((out / name).exists() for name in (".claims", "manifest.shards")),
        "different": sum(found.get(name) != sum_ for name, sum_ in expected.items()),
        "wrong checksums": sum(found.get(name) != sum_ for name, sum_ in sums.items()),
    }  # fmt: skip


def campaign(
    engine: str, kills: int, seed: int, pictures: int, kinds: Sequence[str], tell: Callable[[str], None]
) -> dict[str, Any]:
    """Run rounds until so many kills have landed; returns what landed, and what was wrong.

    What was begun on a cluster is ended by it in one round, and by processes of this machine in the next.
    """
    landed: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    rounds = quarantined = full = 0
    with tempfile.TemporaryDirectory(prefix="intarsia-once-") as place:
        source, straight = Path(place) / "in", Path(place) / "straight"
        write_pictures(source, pictures, seed)
        ids = {record["id"] for record in run_all(predictor(), plan(source, straight)).done}
        expected = tree(straight)
        cluster = None if engine.startswith("local") else start_cluster()
        while sum(landed.values()) < kills:
            out, drivers, last = (
                Path(place) / f"out{rounds}",
                2 if rounds % 3 == 2 else 1,
                "local:2" if rounds % 2 else engine,
            )
            job = Round(source, out, engine, f"{seed}/{rounds}", drivers, kinds, last)
            job.cluster = cluster
            job.run(min(12, kills - sum(landed.values())))
            verdict = judge(job.out, expected, ids)
            quarantined += sum('"status": "error"' in line for line in (job.out / "manifest.jsonl").open())
            landed.update(job.landed)
            wrong.update(verdict)
            full += job.full
            rounds += 1
            tell(f"{engine} round {rounds}: {dict(job.landed)}, {job.starts} starts, wrong: {+Counter(verdict)}")
        if cluster is not None:
            cluster.shutdown()
    return {
        "engine": engine, "seed": seed, "rounds": rounds, "kills": sum(landed.values()), "landed": dict(landed),
        "full disks": full,
        "wrong": dict(wrong), "given up and done again": quarantined,
    }  # fmt: skip


def start_cluster() -> Any:
    """A cluster of two nodes on this machine."""
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "200")  # of a busy machine; read when Ray is imported
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = os.pathsep.join([str(JOB.parent), *sys.path])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1, include_dashboard=False)
    return cluster


def main() -> int:
    """Run the campaigns; 1 if anything was wrong."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--kills", type=int, default=200, help="that must land on each engine")
    parser.add_argument("--seed", type=int, default=0, help="of victims and moments")
    parser.add_argument("--kind", action="append", choices=_OFTEN, help="of kills; repeatable; default: all")
    parser.add_argument("--engine", action="append", help="local:N or ray; repeatable; default: local:2")
    given = parser.parse_args()
    pictures = 40 if given.quick else 120
    results = [
        campaign(
            engine,
            given.kills,
            given.seed,
            pictures,
            given.kind or [*_OFTEN],
            lambda line: print(line, file=sys.stderr, flush=True),
        )
        for engine in given.engine or ["local:2"]
    ]
    print(json.dumps(results, indent=2))
    if given.json:
        write_results(given.json, results)
    return int(any(sum(result["wrong"].values()) for result in results))


if __name__ == "__main__":
    sys.exit(main())

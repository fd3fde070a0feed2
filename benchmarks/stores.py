"""Exactly once in an object store: jobs that are killed at chosen requests give what an undisturbed one gives.

A stand-in for S3 on the loopback holds sources and results. At seeded requests it kills who asks, with what was asked
for done or not: a worker at an output, a worker between its outputs and its line, a driver at whatever it is at, also
when it gathers the lines. Some requests are refused (429, 503), some answers are lost, some rounds have two drivers.
After each round the prefix is compared with the folder of one process that wrote to a disk and that nobody disturbed.
With --endpoint the store is another one (moto, MinIO), and a relay before it does the killing.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import arguments, write_results
from exactly_once import tree
from exactly_once_job import UNFINISHED, predictor, write_pictures
from object_store import S3
from processes import killed, said_by
from store_relay import Relay

from intarsia.jobs import plan, run_all

JOB = Path(__file__).with_name("exactly_once_job.py")
_ENDS = (-signal.SIGKILL, UNFINISHED, 0, 1, 4)
_MOST_STARTS = 100


class Round:
    """One job below a prefix of its own, killed until enough, and then let end.

    Args:
        s3: the store, with the pictures in it.
        prefix: of the results.
        seed: of the moments and victims.
        drivers: how many run at once.
    """

    def __init__(self, s3: S3 | Relay, prefix: str, seed: str, drivers: int) -> None:
        self.s3, self.prefix, self.random = s3, prefix, random.Random(seed)
        self.landed: Counter[str] = Counter()
        self.refused = self.starts = self.left = 0
        self.drivers: list[subprocess.Popen[bytes]] = []
        self.count, self.guard = drivers, threading.Lock()

    def run(self, kills: int) -> None:
        """Kill so often, unless the job ends before; then run it to its end."""
        self.left = kills
        self.s3.fault = self.fault
        while True:
            self.drivers = [self.start() for _ in range(self.count)]
            codes = [driver.wait() for driver in self.drivers]
            for driver, code in zip(self.drivers, codes, strict=True):
                if code not in _ENDS:
                    assert driver.stderr is not None
                    raise SystemExit(f"a driver ended with {code}: {driver.stderr.read().decode()[-2000:]}")
            if 0 in codes:
                break
        self.s3.fault = lambda method, key: None
        while any(said_by(int(note["pid"])) for note in self.claims().values()):
            time.sleep(0.1)  # for workers whose driver was killed: they end what they are at
        if self.start().wait() != 0:
            raise SystemExit(f"the job in {self.prefix} was done, and is not")

    def start(self) -> subprocess.Popen[bytes]:
        """Start a driver."""
        self.starts += 1
        if self.starts > _MOST_STARTS:
            raise SystemExit(f"the job in {self.prefix} does not end")
        command = [sys.executable, str(JOB), "s3://bucket/in", f"s3://bucket/{self.prefix}", "local:2", "0"]
        return subprocess.Popen(command, env=os.environ | self.s3.environment, stderr=subprocess.PIPE)

    def fault(self, method: str, key: str) -> int | None:
        """Refuse some requests, and kill at others."""
        chance = self.random.random()
        if chance < 0.03:
            self.refused += 1
            return self.random.choice((429, 503, -1))
        with self.guard:
            if self.left and chance > 0.93 and (victim := self.victim(method, key)) is not None:
                kind, pid = victim
                if killed(pid):
                    self.landed[kind] += 1
                    self.left -= 1
                    return self.random.choice((500, -1))
        return None

    def victim(self, method: str, key: str) -> tuple[str, int] | None:
        """Who asks for this, as far as claims tell, and what it is at."""
        if not key.startswith(f"{self.prefix}/"):
            return None
        name = key.removeprefix(f"{self.prefix}/")
        if method == "PUT" and name.startswith("manifest.shards/"):
            owner = self.owner(lambda claim, note: claim == name.split("/")[1].split(".")[0])
            return owner and ("between outputs and line", owner)
        if method == "PUT" and not name.startswith((".claims/", "manifest")):
            owner = self.owner(lambda claim, note: name in note["outputs"])
            return owner and ("at an output", owner)
        if name == "manifest.jsonl" and self.count == 1 and self.drivers:
            return f"driver at {method} manifest", self.drivers[0].pid
        if self.random.random() < 0.2 and self.drivers:
            return "driver", self.random.choice(self.drivers).pid
        return None

    def owner(self, fits: Any) -> int | None:
        """The process whose claim fits."""
        return next((int(note["pid"]) for claim, note in self.claims().items() if fits(claim, note)), None)

    def claims(self) -> dict[str, Any]:
        """What the claims say, by their names."""
        found = self.s3.files("bucket", f"{self.prefix}/.claims/")
        return {claim.removesuffix(".json"): json.loads(contents) for claim, contents in found.items()}


def judge(s3: S3 | Relay, prefix: str, expected: dict[str, bytes], ids: set[str]) -> dict[str, int]:
    """Count what is wrong below a prefix whose job has ended."""
    found = s3.files("bucket", f"{prefix}/")
    lines = [json.loads(line) for line in found.pop("manifest.jsonl", b"").splitlines()]
    done = Counter(line["id"] for line in lines if line["status"] == "done")
    twice = [line for line in lines if done[line["id"]] > 1]
    if twice:
        print("\n".join(map(str, twice)), file=sys.stderr)
    return {
        "missing": len(expected.keys() - found.keys()) + len(ids - done.keys()),
        "doubled lines": sum(count - 1 for count in done.values()),
        "left over": len(found.keys() - expected.keys()),
        "different": sum(found.get(name) != contents for name, contents in expected.items()),
        "put twice": sum(s3.written[f"{prefix}/{name}"] != 1 for name in expected),
    }


def campaign(kills: int, seed: int, pictures: int, endpoint: str | None = None) -> dict[str, Any]:
    """Run rounds until so many kills have landed; returns what landed, and what was wrong."""
    store = S3("bucket", page=50) if endpoint is None else Relay(endpoint, "bucket")
    landed: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    rounds = refused = starts = 0
    with tempfile.TemporaryDirectory(prefix="intarsia-stores-") as place, store as s3:
        source, straight = Path(place) / "in", Path(place) / "straight"
        write_pictures(source, pictures, seed)
        for file in source.rglob("*.png"):
            s3.put("bucket", f"in/{file.relative_to(source).as_posix()}", file.read_bytes())
        ids = {record["id"] for record in run_all(predictor(), plan(source, straight)).done}
        expected = {name: (straight / name).read_bytes() for name in tree(straight)}
        while sum(landed.values()) < kills:
            job = Round(s3, f"out{rounds}", f"{seed}/{rounds}", 2 if rounds % 3 == 2 else 1)
            job.run(min(8, kills - sum(landed.values())))
            verdict = judge(s3, job.prefix, expected, ids)
            landed.update(job.landed)
            wrong.update(verdict)
            rounds, refused, starts = rounds + 1, refused + job.refused, starts + job.starts
            print(f"{job.prefix}: {dict(job.landed)}, wrong: {+Counter(verdict)}", file=sys.stderr, flush=True)
    return {
        "store": endpoint or "stand-in", "seed": seed, "rounds": rounds, "starts": starts,
        "kills": sum(landed.values()), "landed": dict(landed), "refused or lost": refused, "wrong": dict(wrong),
    }  # fmt: skip


def main() -> int:
    """Run the campaign; 1 if anything was wrong."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--kills", type=int, default=100, help="that must land")
    parser.add_argument("--seed", type=int, default=0, help="of victims and moments")
    parser.add_argument(
        "--endpoint", metavar="URL", help="of another store on plain HTTP, which has an empty bucket named bucket"
    )
    given = parser.parse_args()
    start = time.perf_counter()
    result = campaign(given.kills, given.seed, 10 if given.quick else 40, given.endpoint)
    print(json.dumps(result, indent=2))
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if given.json:
        write_results(given.json, [result])
    return int(any(result["wrong"].values()))


if __name__ == "__main__":
    sys.exit(main())

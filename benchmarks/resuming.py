"""Resuming: what the lines of a long job cost to read and to find again, beside a set of their ids in memory.

Each side reads the same manifest in a process of its own and looks up a thousand ids that are there and a thousand that
are not. Told is by how much its memory grew, and how long it took.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from common import Row, arguments, in_own_process, report

from intarsia.jobs.lines import MANIFEST, Lines

_LOOKED_UP = 1_000


def write(folder: Path, count: int) -> None:
    """Write a manifest of so many short lines; their length costs time, and no memory."""
    with (folder / MANIFEST).open("w") as stream:
        for index in range(count):
            name = f"{index // 1000:05d}/{index:08d}"
            stream.write(f'{{"id": "{name}", "status": "done", "outputs": {{"labels": "{name}.mask.png"}}}}\n')


def measure(folder: Path, count: int, side: str) -> dict[str, float]:
    """Read the manifest, and look ids up; megabytes that it took, seconds to read, microseconds a look."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    if side == "lines":
        lines = Lines(folder)
        lines.find("")
        known = lambda name: lines.find(name) is not None  # noqa: E731
    else:
        ids = {json.loads(line)["id"] for line in (folder / MANIFEST).open()}
        known = ids.__contains__
    read = time.perf_counter() - start
    chosen = [random.Random(index).randrange(count) for index in range(_LOOKED_UP)]
    start = time.perf_counter()
    found = sum(known(f"{index // 1000:05d}/{index:08d}") for index in chosen)
    missed = sum(known(f"{index // 1000:05d}/{index:08d}x") for index in chosen)
    look = (time.perf_counter() - start) / (2 * _LOOKED_UP)
    if (found, missed) != (_LOOKED_UP, 0):
        raise SystemExit(f"{side} found {found} of {_LOOKED_UP} ids, and {missed} that are not there")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"megabytes": grown, "seconds": read, "microseconds": 1e6 * look}


def main() -> None:
    """Compare both sides."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--lines", type=int, default=10_000_000, help="of the manifest")
    parser.add_argument("--side", nargs=3, metavar=("FOLDER", "LINES", "SIDE"), help="only measure one side")
    given = parser.parse_args()
    if given.side:
        print(json.dumps(measure(Path(given.side[0]), int(given.side[1]), given.side[2])))
        return
    count = 200_000 if given.quick else given.lines
    with tempfile.TemporaryDirectory(prefix="intarsia-resuming-") as folder:
        write(Path(folder), count)
        ours, peer = (in_own_process(__file__, "--side", folder, str(count), side) for side in ("lines", "set"))
    units = {
        "megabytes": ("memory grown by", "MB"), "seconds": ("read in", "s"), "microseconds": ("an id found in", "µs"),
    }  # fmt: skip
    rows = [
        Row(f"{count:,} lines", metric, unit, ours[key], peer[key], "a set of ids", peer[key] / max(ours[key], 1e-9))
        for key, (metric, unit) in units.items()
    ]
    report("Resuming", rows, given.json, threads=1)


if __name__ == "__main__":
    sys.exit(main())

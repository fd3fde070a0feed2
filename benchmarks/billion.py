"""A billion pictures on a thousand machines, on paper: what one picture takes is measured, and the rest multiplied.

Measured are what the driver of a job keeps of a picture (its plan, then its record) and the line that it adds to the
log. Assumed are the machines, their speed and how the pictures are divided; each is one of the rows.
"""

from __future__ import annotations

import gc
import gzip
import json
import sys
import tempfile
import tracemalloc
from dataclasses import asdict
from pathlib import Path

import numpy as np
from common import Row, arguments, in_own_process, write_results
from PIL import Image

import intarsia
from intarsia.jobs import plan, run_all
from intarsia.jobs.lines import written
from intarsia.memory import resident

PICTURES, MACHINES, CORES, SPEED, PARTS = 1e9, 1_000, 16, 5.0, 10_000
"""All pictures; machines, cores of each, pictures a second and core; folders, each a job of one machine."""
_OUTPUTS = 2  # labels and overlay
_HELD = 3  # pictures that a worker is at


def measure(count: int) -> dict[str, float]:
    """Measure bytes a picture: of a plan, of a record, and of a line as it is and compressed; and of the process."""
    with tempfile.TemporaryDirectory(prefix="intarsia-billion-") as name:
        folder = Path(name) / "data" / "pictures"
        for index in range(count):
            file = folder / f"{index // 1000:03d}" / f"photo-{index:07d}.jpg"
            if index % 1000 == 0:
                file.parent.mkdir(parents=True)
            file.touch()
        predictor = intarsia.load("street", precision="fp32")
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(file)
        (record,) = run_all(predictor, plan(file, Path(name) / "out")).records
        gc.collect()
        process = resident() or 0
        tracemalloc.start()  # so little that the system does not see it
        planned = plan(folder, Path(name) / "results")
        plans, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        lines = [written(record | {"id": task.id, "source": str(task.source)}) for task in planned.tasks]
        gc.collect()
        before = resident() or 0
        records = [json.loads(line) for line in lines]
        held = (resident() or 0) - before
        sums = np.random.default_rng(1).bytes(count * _OUTPUTS * 32).hex()  # no two are the same
    for index, one in enumerate(records):
        one["sha256"] = {kind: sums[64 * (2 * index + n) :][:64] for n, kind in enumerate(record["outputs"])}
    text = b"".join(map(written, records))
    return {
        "process": process, "plan": plans / count, "record": held / count, "line": len(text) / count,
        "compressed": len(gzip.compress(text, 6)) / count,
    }  # fmt: skip


def computed(one: dict[str, float]) -> dict[str, tuple[str, float]]:
    """What follows from one picture's bytes; by name, with the unit."""
    part, machine = PICTURES / PARTS, CORES * SPEED
    operations = machine * (2 + 2 * _OUTPUTS)  # a claim is made and removed, an output made and renamed
    return {
        "pictures of a part": ("", part),
        "driver": ("GB", (one["process"] + part * (one["plan"] + one["record"])) / 1e9),
        "pictures a second of a machine": ("/s", machine),
        "pictures a second of all": ("/s", machine * MACHINES),
        "a part": ("min", part / machine / 60),
        "all": ("h", PICTURES / machine / MACHINES / 3600),
        "lines of a part": ("MB", part * one["line"] / 1e6),
        "lines of all": ("TB", PICTURES * one["line"] / 1e12),
        "lines of all compressed": ("TB", PICTURES * one["compressed"] / 1e12),
        "log of a machine": ("KB/s", machine * one["line"] / 1e3),
        "operations of a machine": ("/s", operations),
        "operations of all": ("/s", operations * MACHINES),
        "flushes a picture": ("", _OUTPUTS + 2),
        "flushes of a worker": ("/s", SPEED * (_OUTPUTS + 2)),
        "at stake": ("", CORES * _HELD),
    }


def main() -> int:
    """Measure, multiply, and print or write it all."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--measure", type=int, metavar="PICTURES", help="only measure, in this process")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return 0
    one = in_own_process(__file__, "--measure", "2000" if given.quick else "50000")
    rows = [Row("measured", name, "bytes", value, None, "", None) for name, value in one.items()]
    rows += [Row("computed", name, unit, value, None, "", None) for name, (unit, value) in computed(one).items()]
    for row in rows:
        print(f"{row.case}: {row.metric:32} {row.ours:>14,.4g} {row.unit}")
    if given.json is not None:
        write_results(given.json, [asdict(row) for row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())

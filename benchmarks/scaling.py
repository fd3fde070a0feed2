"""Scaling: `segment --on local:N` beside the plain loop, and two workers beside one.

By the clock, pictures a second once all workers are at work: the first part of a job, in which they begin, is left out.
By the processors, the time of all processes for one more picture, which other programs disturb less. One thread a
worker, and one for the plain loop.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from common import alternate, arguments, compare, report
from exactly_once_job import write_pictures

import intarsia
from intarsia.jobs import plan, run_all
from intarsia.scaling import Local, run_on

_WARM = 0.4  # share of the pictures before anything is measured


def rate(make: Any, source: Path, workers: int) -> float:
    """Pictures a second of the clock, of the later part of a job."""
    moments: list[float] = []

    def finished(done: int, total: int, record: dict[str, Any]) -> None:
        moments.append(time.perf_counter())

    with tempfile.TemporaryDirectory(prefix="intarsia-scaling-") as out:
        planned = plan(source, out)
        if workers:
            run_on(Local(workers), make(), make, planned, finished=finished)
        else:
            run_all(make(), planned, finished=finished)
    first = int(_WARM * len(moments))
    return (len(moments) - 1 - first) / (moments[-1] - moments[first])


def cost(make: Any, few: Path, many: Path, workers: int) -> float:
    """Milliseconds of all processors for one more picture."""
    spent = [_spent(make, source, workers) for source in (few, many)]
    counts = [sum(1 for _ in source.rglob("*.png")) for source in (few, many)]
    return 1000 * (spent[1] - spent[0]) / (counts[1] - counts[0])


def _spent(make: Any, source: Path, workers: int) -> float:
    before = os.times()
    rate(make, source, workers)
    return sum(os.times()[:4]) - sum(before[:4])


def main() -> int:
    """Compare, in paired rounds."""
    parser = arguments(__doc__ or "")
    parser.add_argument("-m", "--model", default="street", help="a bundled name, or a bundle")
    parser.add_argument("--pictures", type=int, default=120, help="of 640 x 480")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rounds, pictures = (1, 24) if given.quick else (4, given.pictures)
    make = partial(intarsia.load, given.model, precision="fp32", runtime="onnx")
    with tempfile.TemporaryDirectory(prefix="intarsia-scaling-") as folder:
        source, few = Path(folder) / "many", Path(folder) / "few"
        write_pictures(source, pictures, 0, (480, 640))
        write_pictures(few, pictures // 4, 0, (480, 640))
        ours, loop = alternate(rounds, lambda: cost(make, few, source, 1), lambda: cost(make, few, source, 0))
        one, plain = alternate(rounds, lambda: rate(make, source, 1), lambda: rate(make, source, 0))
        two, single = alternate(rounds, lambda: rate(make, source, 2), lambda: rate(make, source, 1))
    rows = [
        compare("local:1", "processors' time a picture", "ms", ours, loop, "the plain loop"),
        compare("local:1", "pictures", "/s", one, plain, "the plain loop", higher_is_better=True),
        compare("local:2", "pictures", "/s", two, single, "local:1", higher_is_better=True),
    ]
    report(f"Scaling: {given.model}, load {os.getloadavg()[0]:.1f}", rows, given.json, threads=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One large source by two workers beside one: what its parts cost, and what is left at the end for one of them alone.

The stages are done one after the other in this process and measured in time of the processor, which other programs
disturb less than the clock. With as many cores, the workers' parts are done at the same time and the end follows them:
that is the speed-up which is told. One thread computes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, compare, report

import intarsia
from intarsia.jobs import JobOptions, Plan, plan, run_all
from intarsia.jobs.cutting import CUTTINGS
from intarsia.jobs.cutting.archive import write_part
from intarsia.jobs.parts import Parts

_WORKERS = 2


def draw(folder: Path, rows: int, columns: int) -> Path:
    """Write a raster of noise in large blocks, in which there is something to compress."""
    import rasterio

    random, file = np.random.default_rng(0), folder / "map.tif"
    coarse = random.integers(0, 256, (3, -(-rows // 32), -(-columns // 32)), dtype=np.uint8)
    values = np.kron(coarse, np.ones((1, 32, 32), np.uint8))[:, :rows, :columns]
    values = np.clip(values + random.integers(-9, 10, values.shape), 0, 255).astype(np.uint8)
    profile = {"width": columns, "height": rows, "count": 3, "dtype": "uint8", "crs": "EPSG:32633", "tiled": True}
    place = rasterio.Affine(2, 0, 500000, 0, -2, 4000000)
    with rasterio.open(file, "w", driver="GTiff", transform=place, compress="deflate", **profile) as target:
        target.write(values)
    return file


def spent(work: Any) -> float:
    """Seconds of the processor, of all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def stages(predictor: Any, source: Path, outputs: tuple[str, ...]) -> tuple[float, list[float], float]:
    """Do a source alone, then its parts, then the end; seconds of each."""
    with tempfile.TemporaryDirectory(prefix="intarsia-source-") as folder:
        alone = plan(source, Path(folder) / "alone", outputs=outputs)
        shared = plan(source, Path(folder) / "shared", outputs=outputs)
        whole = spent(lambda: run_all(predictor, alone))
        parts = _parts(predictor, shared)
        end = spent(lambda: run_all(predictor, shared))
        for name in next(iter(alone.tasks)).outputs.values():
            if (alone.folder / name).read_bytes() != (shared.folder / name).read_bytes():
                raise SystemExit(f"{name} differs")
    return whole, parts, end


def _parts(predictor: Any, planned: Plan) -> list[float]:
    keeper, (task,) = Parts(planned.folder, JobOptions()), planned.tasks
    pack, took = CUTTINGS[task.medium.form].pack, []
    for part in keeper.of(predictor, task, _WORKERS):
        reader = task.medium.open(task.source, predictor.preprocessing, {})
        (name,) = part.outputs.values()
        items = map(pack, keeper.compute(predictor, part, reader))
        took.append(spent(lambda path=planned.folder / name, items=items: write_part(path, items)))
    return took


def main() -> int:
    """Measure, round by round."""
    parser = arguments(__doc__ or "")
    parser.add_argument("-m", "--model", default="street", help="a bundled name, or a bundle")
    parser.add_argument("--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"))
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    predictor = intarsia.load(given.model, precision="fp32", runtime="onnx", long_side=0)
    rows = []
    with tempfile.TemporaryDirectory(prefix="intarsia-source-") as folder:
        source = draw(Path(folder), *(given.size or ((6400, 1000) if given.quick else (6400, 3000))))
        for outputs in (("labels",), ("labels", "overlay")):
            found = [stages(predictor, source, outputs) for _ in range(1 if given.quick else 3)]
            case = f"{source.name} to {' and '.join(outputs)}"
            alone = [whole for whole, _, _ in found]
            for said, ours in (
                ("parts", [sum(parts) for _, parts, _ in found]),
                ("end", [end for _, _, end in found]),
                ("two workers", [max(sum(parts[::2]), sum(parts[1::2])) + end for _, parts, end in found]),
            ):
                rows.append(compare(case, said, "s", ours, alone, "one worker"))
    report(f"One source: {given.model}, load {os.getloadavg()[0]:.1f}", rows, given.json, threads=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

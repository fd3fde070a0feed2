"""One large raster by several processes: one file, the same bytes and the same line as by one."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

from jobs_made import files  # noqa: E402
from threshold import Threshold, threshold  # noqa: E402

from intarsia.inference import Predictor  # noqa: E402
from intarsia.jobs import JobOptions, plan, run_all  # noqa: E402
from intarsia.jobs.cutting.archive import write_part  # noqa: E402
from intarsia.jobs.cutting.rows import ROWS  # noqa: E402
from intarsia.jobs.parts import Parts  # noqa: E402
from intarsia.scaling import Local, run_on  # noqa: E402

WANTED = ("labels", "confidence", "overlay", "polygons")
SIDE = (3456, 544)  # of tiles of 128 that share 32: 36 rows; more than is seen whole


def tiled(runtime: Any = None) -> Predictor:
    """A predictor whose rasters are cut into small tiles."""
    bundle = threshold().bundle
    return Predictor(bundle, runtime=runtime or Threshold(), tile=128, overlap=32, confidence=True)


class Mortal(Threshold):
    """A runtime that ends the process of the first that has computed so many tiles."""

    def __init__(self, file: Path, calls: int) -> None:
        self._file, self._calls = file, calls

    def logits(self, x: Any, place: Any = None) -> Any:
        self._calls -= 1
        if self._calls == 0:
            with suppress(FileExistsError):
                os.close(os.open(self._file, os.O_CREAT | os.O_EXCL))
                os.kill(os.getpid(), signal.SIGKILL)
        return super().logits(x, place)


def mortal(file: Path, calls: int) -> Predictor:
    return tiled(Mortal(file, calls))


@pytest.fixture(scope="module")
def raster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with a hole, on the map."""
    file = tmp_path_factory.mktemp("maps") / "map.tif"
    small = np.random.default_rng(1).integers(1, 256, (SIDE[0] // 8, SIDE[1] // 8), dtype=np.uint8)
    values = np.kron(small, np.ones((8, 8), np.uint8))
    values[900:1300, 100:200] = 0
    profile = {"width": SIDE[1], "height": SIDE[0], "count": 3, "dtype": "uint8", "nodata": 0, "crs": "EPSG:32633"}
    place = rasterio.Affine(2, 0, 500000, 0, -2, 4000000)
    with rasterio.open(file, "w", driver="GTiff", transform=place, tiled=True, **profile) as target:
        target.write(np.repeat(values[None], 3, axis=0))
    return file


@pytest.fixture(scope="module")
def alone(raster: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("alone") / "out"
    assert run_all(tiled(), plan(raster, out, outputs=WANTED)).exit_code == 0
    return out


def same(one: Path, two: Path) -> None:
    """Every byte but the seconds in the line."""
    assert files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one) if "manifest" not in name)
    first, second = (json.loads((out / "manifest.jsonl").read_text()) for out in (one, two))  # of one line each
    assert first | {"seconds": 0} == second | {"seconds": 0}


def test_several_processes_make_one_file(raster: Path, alone: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    planned = plan(raster, tmp_path / "out", outputs=WANTED)
    parts = Parts(planned.folder, JobOptions()).of(tiled(), planned.tasks[0], 2)
    assert [part.part for part in parts] == [(0, 18), (18, 36)]
    result = run_on(Local(2), tiled(), tiled, planned, finished=lambda done, total, record: seen.append((done, total)))
    assert (len(result.done), result.exit_code, seen) == (1, 0, [(1, 1)])
    same(alone, tmp_path / "out")
    assert len(run_all(tiled(), planned).skipped) == 1


def test_a_part_whose_worker_dies_is_computed_again(raster: Path, alone: Path, tmp_path: Path) -> None:
    planned, died = plan(raster, tmp_path / "out", outputs=WANTED), tmp_path / "died"
    result = run_on(Local(2), tiled(), partial(mortal, died, 25), planned)
    assert died.exists() and (len(result.done), result.exit_code) == (1, 0)
    same(alone, tmp_path / "out")


def test_a_job_goes_on_with_the_parts_that_are_there(raster: Path, alone: Path, tmp_path: Path) -> None:
    planned = plan(raster, tmp_path / "out", outputs=WANTED)
    parts = Parts(planned.folder, JobOptions())
    first, second, *_ = parts.of(tiled(), planned.tasks[0], 4)
    for part in (first, second):
        reader = part.medium.open(part.source, tiled().preprocessing, {})
        write_part(planned.folder / part.outputs["part"], map(ROWS.pack, tiled().rows(reader, stretch=part.part)))
    damaged = planned.folder / second.outputs["part"]
    damaged.write_bytes(damaged.read_bytes()[:-100])  # is computed again
    calls: list[int] = []

    class Counting(Threshold):
        def logits(self, x: Any, place: Any = None) -> Any:
            calls.append(1)
            return super().logits(x, place)

    assert run_all(tiled(Counting()), planned).exit_code == 0
    same(alone, tmp_path / "out")
    assert len(calls) == 6 * (3 * 9 + 1)  # what lies after the first part is one stretch, and computes a row above it

"""One large raster by several processes: one file, the same bytes and the same line as by one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

from jobs_made import files
from parted import mortal, tiled, write_raster
from threshold import Threshold

from intarsia.jobs import JobOptions, plan, run_all
from intarsia.jobs.cutting.archive import write_part
from intarsia.jobs.cutting.rows import ROWS
from intarsia.jobs.parts import Parts
from intarsia.scaling import Local, run_on

WANTED = ("labels", "confidence", "overlay", "polygons")
SIDE = (3456, 544)  # of tiles of 128 that share 32: 36 rows; more than is seen whole


@pytest.fixture(scope="module")
def raster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise with a hole, on the map."""
    return write_raster(tmp_path_factory.mktemp("maps") / "map.tif", SIDE)


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
    planned = plan(raster, tmp_path / "out", outputs=WANTED)
    (notes := tmp_path / "notes").mkdir()
    result = run_on(Local(2), tiled(), partial(mortal, "raster", notes, 25), planned)
    assert (notes / "died").exists() and (len(result.done), result.exit_code) == (1, 0)
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

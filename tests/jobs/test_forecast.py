"""Forecasts: from headers alone, near what is really held, and refused where there is too little memory."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from intarsia.errors import DataError
from intarsia.inference import Predictor
from intarsia.jobs import JobOptions, forecast, plan, run_all
from intarsia.jobs.forecast import check_memory, making
from intarsia.jobs.forecast.clouds import points_need
from intarsia.jobs.forecast.need import Settings
from intarsia.jobs.forecast.trial import Trial
from intarsia.models import ImageModel

MakePredictor = Callable[..., Predictor]


class Shades(ImageModel):
    """Stride 1: whether the first two channels differ."""

    in_channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(1.0))

    def logits(self, x: Tensor) -> Tensor:
        return x[:, :2] * self.gain


@pytest.fixture
def predictor(make_predictor: MakePredictor) -> Predictor:
    return make_predictor(Shades())


def png(path: Path, width: int, height: int) -> Path:
    """A picture by its header; its pixels are no such thing."""
    Image.new("RGB", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(bytes(data) + bytes(width * height // 1000))
    return path


def expected(predictor: Predictor, source: Path, tmp_path: Path, *outputs: str, **options: Any) -> Any:
    return forecast(predictor, plan(source, tmp_path / "out", outputs=outputs), JobOptions(**options))


def test_headers_are_enough(predictor: Predictor, tmp_path: Path) -> None:
    """A file whose pixels are garbage is forecast; its reading is another matter."""
    found = expected(predictor, png(tmp_path / "a.png", 3000, 2000), tmp_path)
    (one,) = found.media
    assert (one.medium, one.sources, one.size, one.source) == ("picture", 1, (3000, 2000), str(tmp_path / "a.png"))
    assert found.memory is not None and found.memory == sum(one.held.values())
    assert found.seconds is not None and found.seconds > 0
    assert not (tmp_path / "out").exists()
    assert json.loads(json.dumps(found.to_json()))["media"][0]["size"] == [3000, 2000]


def test_scores_are_of_all_classes_in_a_row_of_tiles(predictor: Predictor, tmp_path: Path) -> None:
    """Two of them: 2 classes, 512 rows, all columns, 4 bytes."""
    (one,) = expected(predictor, png(tmp_path / "a.png", 20_000, 20_000), tmp_path).media
    assert one.held["scores"] == 2 * 2 * 512 * 20_000 * 4


def test_more_sources_take_more_time_and_as_much_memory(predictor: Predictor, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(100):
        png(folder / f"{index}.png", 100, 80)
    (one,) = expected(predictor, folder, tmp_path).media
    assert one.sources == 100 and one.size == (100, 80)
    assert one.held["pixels"] == 100 * 80 * 3 * 4 + 100 * 80 * 3  # three pictures, one decoded, one as the network sees


def test_a_job_that_cannot_fit_is_refused_with_what_would(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = png(tmp_path / "a.png", 9000, 9000)
    planned = plan(source, tmp_path / "out", outputs=("labels", "instances"))
    needs = forecast(predictor, planned).memory
    assert needs is not None
    monkeypatch.setattr(making, "room", lambda: 600 << 20)
    monkeypatch.setattr(making, "resident", lambda: 300 << 20)
    with pytest.raises(DataError, match=r"a.png \(9000x9000\) would take 1.\d GB of memory, and there are 944 MB: "):
        run_all(predictor, planned)
    with pytest.raises(DataError, match=r"leaving instances out \(--write\) would fit"):
        run_all(predictor, planned)
    assert not (tmp_path / "out").exists()
    labels = forecast(predictor, plan(source, tmp_path / "out", outputs=("labels",)))
    assert labels.fits and labels.advice == ""
    labels.check()


def test_smaller_tiles_and_sizes_are_named(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = png(tmp_path / "a.png", 19_000, 19_000)
    monkeypatch.setattr(making, "tried", lambda runtime, shape: None)
    monkeypatch.setattr(making, "resident", lambda: 0)
    needs = expected(predictor, source, tmp_path, "labels").memory
    for room, said in ((needs - 1, "--tile 384"), (150 << 20, "--long-side"), (1, "no setting would fit")):
        monkeypatch.setattr(making, "room", lambda room=room: room)
        found = expected(predictor, source, tmp_path, "labels")
        assert found.fits is False and found.advice.startswith(said)


def test_what_is_not_known_is_not_refused(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = png(tmp_path / "a.png", 9000, 9000)
    monkeypatch.setattr(making, "room", lambda: None)
    assert expected(predictor, source, tmp_path).fits is None
    monkeypatch.setattr(making, "room", lambda: 1)
    monkeypatch.setattr(making, "resident", lambda: None)
    found = expected(predictor, source, tmp_path)
    assert found.memory is None and found.fits is None
    found.check()


def test_several_workers_take_so_many_times_the_memory(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(png(tmp_path / "a.png", 300, 200), tmp_path / "out")
    one, two = (forecast(predictor, planned, workers=workers) for workers in (1, 2))
    assert one.memory is not None and two.memory is not None and 1.8 < two.memory / one.memory < 2.2
    monkeypatch.setattr(making, "resident", lambda: 0)
    monkeypatch.setattr(making, "tried", lambda runtime, shape: None)
    needed = forecast(predictor, planned).memory
    assert needed is not None
    monkeypatch.setattr(making, "room", lambda: needed * 7 // 2)
    assert forecast(predictor, planned, workers=3).fits
    with pytest.raises(DataError, match=r"with 4 workers, and there are .*: 3 workers would fit \(--on local:3\)"):
        check_memory(predictor, planned, workers=4)


def test_parts_of_one_raster_are_told(predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")
    profile = {"width": 600, "height": 8000, "count": 3, "dtype": "uint8", "tiled": True, "sparse_ok": True}
    place = rasterio.Affine(2, 0, 500000, 0, -2, 4000000)
    rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", crs="EPSG:32633", transform=place, **profile).close()
    monkeypatch.setattr(making, "tried", lambda runtime, shape: Trial(1, None, 1.0))
    whole = Predictor(predictor.bundle, runtime=predictor.runtime, long_side=0)
    one, two, five = (
        forecast(whole, plan(tmp_path / "a.tif", tmp_path / "out"), workers=workers) for workers in (1, 2, 5)
    )
    assert [found.media[0].parts for found in (one, two, five)] == [1, 2, 2]  # 21 rows of tiles
    assert one.seconds is not None and two.seconds == five.seconds == one.seconds / 2
    assert two.to_json()["media"][0]["parts"] == 2


CHILD = """
import json, sys
import intarsia
from intarsia.jobs import forecast, plan, run_all
from intarsia.memory import forget_most, most_resident
predictor, planned = intarsia.load("street", long_side=0), plan(sys.argv[1], sys.argv[2])
told = forecast(predictor, planned).memory
forget_most()
result = run_all(predictor, planned)
print(json.dumps([told, most_resident(), len(result.done)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak of a part of a process is not told")
def test_what_is_told_is_near_what_is_held(tmp_path: Path) -> None:
    """A picture of 6 megapixels in tiles, in a process of its own; machines and allocators differ."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((3000, 2000)).save(tmp_path / "a.jpg")
    command = [sys.executable, "-c", CHILD, str(tmp_path / "a.jpg"), str(tmp_path / "out")]
    told, held, done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert done == 1 and 0.7 < told / held < 1.5


def test_a_large_cloud_holds_a_chunk_or_a_tile() -> None:
    """Of one that is labelled in one piece, both; of one that is sorted into tiles first, one after the other."""
    small, large = (
        points_need(None, SimpleNamespace(count=count, fields=("intensity",)), Settings(frozenset())).held  # type: ignore[arg-type]
        for count in (1_000_000, 100_000_000)
    )
    assert small == {"labels": 3_000_000, "chunk": 120_000_000, "tile": 400_000_000}
    assert large == {"labels": 300_000_000, "tile": 800_000_000}

"""Predictors to which small sources are large, and which end their process in the middle of a part."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from slope import Slope, slope, write_scan
from threshold import Threshold, threshold

from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.inference.clouds import predictor as clouds

_PATIENCE = 120.0  # seconds that a worker waits for the others, of a machine that is busy


def tiled(runtime: Any = None) -> Predictor:
    """A predictor whose rasters are cut into small tiles."""
    return Predictor(threshold().bundle, runtime=runtime or Threshold(), tile=128, overlap=32, confidence=True)


def tiled_clouds(runtime: Any = None) -> CloudPredictor:
    """A predictor to which a few thousand points are many."""
    clouds.WHOLE_POINTS, clouds._TILE_POINTS = 2_000, 1_000
    return CloudPredictor(slope().bundle, runtime=runtime or Slope())


def write_raster(path: Path, side: tuple[int, int]) -> Path:
    """Write noise with a hole, on the map."""
    import rasterio

    small = np.random.default_rng(1).integers(1, 256, (side[0] // 8, side[1] // 8), dtype=np.uint8)
    values = np.kron(small, np.ones((8, 8), np.uint8))
    values[900:1300, 100:200] = 0
    profile = {"width": side[1], "height": side[0], "count": 3, "dtype": "uint8", "nodata": 0, "crs": "EPSG:32633"}
    place = rasterio.Affine(2, 0, 500000, 0, -2, 4000000)
    with rasterio.open(path, "w", driver="GTiff", transform=place, tiled=True, **profile) as target:
        target.write(np.repeat(values[None], 3, axis=0))
    return path


class Mortal:
    """A runtime that ends the process of one worker in the middle of its part, or that of the job's driver.

    Args:
        runtime: that computes.
        folder: where workers leave notes; empty, but for a file `driver` with the process that shall die for theirs.
        calls: after so many, the process of the first that has come so far is ended.
        workers: that must have begun before any of them goes on, so that each has a part in work.
    """

    def __init__(self, runtime: Any, folder: Path, calls: int, workers: int) -> None:
        self._runtime, self._folder, self._left, self._workers = runtime, folder, calls, workers

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_runtime"], name)

    def logits(self, x: Any, place: Any = None) -> Any:
        self._meet()
        self._left -= 1
        if self._left == 0:
            with suppress(FileExistsError):
                os.close(os.open(self._folder / "died", os.O_CREAT | os.O_EXCL))
                driver = self._folder / "driver"
                os.kill(int(driver.read_text()) if driver.exists() else os.getpid(), signal.SIGKILL)
        return self._runtime.logits(x, place)

    def _meet(self) -> None:
        (self._folder / f"{os.getpid()}.began").touch()
        until = time.monotonic() + _PATIENCE
        while len(list(self._folder.glob("*.began"))) < self._workers and time.monotonic() < until:
            time.sleep(0.02)


def mortal(medium: str, folder: Path, calls: int, workers: int = 2) -> Any:
    """Make a predictor whose worker dies once; see `Mortal`."""
    if medium == "cloud":
        return tiled_clouds(Mortal(Slope(), folder, calls, workers))
    runtime = Mortal(Threshold(), folder, calls, workers)
    return tiled(runtime) if medium == "raster" else Predictor(threshold().bundle, runtime=runtime)


def large(medium: str, folder: Path) -> tuple[Any, Path, int]:
    """Write a source that two workers share.

    Returns:
        What makes its predictor, the source, and after how many calls of the network one is in the middle of a part.
    """
    if medium == "raster":
        return tiled, write_raster(folder / "map.tif", (3456, 544)), 60
    if medium == "cloud":
        return tiled_clouds, write_scan(folder / "scan.las", 9_000), 3
    from filmed import moving_squares, write_clip

    return threshold, write_clip(folder / "drive.mp4", moving_squares(130), options={"g": "50", "bf": "3"}), 30

"""Pictures for jobs by many workers, and what one process makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures of noise, some in a sub-folder."""
    random = np.random.default_rng(7)
    for index in range(12):
        file = tmp_path / "photos" / ("deep" if index % 4 == 0 else "") / f"{index:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(file)
    return tmp_path / "photos"


@pytest.fixture
def small_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few thousand points be many here, as they are in the workers of `parted.tiled_clouds`."""
    pytest.importorskip("laspy")
    from intarsia.inference.clouds import predictor as clouds
    from intarsia.jobs.cutting import CUTTINGS

    monkeypatch.setattr(clouds, "WHOLE_POINTS", 2_000)
    monkeypatch.setattr(clouds, "_TILE_POINTS", 1_000)
    monkeypatch.setitem(CUTTINGS, "points", replace(CUTTINGS["points"], least=1_000))  # type: ignore[arg-type]

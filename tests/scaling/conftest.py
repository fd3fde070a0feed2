"""Pictures for jobs by many workers, and what one process makes of them."""

from __future__ import annotations

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

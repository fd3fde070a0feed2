"""Writing tiny data sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("images/a.png", array)`; without an array a photo-like picture, another for every name."""

    def write_picture(
        name: str, array: NDArray | None = None, size: tuple[int, int] = (8, 12), **options: object
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if array is None:
            array = np.random.default_rng(list(name.encode())).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(array).save(path, **options)
        return path

    return write_picture


@pytest.fixture
def pairs(write: Write, tmp_path: Path) -> Callable[..., Path]:
    """`pairs([mask, ...])` writes images/0.png + masks/0.png, ... and gives the folder."""

    def write_pairs(masks: list[NDArray], suffix: str = "png", **options: object) -> Path:
        for number, mask in enumerate(masks):
            write(f"images/{number}.png", size=mask.shape[:2])
            write(f"masks/{number}.{suffix}", mask, **options)
        return tmp_path

    return write_pairs

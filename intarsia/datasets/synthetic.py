"""Drawn street scenes with exact masks: data for tests, documentation and first steps."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError
from intarsia.files import atomic_path, write_text
from intarsia.labels import LabelSpace

SCENE = LabelSpace(
    ("sky", "building", "tree", "road", "car", "person"),
    ((110, 170, 230), (150, 75, 60), (60, 130, 50), (90, 90, 100), (40, 60, 200), (230, 160, 30)),
)
"""The classes of `write_scenes`."""


def write_scenes(folder: str | os.PathLike[str], count: int, size: tuple[int, int] = (96, 128), seed: int = 0) -> Path:
    """Write `count` scenes as images/scene_000.png and masks/scene_000.png, and classes.txt.

    The same arguments always give the same pictures.

    Args:
        folder: a new or empty folder.
        count: number of scenes, at least 1.
        size: (H, W) in pixels, at least 8x8.
        seed: another seed draws other scenes.

    Returns:
        The folder, ready for `open_dataset`.

    Raises:
        UsageError: the folder is not empty, or `count` or `size` is too small.
    """
    from PIL import Image

    folder = Path(folder)
    if count < 1 or min(size) < 8:
        raise UsageError(f"cannot draw {count} scenes of {size[1]}x{size[0]} pixels; at least 1 of 8x8 is needed")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; choose a new folder for the scenes")
    for number in range(count):
        image, labels = draw_scene(size, np.random.default_rng([seed, number]))
        mask = Image.fromarray(labels)
        mask.putpalette(SCENE.colors().tobytes())
        for kind, picture in (("images", Image.fromarray(image)), ("masks", mask)):
            with atomic_path(folder / kind / f"scene_{number:03d}.png") as temporary:
                picture.save(temporary)
    write_text(folder / "classes.txt", "\n".join(SCENE.names) + "\n")
    return folder


def draw_scene(size: tuple[int, int], random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One scene: image (H, W, 3) uint8 and labels (H, W) uint8 in `SCENE`."""
    height, width = size
    labels = np.zeros(size, np.uint8)
    horizon = int(height * random.uniform(0.5, 0.65))
    left = 0
    while left < width:
        wide = max(2, int(width * random.uniform(0.12, 0.3)))
        top = int(horizon * random.uniform(0.15, 0.8))
        labels[top:horizon, left : left + wide] = SCENE.index("building")
        left += wide + int(width * random.uniform(0.0, 0.12))
    labels[horizon:] = SCENE.index("road")
    rows, columns = np.mgrid[:height, :width]
    for _ in range(int(random.integers(1, 4))):
        radius = height * random.uniform(0.08, 0.16)
        x, y = random.uniform(0, width), horizon - radius * 1.2
        labels[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = SCENE.index("tree")
        trunk = (np.abs(columns - x) < max(1.0, radius / 6)) & (rows >= y) & (rows < horizon + radius / 3)
        labels[trunk] = SCENE.index("tree")
    for _ in range(int(random.integers(1, 3))):
        _box(labels, random, horizon, (0.13, 0.2), 2.0, "car")
    for _ in range(int(random.integers(1, 4))):
        _box(labels, random, horizon, (0.15, 0.25), 0.35, "person")
    return _paint(labels, random), labels


def _box(
    labels: NDArray[np.uint8],
    random: np.random.Generator,
    horizon: int,
    tall: tuple[float, float],
    aspect: float,
    name: str,
) -> None:
    height, width = labels.shape
    box_height = max(2, int(height * random.uniform(*tall)))
    box_width = max(1, int(box_height * aspect))
    bottom = int(random.uniform(horizon + 0.3 * (height - horizon), height))
    left = int(random.uniform(0, max(1, width - box_width)))
    labels[max(0, bottom - box_height) : bottom, left : left + box_width] = SCENE.index(name)


def _paint(labels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    # Per scene a light and a tint per class, a vertical gradient, and grain: colour alone almost tells the classes.
    base = np.array(SCENE.palette, np.float32) * random.uniform(0.75, 1.15) + random.normal(0, 10, (len(SCENE), 3))
    gradient = np.linspace(1.08, 0.92, labels.shape[0], dtype=np.float32)[:, None, None]
    grain = random.normal(0, 9, (*labels.shape, 3))
    return np.asarray(np.clip(base[labels] * gradient + grain, 0, 255), np.uint8)

"""Labelled pictures in memory, and random crops of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.errors import DataError

IGNORE = 255
Pixels = NDArray[np.uint8]


class Batch(NamedTuple):
    """What one step sees: pictures and their labels, of clips also how they move."""

    images: Tensor
    labels: Tensor
    flow: Tensor | None = None


@dataclass(frozen=True)
class Scenes:
    """Pictures at the size that a network works at, and their labels.

    Attributes:
        images: (H, W, 3) each.
        labels: of `images`, (H, W) each; `IGNORE` where nothing is known.
        truths: at the size that is scored; `labels`, if nothing was shrunk.
        classes: their number.
    """

    images: Sequence[Pixels]
    labels: Sequence[Pixels]
    truths: Sequence[Pixels]
    classes: int


def data_folder(name: str) -> Path:
    """A folder of `INTARSIA_DATA`.

    Raises:
        DataError: it is not there.
    """
    folder = Path(os.environ.get("INTARSIA_DATA", "../shared/data")) / name
    if not folder.is_dir():
        raise DataError(f"no {name} at {folder}: set INTARSIA_DATA to the folder that holds it")
    return folder


@lru_cache(maxsize=2)
def camvid(part: str) -> Scenes:
    """CamVid's "train" (367 stills) or "val" (101 frames of one drive), at half its size; scored at 480x360."""
    split = open_dataset(data_folder("camvid"), ReadOptions(layout="camvid")).split(part)
    pairs = [split.read(index) for index in range(len(split))]
    space = split.space
    truths = [np.where(target == space.ignore_index, IGNORE, target).astype(np.uint8) for _, target in pairs]
    images = [cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for image, _ in pairs]
    labels = [np.ascontiguousarray(truth[::2, ::2]) for truth in truths]
    return Scenes(images, labels, truths, len(space))


def some(scenes: Scenes, step: int) -> Scenes:
    """Every `step`-th of the pictures."""
    return Scenes(scenes.images[::step], scenes.labels[::step], scenes.truths[::step], scenes.classes)


def crops(scenes: Scenes, size: tuple[int, int], batch: int, steps: int, seed: int) -> Iterator[Batch]:
    """Batches of random crops, mirrored half of the time: RGB in 0..1 (N, 3, H, W) and labels (N, H, W)."""
    random = np.random.default_rng(seed)
    height, width = size
    for _ in range(steps):
        images, labels = [], []
        for index in random.integers(len(scenes.images), size=batch):
            rows, columns = scenes.labels[index].shape
            top, left = random.integers(rows - height + 1), random.integers(columns - width + 1)
            there: Any = (slice(top, top + height), slice(left, left + width))
            way = -1 if random.random() < 0.5 else 1
            images.append(scenes.images[index][there][:, ::way])
            labels.append(scenes.labels[index][there][:, ::way])
        yield Batch(as_input(np.stack(images)), torch.from_numpy(np.stack(labels).astype(np.int64)))


def as_input(images: Pixels) -> Tensor:
    """(N, H, W, 3) bytes -> (N, 3, H, W) in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255

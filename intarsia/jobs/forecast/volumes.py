"""Memory of volumes: seen slice by slice, but held whole."""

from __future__ import annotations

import math
from typing import Any

from intarsia.inference import GridPredictor
from intarsia.jobs.forecast.need import Need, Settings
from intarsia.jobs.outputs import EVERY
from intarsia.media.volumes import SLAB

_FLOAT = 4
_CONVERTED = _FLOAT + 1
"""Bytes a voxel of a slab while stored values become 8-bit ones: floats, changed in place, and a mask."""
_SCORES = 3
"""A slice's scores as they come, joined, and interpolated."""
_EVERY = 2
"""A slice's probabilities as they come, and joined."""
_INSTANCES = 14
"""Bytes a voxel of `Result.instances`."""


def volume_need(predictor: GridPredictor, reader: Any, settings: Settings) -> Need:
    """Take the largest of three moments: reading, segmenting, and writing."""
    grid = reader.grid
    voxels = math.prod(grid.shape)
    depth, height, width = _view(predictor, grid)
    labels = voxels * predictor.space.dtype.itemsize
    layout = predictor.layout(height, width, tile=settings.tile)
    scores = _SCORES * len(predictor.space) * math.prod(layout.cells) * _FLOAT
    every = _EVERY * len(predictor.space) * height * width * _FLOAT if EVERY in settings.outputs else 0
    slab = min(voxels, max(SLAB, math.prod(grid.shape[:2]))) * _CONVERTED
    moments: list[dict[str, int]] = [
        {"stored values": reader.whole_bytes, "voxels": voxels, "slab": slab},
        {"voxels": 2 * voxels},  # turned into slices
        {"voxels": voxels, "labels": 2 * labels, "scores": scores + every},  # as slices, and as they are stored
        {"voxels": voxels, "labels": 2 * labels, "instances": voxels * _INSTANCES if _counts(settings) else 0},
    ]
    held = max(moments, key=lambda moment: sum(moment.values()))
    size = layout.size
    views = 2 if predictor.settings.get("decide") == "rankseg" else 1
    channels = predictor.runtime.in_channels
    return Need(tuple(grid.shape), held, (channels, *size), float(depth * size[0] * size[1] * views))


def _counts(settings: Settings) -> bool:
    return "instances" in settings.outputs


def _view(predictor: GridPredictor, grid: Any) -> tuple[int, int, int]:
    import numpy as np

    shape = grid.view(np.broadcast_to(np.uint8(0), grid.shape), predictor.preprocessing.axis).shape
    return int(shape[0]), int(shape[1]), int(shape[2])

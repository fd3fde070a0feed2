"""Memory of point clouds: a result for each point, and one tile with its surroundings."""

from __future__ import annotations

from typing import Any

from intarsia.inference.clouds import CloudPredictor
from intarsia.inference.clouds.predictor import WHOLE_POINTS
from intarsia.jobs.forecast.need import Need, Settings
from intarsia.media.clouds.cloud import CHUNK, LoadedReader

_COORDINATES = 24
_FIELD = 8
_COPIES = 3
"""Of a chunk, or a tile: as it is read, as columns, and as records."""
_POINT = 400
"""Bytes a point of a tile: coordinates, neighbours, features, and the probabilities of blocks and points."""
_RESULT = 3
"""Bytes a point of the result: its label, and its confidence in two bytes."""
_NEAR = 3
"""Points of a tile and of what lies around it, in tiles."""


def points_need(predictor: CloudPredictor, reader: Any, settings: Settings) -> Need:
    """Add up the result, a chunk of the file, and a tile in work; of a large cloud, whatever of both is more.

    Large clouds are sorted into tiles on disk, chunk by chunk, before the first tile is computed.
    """
    count = int(reader.count)
    one = _COORDINATES + _FIELD * (len(reader.fields) + 1)
    work = {"chunk": min(count, CHUNK) * one * _COPIES, "tile": min(count, WHOLE_POINTS) * _POINT}
    if count > WHOLE_POINTS:
        work = dict([max(work.items(), key=lambda part: part[1])])
    held = {"labels": count * _RESULT, **work}
    if isinstance(reader, LoadedReader):
        held["cloud"] = count * one
    return Need((count,), held)

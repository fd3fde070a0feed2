"""Memory of videos: a few frames at a time, however long they are."""

from __future__ import annotations

from typing import Any

from intarsia.jobs.forecast.need import Need, Settings
from intarsia.transforms.preprocess import working_size

_FRAMES = 9
"""Frames of colours at a time: four wait, one is decoded, two are computed or wait for the writer, two are drawn."""
_COLOURS = 3
_DECODER = 12 * 1.5
"""Bytes a pixel: the frames that a decoder keeps to refer to."""
_ENCODER = 60 * 1.5
"""Bytes a pixel: the frames that an encoder looks ahead over (x264's usual 40, and those in work)."""


def frames_need(predictor: Any, reader: Any, settings: Settings) -> Need:
    """Add up what frames hold between decoder and encoders."""
    width, height = int(reader.width), int(reader.height)
    pixels = width * height
    files = len(settings.outputs - {"records", "masks"})
    held = {
        "frames": pixels * _COLOURS * _FRAMES, "decoder": int(pixels * _DECODER),
        "encoders": int(pixels * _ENCODER * files),
    }  # fmt: skip
    runtime, preprocessing = getattr(predictor, "runtime", None), predictor.preprocessing
    if runtime is None or not preprocessing.is_for("video"):
        return Need((width, height), held)
    if settings.long_side is not None:
        preprocessing = preprocessing.changed(long_side=settings.long_side)
    seen = working_size(height, width, preprocessing)
    held["scores"] = 2 * len(predictor.space) * 4 * (seen[0] // runtime.stride + 1) * (seen[1] // runtime.stride + 1)
    count = reader.count or 0
    return Need((width, height, count), held, (runtime.in_channels, *seen), float(count * seen[0] * seen[1]))

"""The fully connected CRF: presets, inference, tuning, and a layer that is trained."""

from __future__ import annotations

from intarsia.refine.crf.inference import dense_crf, dense_crf_nd, warm_up
from intarsia.refine.crf.kernels import positions, stack
from intarsia.refine.crf.presets import PRESETS, Preset
from intarsia.refine.crf.tuning import Tuning, tune

__all__ = [
    "PRESETS",
    "Preset",
    "Tuning",
    "dense_crf",
    "dense_crf_nd",
    "positions",
    "stack",
    "tune",
    "warm_up",
]

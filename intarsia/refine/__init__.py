"""After the network: dense CRF, guided and joint bilateral filter, clean-up of small regions."""

from __future__ import annotations

from intarsia.refine.crf import (
    PRESETS,
    CRFLayer,
    Preset,
    Tuning,
    dense_crf,
    dense_crf_nd,
    positions,
    stack,
    tune,
    warm_up,
)
from intarsia.refine.filters import guided_filter, joint_bilateral
from intarsia.refine.refinement import METHODS, Refinement, refine
from intarsia.refine.regions import remove_small_regions

__all__ = [
    "METHODS",
    "PRESETS",
    "CRFLayer",
    "Preset",
    "Refinement",
    "Tuning",
    "dense_crf",
    "dense_crf_nd",
    "guided_filter",
    "joint_bilateral",
    "positions",
    "refine",
    "remove_small_regions",
    "stack",
    "tune",
    "warm_up",
]

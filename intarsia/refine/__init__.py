"""After the network: dense CRF, guided and joint bilateral filter, clean-up of small regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intarsia.refine.crf import (
    PRESETS,
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

if TYPE_CHECKING:
    from intarsia.refine.crf.layer import CRFLayer

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


def __getattr__(name: str) -> object:
    if name == "CRFLayer":  # the only one that is made of PyTorch
        from intarsia.refine.crf.layer import CRFLayer

        return CRFLayer
    raise AttributeError(f"module 'intarsia.refine' has no attribute {name!r}")
